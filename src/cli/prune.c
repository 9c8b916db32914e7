/*
 * gatepost prune.
 */
#include "cli/command.h"
#include "console/kind.h"
#include "console/rule_line.h"
#include "console/times.h"
#include "store/rule_edit.h"

#include <errno.h>
#include <inttypes.h>
#include <time.h>

enum { OPTION_EXPIRED = 0x100, OPTION_OLDER_THAN, OPTION_DRY_RUN };

struct pruning {
    const struct kind *kind; /* NULL: all */
    bool dry_run, json;
    int64_t now, expired_by; /* what expired then or before goes */
    enum rule_table table;   /* that is being printed */
    int64_t n_printed, n_removed;
};

static bool concerns(const struct pruning *pruning, enum rule_table table)
{
    return !pruning->kind || pruning->kind->table == table;
}

static int print_row(void *context, const struct stored_row *row)
{
    struct pruning *pruning = context;
    const struct kind *kind = kind_of(pruning->table, row->value);
    if ((pruning->kind && pruning->kind != kind) || !row->has_expiry || row->expires > pruning->expired_by)
        return 0;
    if (pruning->json) {
        fputs(pruning->n_printed ? ",\n " : " ", stdout);
        rule_line_write_json(stdout, kind, row);
    } else {
        printf("%-7s ", kind->name);
        rule_line_show(stdout, kind, row, pruning->now);
        fputc('\n', stdout);
    }
    pruning->n_printed++;
    return ferror(stdout) ? -EPIPE : 0;
}

/* Prints what is to go, all of it before anything goes: then whoever reads slowly holds up no writer, and what cannot
 * be printed is not removed. */
static int print_rows(struct pruning *pruning, struct rule_db *db, struct error *error)
{
    int r = rule_db_exec(db, "BEGIN", error);
    if (pruning->json)
        fputs("[\n", stdout);
    for (int table = RULE_SETTING + 1; table < RULE_TABLE_COUNT && r == 0; table++) {
        pruning->table = (enum rule_table)table;
        if (concerns(pruning, pruning->table))
            r = rule_edit_walk(db, pruning->table, print_row, pruning, error);
    }
    if (pruning->json)
        fputs("\n]\n", stdout);
    if (r == 0)
        r = rule_db_exec(db, "COMMIT", error);
    return r;
}

/* The same rows, unless somebody has changed them meanwhile. */
static int remove_rows(struct pruning *pruning, struct rule_db *db, const char *by, struct error *error)
{
    struct rule_edit edit;
    int r = rule_edit_begin(&edit, db, error);
    if (r < 0)
        return r;
    for (int table = RULE_SETTING + 1; table < RULE_TABLE_COUNT && r == 0; table++)
        if (concerns(pruning, (enum rule_table)table))
            r = rule_edit_prune(&edit, (enum rule_table)table, pruning->kind ? pruning->kind->value : NULL,
                                pruning->expired_by, &pruning->n_removed, error);
    if (r == 0)
        r = rule_edit_commit(&edit, by, error);
    rule_edit_rollback(&edit);
    return r;
}

static int prune(struct pruning *pruning, struct cli *cli, struct rule_db *db)
{
    struct error error;
    int r = print_rows(pruning, db, &error);
    if (r == -EPIPE || fflush(stdout) != 0)
        return EX_IOERR; /* cli_finish says why, at the end */
    if (r == 0 && !pruning->dry_run && pruning->n_printed > 0)
        r = remove_rows(pruning, db, cli_by(cli), &error);
    if (r < 0)
        return cli_fail(cli_status_of(r), "%s", error.text);
    if (!pruning->json && pruning->dry_run)
        printf("would remove %" PRId64 " expired rule%s\n", pruning->n_printed, pruning->n_printed == 1 ? "" : "s");
    else if (!pruning->json)
        printf("removed %" PRId64 " expired rule%s\n", pruning->n_removed, pruning->n_removed == 1 ? "" : "s");
    if (!pruning->dry_run && pruning->n_removed != pruning->n_printed)
        (void)cli_fail(0, "note: somebody has changed rules meanwhile, so that others have been removed than printed; "
                          "gatepost history shows them");
    return STATUS_DONE;
}

/* Reads the options and the kind. Returns 0, or after a message an exit status. */
static int read_arguments(struct cli *cli, struct pruning *pruning, int argc, char **argv,
                          const struct option *all_options)
{
    struct error error;
    bool expired = false;
    int64_t older_than = 0;
    for (int c; (c = cli_next_option(cli, argc, argv, all_options)) != -1;) {
        if (c == OPTION_EXPIRED)
            expired = true;
        else if (c == OPTION_DRY_RUN)
            pruning->dry_run = true;
        else if (c != OPTION_OLDER_THAN)
            return STATUS_USAGE;
        else if (times_parse_span(optarg, &older_than, &error) < 0)
            return cli_fail(EX_DATAERR, "--older-than: %s", error.text);
    }
    pruning->expired_by = pruning->now - older_than;
    pruning->json = cli->json;
    if (!expired)
        return cli_usage("prune wants --expired, and removes nothing else");
    if (argc - optind > 1)
        return cli_usage("prune takes one kind, or none for all");
    return optind == argc || (pruning->kind = kind_by_name(argv[optind])) ? STATUS_DONE : STATUS_USAGE;
}

static int run_prune(struct cli *cli, int argc, char **argv, const struct option *all_options)
{
    struct pruning pruning = { .now = (int64_t)time(NULL) };
    struct rule_db *db = NULL;
    int status = read_arguments(cli, &pruning, argc, argv, all_options);
    if (status == STATUS_DONE)
        status = cli_open(cli, DATABASE_EXPECT, &db);
    if (status == STATUS_DONE)
        status = prune(&pruning, cli, db);
    rule_db_close(db);
    return status;
}

static const struct option prune_options[] = {
    { "expired", no_argument, NULL, OPTION_EXPIRED },
    { "older-than", required_argument, NULL, OPTION_OLDER_THAN },
    { "dry-run", no_argument, NULL, OPTION_DRY_RUN },
    { NULL, 0, NULL, 0 },
};

const struct command prune_command = {
    "prune",
    "[KIND] --expired [--older-than 30d] [--dry-run] [--json]",
    "Removes rules that have expired, of one kind or all, and prints them.",
    "gatepost prune --expired --older-than 30d",
    prune_options,
    run_prune,
};
