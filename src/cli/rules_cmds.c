/*
 * gatepost add, remove.
 */
#include "cli/cli.h"
#include "cli/kind.h"
#include "cli/times.h"
#include "core/key_map.h"
#include "store/rule_edit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    OPTION_FOR = 0x100,
    OPTION_UNTIL,
    OPTION_NOTE,
    OPTION_CLIENT,
    OPTION_ANY_CLIENT,
    OPTION_RELAY,
    OPTION_ACCOUNT,
    OPTION_REMOTE_MAIL
};

/* What add and remove are told, understood. */
struct task {
    const struct kind *kind;
    struct new_row row;  /* what all rows have in common; key is set for each */
    bool any_client;
    const char *client_text;
    struct rule_key client; /* where one is given */
    char **texts;           /* the keys as given */
    struct rule_key *keys;
    int n_keys;
    int64_t now;
};

static void task_fini(struct task *task)
{
    for (int i = 0; i < task->n_keys; i++)
        rule_key_fini(&task->keys[i]);
    free(task->keys);
    rule_key_fini(&task->client);
}

/* Options. */

static int take_expiry(struct task *task, int c, const char *text)
{
    struct error error;
    int64_t span;
    int r = c == OPTION_FOR ? times_parse_span(text, &span, &error) : times_parse_moment(text, &task->row.expires, &error);
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
        task->client_text = optarg;
        return STATUS_DONE;
    case OPTION_ANY_CLIENT:
        task->any_client = true;
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

static int read_client(struct task *task)
{
    struct error error;
    if (task->client_text && task->any_client)
        return cli_usage("--client and --any-client contradict each other");
    if (!task->client_text)
        return STATUS_DONE;
    int r = rule_key_parse(&task->client, RULE_ACCESS_BLOCK, str_of(task->client_text), &error);
    if (r < 0)
        return cli_fail(cli_status_of(r), "--client: %s", error.text);
    task->row.client = task->client.text;
    return STATUS_DONE;
}

static int read_keys(struct task *task, int n, char **texts)
{
    struct error error;
    if (!(task->keys = calloc((size_t)n, sizeof *task->keys)))
        return cli_fail(EX_OSERR, "out of memory");
    task->texts = texts;
    for (; task->n_keys < n; task->n_keys++) {
        int r = rule_key_parse(&task->keys[task->n_keys], task->kind->table, str_of(texts[task->n_keys]), &error);
        if (r < 0)
            return cli_fail(cli_status_of(r), "%s", error.text);
    }
    return STATUS_DONE;
}

/* The values that an option gave, which the database would refuse with less to say. */
static int check_value(const struct task *task)
{
    const char *value = task->row.value;
    struct rule_key account;
    struct error error;
    if (task->kind->table == RULE_RELAY_GRANT && strcmp(value, "refuse") == 0)
        for (int i = 0; i < task->n_keys; i++)
            if (!task->keys[i].is_block)
                return cli_fail(EX_DATAERR, "\"%s\": a host name cannot be refused, since a client without a name would "
                                            "escape; refuse its addresses", task->texts[i]);
    if (task->kind->table == RULE_LOCAL_LIST && value && strcmp(value, "yes") != 0 && strcmp(value, "no") != 0)
        return cli_fail(EX_DATAERR, "--remote-mail: \"%s\" is neither yes nor no", value);
    if (task->kind->table == RULE_LOCAL_USER && value) {
        int r = rule_key_parse(&account, RULE_LOCAL_USER, str_of(value), &error);
        rule_key_fini(&account);
        if (r < 0)
            return cli_fail(cli_status_of(r), "--account: %s", error.text);
    }
    return STATUS_DONE;
}

static int read_task(struct cli *cli, struct task *task, int argc, char **argv, const struct option *all_options)
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
        status = read_client(task);
    if (status == STATUS_DONE)
        status = read_keys(task, argc - optind - 1, argv + optind + 1);
    return status;
}

/* Rows that are there. */

struct found {
    int key; /* which of the task's */
    struct stored_row row;
    char *texts; /* holds the row's */
};

struct search {
    const struct task *task;
    bool whole_sender; /* for accept: whatever the client */
    struct key_map wanted;
    struct found *found;
    size_t n, size;
};

static void search_fini(struct search *search)
{
    for (size_t i = 0; i < search->n; i++)
        free(search->found[i].texts);
    free(search->found);
    key_map_fini(&search->wanted, NULL);
}

static int keep(struct search *search, int key, const struct stored_row *row)
{
    if (search->n == search->size) {
        size_t size = search->size ? search->size * 2 : 8;
        struct found *wider = realloc(search->found, size * sizeof *wider);
        if (!wider)
            return -ENOMEM;
        search->found = wider;
        search->size = size;
    }
    const char *value = row->value ? row->value : "";
    size_t key_n = strlen(row->key) + 1, client_n = strlen(row->client) + 1, value_n = strlen(value) + 1;
    char *texts = malloc(key_n + client_n + value_n);
    if (!texts)
        return -ENOMEM;
    struct found *found = &search->found[search->n++];
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
    if (*client && task->client.text) {
        same = rule_key_parse(&key, RULE_ACCESS_BLOCK, str_of(client), NULL) == 0 &&
               strcmp(key.text, task->client.text) == 0;
        rule_key_fini(&key);
    }
    return same;
}

static int visit_stored(void *context, const struct stored_row *row)
{
    struct search *search = context;
    struct rule_key key;
    int r = rule_key_parse(&key, search->task->kind->table, str_of(row->key), NULL);
    const struct rule_key *wanted = r == 0 ? key_map_get(&search->wanted, 0, str_of(key.text)) : NULL;
    rule_key_fini(&key);
    if (!wanted || (!search->whole_sender && !is_same_client(search->task, row->client)))
        return r == -ENOMEM ? r : 0;
    return keep(search, (int)(wanted - search->task->keys), row);
}

/* All rows whose keys mean the same as one of the task's. */
static int find_stored(struct search *search, struct rule_db *db, struct error *error)
{
    const struct task *task = search->task;
    for (int i = 0; i < task->n_keys; i++) {
        void **place = key_map_put(&search->wanted, 0, str_of(task->keys[i].text));
        if (!place)
            return error_set(error, -ENOMEM, "out of memory");
        *place = &task->keys[i];
    }
    return rule_edit_walk(db, task->kind->table, visit_stored, search, error);
}

/* Adding. */

static bool has_value(const struct task *task, const struct stored_row *row)
{
    return strcmp(task->row.value ? task->row.value : "", row->value) == 0;
}

static bool is_expired(const struct task *task, const struct stored_row *row)
{
    return row->has_expiry && row->expires <= task->now;
}

static int refuse_other_value(const struct task *task, const struct found *found)
{
    const struct kind *is = kind_of(task->kind->table, found->row.value);
    const char *column = rule_tables[task->kind->table].value;
    return cli_fail(STATUS_REFUSED, "\"%s\" is there already, with %s \"%s\"; to turn it, first: gatepost remove %s %s",
                    task->texts[found->key], column ? column : "value", found->row.value, is->name,
                    task->keys[found->key].text);
}

/* Says what has been made of a key, where that is not what was written. */
static void print_done(const char *what, const struct task *task, int i)
{
    const struct rule_key *key = &task->keys[i];
    printf("%s %s ", what, task->kind->name);
    cli_put(stdout, key->text);
    if (task->row.client[0])
        printf(" from %s", task->row.client);
    if (strcmp(key->text, task->texts[i]) != 0) {
        printf(" (written ");
        cli_put(stdout, task->texts[i]);
        printf("%s)", key->is_block && key->block.host_bits ? "; bits below the mask are cleared" : "");
    }
    if (task->row.expires != RULE_NEVER_EXPIRES) {
        char until[TIMES_TEXT_SIZE];
        times_format(task->row.expires, until);
        printf(" until %s", until);
    }
    fputc('\n', stdout);
}

/* Writes one key; there says which rows mean the same. */
static int add_key(struct rule_edit *edit, const struct task *task, const struct search *there, int i,
                   struct error *error)
{
    struct new_row row = task->row;
    bool renewed = false;
    int r = 0;
    row.key = task->keys[i].text;
    for (size_t f = 0; f < there->n && r == 0; f++) {
        const struct found *found = &there->found[f];
        if (strcmp(task->keys[found->key].text, row.key) != 0)
            continue;
        if (is_expired(task, &found->row)) {
            r = rule_edit_delete(edit, row.table, found->row.rowid, error);
        } else {
            r = rule_edit_renew(edit, found->row.rowid, &row, error);
            renewed = true;
        }
    }
    return r < 0 || renewed ? r : rule_edit_insert(edit, &row, error);
}

static bool is_repeated(const struct task *task, int i)
{
    for (int j = 0; j < i; j++)
        if (strcmp(task->keys[j].text, task->keys[i].text) == 0)
            return true;
    return false;
}

static int add_all(struct task *task, struct rule_db *db)
{
    struct error error;
    struct rule_edit edit;
    struct search there = { .task = task };
    int status = STATUS_DONE;
    int r = rule_edit_begin(&edit, db, &error);
    if (r < 0)
        return cli_fail(cli_status_of(r), "%s", error.text);
    r = find_stored(&there, db, &error);
    for (size_t f = 0; f < there.n && r == 0 && status == STATUS_DONE; f++)
        if (!is_expired(task, &there.found[f].row) && !has_value(task, &there.found[f].row))
            status = refuse_other_value(task, &there.found[f]);
    for (int i = 0; i < task->n_keys && r == 0 && status == STATUS_DONE; i++)
        if (!is_repeated(task, i))
            r = add_key(&edit, task, &there, i, &error);
    if (r == 0 && status == STATUS_DONE)
        r = rule_edit_commit(&edit, cli_user(), &error);
    if (r < 0)
        status = cli_fail(cli_status_of(r), "%s", error.text);
    rule_edit_rollback(&edit);
    for (int i = 0; i < task->n_keys && status == STATUS_DONE; i++)
        print_done("added", task, i);
    search_fini(&there);
    return status;
}

static int check_accept(const struct task *task)
{
    if ((task->kind->options & KIND_HAS_CLIENT) == 0 || task->client_text)
        return STATUS_DONE;
    if (!task->any_client)
        return cli_usage("accept wants --client BLOCK, or --any-client: then anybody who forges such a sender can relay "
                         "through this server");
    (void)cli_fail(0, "note: anybody who forges such a sender can now relay through this server");
    return STATUS_DONE;
}

static int run_add(struct cli *cli, int argc, char **argv, const struct option *all_options)
{
    struct task task;
    struct rule_db *db = NULL;
    int status = read_task(cli, &task, argc, argv, all_options);
    if (status == STATUS_DONE)
        status = check_accept(&task);
    if (status == STATUS_DONE)
        status = check_value(&task);
    if (status == STATUS_DONE)
        status = cli_open(cli, RULE_DB_EXPECT, &db);
    if (status == STATUS_DONE)
        status = add_all(&task, db);
    rule_db_close(db);
    task_fini(&task);
    return status;
}

static const struct option add_options[] = {
    { "for", required_argument, NULL, OPTION_FOR },
    { "until", required_argument, NULL, OPTION_UNTIL },
    { "note", required_argument, NULL, OPTION_NOTE },
    { "client", required_argument, NULL, OPTION_CLIENT },
    { "any-client", no_argument, NULL, OPTION_ANY_CLIENT },
    { "relay", no_argument, NULL, OPTION_RELAY },
    { "account", required_argument, NULL, OPTION_ACCOUNT },
    { "remote-mail", required_argument, NULL, OPTION_REMOTE_MAIL },
    { NULL, 0, NULL, 0 },
};

const struct command add_command = {
    "add",
    "KIND KEY... [--for 2h] [--until TIME] [--note TEXT] [--client BLOCK | --any-client] [--relay] [--account NAME] "
    "[--remote-mail yes|no]",
    "Adds rules, all or none; KIND is deny, allow, grant, refuse, kill, accept, domain, user or list.",
    "gatepost add deny 203.0.113.0/24 --for 2h --note \"port scans\"",
    add_options,
    run_add,
};

/* Removing. */

/* Of accept entries without --client: the only one for the sender, whatever its client. */
static int choose_clients(struct task *task, const struct search *there)
{
    for (int i = 0; i < task->n_keys; i++) {
        size_t n = 0;
        for (size_t f = 0; f < there->n; f++)
            n += there->found[f].key == i;
        if (n > 1)
            return cli_fail(STATUS_REFUSED, "\"%s\" is there for %zu clients: say --client BLOCK or --any-client; "
                                            "gatepost list accept shows them", task->texts[i], n);
    }
    return STATUS_DONE;
}

/* Each key must be there, with the kind's value. */
static int check_found(const struct task *task, const struct search *there)
{
    for (int i = 0; i < task->n_keys; i++) {
        bool found = false;
        for (size_t f = 0; f < there->n; f++) {
            const struct found *row = &there->found[f];
            if (strcmp(task->keys[row->key].text, task->keys[i].text) != 0)
                continue;
            found = true;
            const struct kind *is = kind_of(task->kind->table, row->row.value);
            if (is != task->kind)
                return cli_fail(STATUS_REFUSED, "\"%s\" is there as %s, not as %s: gatepost remove %s %s", task->texts[i],
                                is->name, task->kind->name, is->name, task->keys[i].text);
        }
        if (!found)
            return cli_fail(STATUS_REFUSED, "%s \"%s\" is not there; gatepost list %s shows what is", task->kind->name,
                            task->texts[i], task->kind->name);
    }
    return STATUS_DONE;
}

static int remove_all(struct task *task, struct rule_db *db)
{
    struct error error;
    struct rule_edit edit;
    bool named = task->client_text || task->any_client;
    struct search there = { .task = task, .whole_sender = (task->kind->options & KIND_HAS_CLIENT) && !named };
    int status = STATUS_DONE;
    int r = rule_edit_begin(&edit, db, &error);
    if (r < 0)
        return cli_fail(cli_status_of(r), "%s", error.text);
    r = find_stored(&there, db, &error);
    if (r == 0)
        status = check_found(task, &there);
    if (r == 0 && status == STATUS_DONE && there.whole_sender)
        status = choose_clients(task, &there);
    for (size_t f = 0; f < there.n && r == 0 && status == STATUS_DONE; f++)
        r = rule_edit_delete(&edit, task->kind->table, there.found[f].row.rowid, &error);
    if (r == 0 && status == STATUS_DONE)
        r = rule_edit_commit(&edit, cli_user(), &error);
    if (r < 0)
        status = cli_fail(cli_status_of(r), "%s", error.text);
    rule_edit_rollback(&edit);
    for (size_t f = 0; f < there.n && status == STATUS_DONE; f++) {
        printf("removed %s ", task->kind->name);
        cli_put(stdout, there.found[f].row.key);
        printf("%s%s\n", there.found[f].row.client[0] ? " from " : "", there.found[f].row.client);
    }
    search_fini(&there);
    return status;
}

static int run_remove(struct cli *cli, int argc, char **argv, const struct option *all_options)
{
    struct task task;
    struct rule_db *db = NULL;
    int status = read_task(cli, &task, argc, argv, all_options);
    if (status == STATUS_DONE)
        status = cli_open(cli, RULE_DB_EXPECT, &db);
    if (status == STATUS_DONE)
        status = remove_all(&task, db);
    rule_db_close(db);
    task_fini(&task);
    return status;
}

static const struct option remove_options[] = {
    { "client", required_argument, NULL, OPTION_CLIENT },
    { "any-client", no_argument, NULL, OPTION_ANY_CLIENT },
    { NULL, 0, NULL, 0 },
};

const struct command remove_command = {
    "remove",
    "KIND KEY... [--client BLOCK | --any-client]",
    "Removes rules, all or none, in whatever spelling they are stored.",
    "gatepost remove deny 203.0.113.0/24",
    remove_options,
    run_remove,
};
