/*
 * gatepost list.
 */
#include "cli/cli.h"
#include "cli/kind.h"
#include "cli/paint.h"
#include "cli/rule_line.h"
#include "store/rule_edit.h"

#include <errno.h>
#include <string.h>
#include <time.h>

enum { OPTION_EXPIRED = 0x100 };

struct listing {
    const struct kind *kind; /* NULL: all */
    enum rule_table table;
    bool only_expired, json;
    int64_t now;
    size_t n;
};

static void print_json(const struct listing *listing, const struct kind *kind, const struct stored_row *row)
{
    fputs(listing->n ? ",\n " : " ", stdout);
    rule_line_write_json(stdout, kind, row);
}

static void print_text(const struct listing *listing, const struct kind *kind, const struct stored_row *row)
{
    bool expired = row->has_expiry && row->expires <= listing->now;
    printf("%s%-7s ", expired ? paint(stdout, PAINT_FAINT) : "", kind->name);
    rule_line_show(stdout, kind, row, listing->now);
    printf("%s\n", expired ? paint(stdout, PAINT_OFF) : "");
}

static int visit(void *context, const struct stored_row *row)
{
    struct listing *listing = context;
    const struct kind *kind = kind_of(listing->table, row->value);
    if (listing->kind && listing->kind != kind)
        return 0;
    if (listing->only_expired && !(row->has_expiry && row->expires <= listing->now))
        return 0;
    if (listing->json)
        print_json(listing, kind, row);
    else
        print_text(listing, kind, row);
    listing->n++;
    return ferror(stdout) ? -EPIPE : 0;
}

static int list_tables(struct listing *listing, struct rule_db *db, struct error *error)
{
    int r = rule_db_exec(db, "BEGIN", error);
    if (listing->json)
        fputs("[\n", stdout);
    for (int table = RULE_SETTING + 1; table < RULE_TABLE_COUNT && r == 0; table++) {
        listing->table = (enum rule_table)table;
        if (!listing->kind || listing->kind->table == listing->table)
            r = rule_edit_walk(db, listing->table, visit, listing, error);
    }
    if (listing->json)
        fputs("\n]\n", stdout);
    return r == -EPIPE ? 0 : r; /* cli_finish says so */
}

static int run_list(struct cli *cli, int argc, char **argv, const struct option *all_options)
{
    struct listing listing = { .now = (int64_t)time(NULL) };
    struct rule_db *db = NULL;
    struct error error;
    for (int c; (c = cli_next_option(cli, argc, argv, all_options)) != -1;) {
        if (c != OPTION_EXPIRED)
            return STATUS_USAGE;
        listing.only_expired = true;
    }
    listing.json = cli->json;
    if (argc - optind > 1)
        return cli_usage("list takes one kind, or none for all");
    if (optind < argc && !(listing.kind = kind_by_name(argv[optind])))
        return STATUS_USAGE;
    int status = cli_open(cli, DATABASE_EXPECT, &db);
    if (status != STATUS_DONE)
        return status;
    int r = list_tables(&listing, db, &error);
    if (r < 0)
        status = cli_fail(cli_status_of(r), "%s", error.text);
    rule_db_close(db);
    return status;
}

static const struct option list_options[] = {
    { "expired", no_argument, NULL, OPTION_EXPIRED },
    { NULL, 0, NULL, 0 },
};

const struct command list_command = {
    "list",
    "[KIND] [--expired] [--json]",
    "Prints the rules, of one kind or all.",
    "gatepost list deny",
    list_options,
    run_list,
};
