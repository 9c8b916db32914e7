/*
 * gatepost history.
 */
#include "cli/change_list.h"
#include "cli/change_words.h"
#include "cli/command.h"
#include "console/kind.h"
#include "console/times.h"
#include "core/settings.h"

#include <errno.h>
#include <string.h>
#include <time.h>

enum { OPTION_SINCE = 0x100, OPTION_ALL };

/* What is asked for. */
struct history {
    enum rule_table table;   /* RULE_TABLE_COUNT: all */
    const struct kind *kind; /* NULL: all of the table */
    const char *key;         /* as given; NULL: all */
    struct rule_key wanted;  /* the same, understood; its text is NULL where it cannot be */
    struct error not_understood;
    int64_t since;  /* INT64_MIN: ever */
    const char *by; /* NULL: anybody; "": whoever did not say */
    bool json;
    int64_t n; /* changes found */
    struct change_list list;
};

/* Choosing. */

/* Returns 1, 0 or -ENOMEM. */
static int is_wanted_row(const struct history *history, const struct logged_row *side)
{
    struct rule_key key;
    if (!side->there || !side->sound)
        return 0;
    if (history->kind && kind_of(history->table, side->row.value) != history->kind)
        return 0;
    if (!history->key || strcmp(side->row.key, history->key) == 0)
        return 1;
    if (!history->wanted.text)
        return 0;
    int r = rule_key_parse(&key, history->table, str_of(side->row.key), NULL);
    bool same = r == 0 && strcmp(key.text, history->wanted.text) == 0;
    rule_key_fini(&key);
    return r == -ENOMEM ? r : same;
}

/* A change that makes no sense belongs to what its table and key say. */
static int is_wanted(const struct history *history, const struct logged_change *change)
{
    if (change->at < history->since)
        return 0;
    if (history->by && strcmp(history->by, change->by ? change->by : "") != 0)
        return 0;
    if (history->table == RULE_TABLE_COUNT)
        return 1;
    if (history->table != change->table)
        return 0;
    if (!change->sound)
        return !history->key || strcmp(change->key, history->key) == 0;
    int r = is_wanted_row(history, &change->old);
    return r == 0 ? is_wanted_row(history, &change->new) : r;
}

static int visit(void *context, const struct logged_change *change)
{
    struct history *history = context;
    int r = is_wanted(history, change);
    if (r <= 0)
        return r;
    if (history->json) {
        fputs(history->n ? ",\n " : " ", stdout);
        change_words_write_json(stdout, change);
    } else {
        r = change_list_add(&history->list, change);
    }
    history->n++;
    return r < 0 ? r : ferror(stdout) ? -EPIPE : 0;
}

static int print_changes(struct history *history, struct rule_db *db)
{
    static const struct rule_log_part whole = { "rule_change", INT64_MIN, INT64_MAX, false };
    struct error error = { "out of memory" };
    if (history->json)
        fputs("[\n", stdout);
    int r = rule_log_walk(db, &whole, visit, history, &error);
    change_list_end(&history->list);
    if (history->json)
        fputs("\n]\n", stdout);
    if (r < 0 && r != -EPIPE) /* of which cli_finish tells */
        return cli_fail(cli_status_of(r), "%s", error.text);
    if (history->n > 0 || !history->key)
        return STATUS_DONE;
    if (history->table != RULE_SETTING && !history->wanted.text)
        return cli_fail(EX_DATAERR, "%s", history->not_understood.text);
    return cli_fail(STATUS_REFUSED, "the log has no such change of \"%s\"; it holds the newest 100,000 changes",
                    history->key);
}

/* Arguments. */

static int read_since(struct history *history, const char *text)
{
    int64_t span;
    if (times_parse_span(text, &span, NULL) == 0)
        history->since = (int64_t)time(NULL) - span;
    else if (times_parse_moment(text, &history->since, NULL) < 0)
        return cli_fail(EX_DATAERR,
                        "--since: \"%s\" is neither a span of time nor a time: write 2h, 7d, Unix seconds or "
                        "2026-12-31T18:00",
                        text);
    return STATUS_DONE;
}

static int read_key(struct history *history, const char *key)
{
    history->key = key;
    if (history->table == RULE_SETTING)
        return setting_by_name(str_of(key)) != SETTING_NONE
                   ? STATUS_DONE
                   : cli_fail(STATUS_REFUSED, "there is no setting \"%s\"; gatepost get lists them all", key);
    /* Rows that are not understood have a history too: then the key is compared letter by letter. */
    int r = rule_key_parse(&history->wanted, history->table, str_of(key), &history->not_understood);
    if (r < 0)
        rule_key_fini(&history->wanted);
    return r == -ENOMEM ? cli_fail(EX_OSERR, "out of memory") : STATUS_DONE;
}

static int read_kind(struct history *history, const char *name)
{
    if (strcmp(name, rule_tables[RULE_SETTING].name) == 0) {
        history->table = RULE_SETTING;
        return STATUS_DONE;
    }
    history->kind = kind_find(name);
    if (!history->kind)
        return cli_usage("there is no kind \"%s\": it is setting, %s", name, kind_names);
    history->table = history->kind->table;
    return STATUS_DONE;
}

static int read_arguments(struct cli *cli, struct history *history, int argc, char **argv,
                          const struct option *all_options)
{
    int status = STATUS_DONE;
    for (int c; status == STATUS_DONE && (c = cli_next_option(cli, argc, argv, all_options)) != -1;) {
        if (c == OPTION_SINCE)
            status = read_since(history, optarg);
        else if (c == OPTION_ALL)
            history->list.all = true;
        else
            status = STATUS_USAGE;
    }
    history->by = cli->by;
    history->json = cli->json;
    if (status == STATUS_DONE && argc - optind > 2)
        status = cli_usage("history takes a kind and a key, or a kind, or none for all");
    if (status == STATUS_DONE && optind < argc)
        status = read_kind(history, argv[optind]);
    if (status == STATUS_DONE && optind + 1 < argc)
        status = read_key(history, argv[optind + 1]);
    return status;
}

static int run_history(struct cli *cli, int argc, char **argv, const struct option *all_options)
{
    struct history history = { .table = RULE_TABLE_COUNT, .since = INT64_MIN, .list.out = stdout };
    struct rule_db *db = NULL;
    int status = read_arguments(cli, &history, argc, argv, all_options);
    if (status == STATUS_DONE)
        status = cli_open(cli, DATABASE_EXPECT, &db);
    if (status == STATUS_DONE)
        status = print_changes(&history, db);
    rule_db_close(db);
    rule_key_fini(&history.wanted);
    return status;
}

static const struct option history_options[] = {
    { "since", required_argument, NULL, OPTION_SINCE },
    { "all", no_argument, NULL, OPTION_ALL },
    { NULL, 0, NULL, 0 },
};

const struct command history_command = {
    "history",
    "[KIND [KEY]] [--since SPAN|TIME] [--by NAME] [--all] [--json]",
    "Prints who changed what and when, the newest last; KIND may also be setting.",
    "gatepost history deny 203.0.113.0/24 --since 30d",
    history_options,
    run_history,
};
