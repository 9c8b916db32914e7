/*
 * gatepost list.
 */
#include "cli/command.h"
#include "cli/row_hits.h"
#include "console/kind.h"
#include "console/paint.h"
#include "console/rule_line.h"
#include "console/times.h"
#include "store/rule_edit.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <time.h>

enum { OPTION_EXPIRED = 0x100, OPTION_HITS, OPTION_UNUSED };

enum { HITS_WIDTH = 8, TIME_WIDTH = 19 };

struct listing {
    const struct kind *kind; /* NULL: all */
    enum rule_table table;
    bool only_expired, with_hits, only_unused, json;
    int64_t now, unused_from; /* Unix seconds */
    struct row_hits hits;
    size_t n;
    struct error *error;
};

/* Of one row. */
struct hit_count {
    uint64_t n;
    int64_t last;
};

static void print_json(const struct listing *listing, const struct kind *kind, const struct stored_row *row,
                       const struct hit_count *hits)
{
    fputs(listing->n ? ",\n " : " ", stdout);
    if (!listing->with_hits) {
        rule_line_write_json(stdout, kind, row);
        return;
    }
    rule_line_begin_json(stdout, kind, row);
    if (listing->hits.db)
        printf(", \"hits\": %" PRIu64, hits->n);
    else
        fputs(", \"hits\": null", stdout);
    if (hits->n > 0)
        printf(", \"last\": %" PRId64 "}", hits->last);
    else
        fputs(", \"last\": null}", stdout);
}

static void print_text(const struct listing *listing, const struct kind *kind, const struct stored_row *row,
                       const struct hit_count *hits)
{
    bool expired = row->has_expiry && row->expires <= listing->now;
    char last[TIMES_TEXT_SIZE] = "never";
    printf("%s%-7s ", expired ? paint(stdout, PAINT_FAINT) : "", kind->name);
    if (hits->n > 0)
        times_format(hits->last, last);
    if (listing->with_hits)
        printf("%*" PRIu64 "  %-*s  ", HITS_WIDTH, hits->n, TIME_WIDTH, last);
    rule_line_show(stdout, kind, row, listing->now);
    printf("%s\n", expired ? paint(stdout, PAINT_OFF) : "");
}

static bool is_wanted(const struct listing *listing, const struct stored_row *row, const struct hit_count *hits)
{
    if (listing->only_expired && !(row->has_expiry && row->expires <= listing->now))
        return false;
    return !listing->only_unused || (row->created <= listing->unused_from && hits->last <= listing->unused_from);
}

static int visit(void *context, const struct stored_row *row)
{
    struct listing *listing = context;
    const struct kind *kind = kind_of(listing->table, row->value);
    struct hit_count hits;
    if (listing->kind && listing->kind != kind)
        return 0;
    int r = row_hits_find(&listing->hits, listing->table, row, &hits.n, &hits.last, listing->error);
    if (r < 0 || !is_wanted(listing, row, &hits))
        return r;
    if (listing->json)
        print_json(listing, kind, row, &hits);
    else
        print_text(listing, kind, row, &hits);
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

static int read_options(struct cli *cli, struct listing *listing, int argc, char **argv,
                        const struct option *all_options)
{
    struct error error;
    int64_t span;
    for (int c; (c = cli_next_option(cli, argc, argv, all_options)) != -1;) {
        switch (c) {
        case OPTION_EXPIRED:
            listing->only_expired = true;
            break;
        case OPTION_HITS:
            listing->with_hits = true;
            break;
        case OPTION_UNUSED:
            if (times_parse_span(optarg, &span, &error) < 0)
                return cli_fail(EX_DATAERR, "%s", error.text);
            listing->only_unused = true;
            listing->unused_from = listing->now - span;
            break;
        default:
            return STATUS_USAGE;
        }
    }
    listing->json = cli->json;
    if (argc - optind > 1)
        return cli_usage("list takes one kind, or none for all");
    return optind < argc && !(listing->kind = kind_by_name(argv[optind])) ? STATUS_USAGE : STATUS_DONE;
}

static int open_hits(struct cli *cli, struct listing *listing)
{
    if (!listing->with_hits && !listing->only_unused)
        return STATUS_DONE;
    int status = row_hits_open(&listing->hits, cli);
    if (status == STATUS_DONE && listing->only_unused)
        row_hits_warn(&listing->hits, listing->unused_from);
    return status;
}

static int run_list(struct cli *cli, int argc, char **argv, const struct option *all_options)
{
    struct error error;
    struct listing listing = { .now = (int64_t)time(NULL), .error = &error };
    struct rule_db *db = NULL;
    int status = read_options(cli, &listing, argc, argv, all_options);
    if (status == STATUS_DONE)
        status = cli_open(cli, DATABASE_EXPECT, &db);
    if (status == STATUS_DONE)
        status = open_hits(cli, &listing);
    if (status == STATUS_DONE) {
        int r = list_tables(&listing, db, &error);
        if (r < 0)
            status = cli_fail(cli_status_of(r), "%s", error.text);
    }
    row_hits_close(&listing.hits);
    rule_db_close(db);
    return status;
}

static const struct option list_options[] = {
    { "expired", no_argument, NULL, OPTION_EXPIRED },
    { "hits", no_argument, NULL, OPTION_HITS },
    { "unused", required_argument, NULL, OPTION_UNUSED },
    { NULL, 0, NULL, 0 },
};

const struct command list_command = {
    "list",
    "[KIND] [--hits] [--unused 90d] [--expired] [--json]",
    "Prints the rules, of one kind or all.",
    "gatepost list deny --unused 90d",
    list_options,
    run_list,
};
