#include "cli/task.h"

#include "console/times.h"
#include "core/array.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

void task_fini(struct task *task)
{
    for (int i = 0; i < task->n_keys; i++)
        rule_key_fini(&task->keys[i]);
    free(task->keys);
    key_map_fini(&task->by_text, NULL);
    rule_key_fini(&task->client.key);
}

/* Options. */

static int take_expiry(struct task *task, int c, const char *text)
{
    struct error error;
    int64_t span;
    int r =
        c == OPTION_FOR ? times_parse_span(text, &span, &error) : times_parse_moment(text, &task->row.expires, &error);
    if (r < 0)
        return cli_fail(EX_DATAERR, "%s: %s", c == OPTION_FOR ? "--for" : "--until", error.text);
    if (c == OPTION_FOR)
        task->row.expires = task->now + span;
    if (task->row.expires <= task->now)
        return cli_fail(EX_DATAERR, "--until: \"%s\" is past", text);
    return STATUS_DONE;
}

static int take_option(struct task *task, int c)
{
    static const struct {
        int option;
        unsigned needs;
        const char *text;
    } needs[] = {
        { OPTION_CLIENT, KIND_HAS_CLIENT, "--client" },
        { OPTION_ANY_CLIENT, KIND_HAS_CLIENT, "--any-client" },
        { OPTION_RELAY, KIND_HAS_RELAY, "--relay" },
        { OPTION_ACCOUNT, KIND_HAS_ACCOUNT, "--account" },
        { OPTION_REMOTE_MAIL, KIND_HAS_REMOTE_MAIL, "--remote-mail" },
    };
    for (size_t i = 0; i < sizeof needs / sizeof *needs; i++)
        if (needs[i].option == c && (task->kind->options & needs[i].needs) == 0)
            return cli_usage("%s is not for the kind %s", needs[i].text, task->kind->name);
    switch (c) {
    case OPTION_FOR:
    case OPTION_UNTIL:
        return take_expiry(task, c, optarg);
    case OPTION_NOTE:
        task->row.note = optarg;
        return STATUS_DONE;
    case OPTION_CLIENT:
        task->client.text = optarg;
        return STATUS_DONE;
    case OPTION_ANY_CLIENT:
        task->client.any = true;
        return STATUS_DONE;
    case OPTION_RELAY:
        task->row.value = "relay";
        return STATUS_DONE;
    case OPTION_ACCOUNT:
    case OPTION_REMOTE_MAIL:
        task->row.value = optarg;
        return STATUS_DONE;
    default:
        return STATUS_USAGE;
    }
}

int task_client_read(struct task_client *client)
{
    struct error error;
    if (client->text && client->any)
        return cli_usage("--client and --any-client contradict each other");
    if (!client->text)
        return STATUS_DONE;
    int r = rule_key_parse(&client->key, RULE_ACCESS_BLOCK, str_of(client->text), &error);
    return r < 0 ? cli_fail(cli_status_of(r), "--client: %s", error.text) : STATUS_DONE;
}

const char *task_client_text(const struct task_client *client)
{
    return client->text ? client->key.text : client->any ? "" : NULL;
}

int task_client_check(const struct task_client *client)
{
    if (client->text)
        return STATUS_DONE;
    if (!client->any)
        return cli_usage(
            "accept wants --client BLOCK, or --any-client: then anybody who forges such a sender can relay "
            "through this server");
    (void)cli_fail(0, "note: anybody who forges such a sender can now relay through this server");
    return STATUS_DONE;
}

static int read_keys(struct task *task, int n, char **texts)
{
    struct error error;
    if (!(task->keys = calloc((size_t)n, sizeof *task->keys)))
        return cli_fail(EX_OSERR, "out of memory");
    task->texts = texts;
    for (int i = 0; i < n; i++) {
        int r = rule_key_parse(&task->keys[task->n_keys++], task->kind->table, str_of(texts[i]), &error);
        if (r < 0)
            return cli_fail(cli_status_of(r), "%s", error.text);
        void **first = key_map_put(&task->by_text, 0, str_of(task->keys[i].text));
        if (!first)
            return cli_fail(EX_OSERR, "out of memory");
        if (!*first)
            *first = &task->keys[i];
    }
    return STATUS_DONE;
}

bool task_is_repeated(const struct task *task, int key)
{
    return key_map_get(&task->by_text, 0, str_of(task->keys[key].text)) != &task->keys[key];
}

int task_read(struct cli *cli, struct task *task, int argc, char **argv, const struct option *all_options)
{
    *task = (struct task){ .now = (int64_t)time(NULL), .row.client = "", .row.expires = RULE_NEVER_EXPIRES };
    /* The kind is needed to read the options, and may come after them: getopt_long puts it in front of the keys. */
    for (int c; (c = cli_next_option(cli, argc, argv, all_options)) != -1;)
        if (c == '?')
            return STATUS_USAGE;
    if (argc - optind < 2)
        return cli_usage("%s takes a kind and at least one key", argv[0]);
    if (!(task->kind = kind_by_name(argv[optind])))
        return STATUS_USAGE;
    task->row.table = task->kind->table;
    task->row.value = task->kind->table == RULE_LOCAL_DOMAIN ? "local" : task->kind->value;

    int status = STATUS_DONE;
    optind = 0;
    for (int c; status == STATUS_DONE && (c = cli_next_option(cli, argc, argv, all_options)) != -1;)
        status = take_option(task, c);
    if (status == STATUS_DONE)
        status = task_client_read(&task->client);
    if (status == STATUS_DONE && task->client.text)
        task->row.client = task->client.key.text;
    if (status == STATUS_DONE)
        status = read_keys(task, argc - optind - 1, argv + optind + 1);
    return status;
}

/* Rows that are there. */

struct search {
    const struct task *task;
    bool with_any_client;
    struct found_list *found;
};

void found_fini(struct found_list *found)
{
    for (size_t i = 0; i < found->n; i++)
        free(found->rows[i].texts);
    free(found->rows);
}

static int keep(struct found_list *list, int key, const struct stored_row *row)
{
    if (!ARRAY_RESERVE(list->rows, list->size, list->n))
        return -ENOMEM;
    const char *value = row->value ? row->value : "";
    size_t key_n = strlen(row->key) + 1, client_n = strlen(row->client) + 1, value_n = strlen(value) + 1;
    char *texts = malloc(key_n + client_n + value_n);
    if (!texts)
        return -ENOMEM;
    struct found *found = &list->rows[list->n++];
    *found = (struct found){ key, *row, texts };
    found->row.key = memcpy(texts, row->key, key_n);
    found->row.client = memcpy(texts + key_n, row->client, client_n);
    found->row.value = memcpy(texts + key_n + client_n, value, value_n);
    found->row.note = NULL;
    return 0;
}

static bool is_same_client(const struct task *task, const char *client)
{
    struct rule_key key;
    bool same = *client == *task->row.client && *client == '\0';
    if (*client && task->client.key.text) {
        same = rule_key_parse(&key, RULE_ACCESS_BLOCK, str_of(client), NULL) == 0 &&
               strcmp(key.text, task->client.key.text) == 0;
        rule_key_fini(&key);
    }
    return same;
}

static int visit_stored(void *context, const struct stored_row *row)
{
    struct search *search = context;
    struct rule_key key;
    int r = rule_key_parse(&key, search->task->kind->table, str_make(row->key, row->key_n), NULL);
    const struct rule_key *wanted = r == 0 ? key_map_get(&search->task->by_text, 0, str_of(key.text)) : NULL;
    rule_key_fini(&key);
    if (!wanted || (!search->with_any_client && !is_same_client(search->task, row->client)))
        return r == -ENOMEM ? r : 0;
    return keep(search->found, (int)(wanted - search->task->keys), row);
}

static int compare_found(const void *a, const void *b)
{
    const struct found *x = a, *y = b;
    if (x->key != y->key)
        return x->key < y->key ? -1 : 1;
    return x->row.rowid < y->row.rowid ? -1 : x->row.rowid > y->row.rowid;
}

int task_find(const struct task *task, struct rule_db *db, bool with_any_client, struct found_list *found,
              struct error *error)
{
    struct search search = { .task = task, .with_any_client = with_any_client, .found = found };
    int r = rule_edit_walk(db, task->kind->table, visit_stored, &search, error);
    if (found->n > 0)
        qsort(found->rows, found->n, sizeof *found->rows, compare_found);
    return r == -ENOMEM ? error_set(error, r, "out of memory") : r;
}
