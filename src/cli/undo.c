/*
 * gatepost undo.
 */
#include "cli/change_list.h"
#include "cli/change_words.h"
#include "cli/command.h"
#include "cli/undo_conflict.h"
#include "console/danger.h"
#include "console/progress.h"
#include "console/seq_range.h"
#include "store/rule_undo.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <time.h>

enum { OPTION_YES = 0x100, OPTION_DRY_RUN };

struct undoing {
    struct seq_range *ranges; /* owned */
    size_t n_ranges;
    bool yes, dry_run;
    struct rule_db *db;
    struct rule_edit edit;
    struct rule_undo *undo;
    int64_t n_taken, n_seen;
    struct progress progress;
    struct undo_conflicts conflicts;
    struct error error;
};

/* What the log has. */

/* The log has not all of the range, or none. */
static int refuse_range(const struct seq_range *range, const struct seq_range *log)
{
    struct seq_range part = { range->first > log->first ? range->first : log->first,
                              range->last < log->last ? range->last : log->last };
    char asked[SEQ_RANGE_TEXT_SIZE], held[SEQ_RANGE_TEXT_SIZE], left[SEQ_RANGE_TEXT_SIZE];
    seq_range_format(range, asked);
    seq_range_format(log, held);
    seq_range_format(&part, left);
    if (log->last == 0)
        return cli_fail(STATUS_REFUSED, "change %s: the log holds no change at all", asked);
    if (part.first > part.last)
        return cli_fail(STATUS_REFUSED, "change %s is not in the log, which holds %s: %s", asked, held,
                        range->last < log->first ? "it is older than the newest 100,000 changes"
                                                 : "it has not been made yet");
    return cli_fail(STATUS_REFUSED,
                    "of the changes %s the log holds only %s, so nothing has been undone; to undo those alone: "
                    "gatepost undo %s",
                    asked, left, left);
}

/* Takes what is to be undone. Returns 0; a negative errno with the fault in the error; or after a message an exit
 * status. */
static int take(struct undoing *undoing)
{
    struct seq_range log;
    int r = rule_undo_find_ends(undoing->undo, &log.first, &log.last, &undoing->error);
    for (size_t i = 0; i < undoing->n_ranges && r == 0; i++) {
        const struct seq_range *range = &undoing->ranges[i];
        int64_t n = 0;
        if (range->first < log.first || range->last > log.last)
            return refuse_range(range, &log);
        r = rule_undo_take(undoing->undo, range->first, range->last, &n, &undoing->error);
        if (r == 0 && n == 0)
            return cli_fail(STATUS_REFUSED, "the log has no change %" PRId64, range->first);
        undoing->n_taken += n;
    }
    return r;
}

/* Undoing. */

static int undo_one(void *context, const struct logged_change *change)
{
    struct undoing *undoing = context;
    enum rule_undo_outcome outcome;
    int r = rule_undo_change(undoing->undo, change, &outcome, &undoing->error);
    if (r < 0)
        return error_prefix(&undoing->error, r, "change %" PRId64 " cannot be undone", change->seq);
    progress_at(&undoing->progress, (uint64_t)++undoing->n_seen);
    return outcome == RULE_UNDONE ? 0 : undo_conflict_tell(&undoing->conflicts, change, outcome, &undoing->error);
}

static int undo_all(struct undoing *undoing)
{
    undoing->conflicts = (struct undo_conflicts){
        .db = undoing->db, .ranges = undoing->ranges, .n_ranges = undoing->n_ranges, .last_seq = undoing->edit.first_seq
    };
    progress_begin(&undoing->progress, "undoing", (uint64_t)undoing->n_taken);
    undoing->conflicts.progress = &undoing->progress;
    int r = rule_log_walk(undoing->db, &rule_undo_taken, undo_one, undoing, &undoing->error);
    progress_end(&undoing->progress);
    return r == 0 && undoing->conflicts.n > 0 ? undo_conflicts_end(&undoing->conflicts) : r;
}

static int check_danger(struct undoing *undoing)
{
    struct rule_undo_opened opened;
    if (undoing->yes)
        return 0;
    int r = rule_undo_find_opened(undoing->undo, (int64_t)time(NULL), &opened, &undoing->error);
    if (r == 0 && opened.relay_for[0] && danger_is_relay_for(opened.relay_for))
        return danger_refuse_relay_for(opened.relay_for);
    if (r == 0 && opened.n_senders > 0)
        return cli_fail(STATUS_REFUSED, "this puts back %s%s from anywhere: %s. If that is wanted, say --yes",
                        opened.n_senders > 1 ? "accept entries such as " : "accept ", opened.sender_text,
                        danger_of_forging);
    return r;
}

/* What it has made of the rules, as history tells it. */

struct listing {
    struct change_list list;
    int64_t last_seq;
};

static int list_one(void *context, const struct logged_change *change)
{
    struct listing *listing = context;
    listing->last_seq = change->seq;
    return change_list_add(&listing->list, change);
}

/* The caller frees *text. */
static int list_done(struct undoing *undoing, char **text, struct seq_range *done)
{
    struct rule_log_part part = { "rule_change", undoing->edit.first_seq + 1, INT64_MAX, false };
    size_t text_n = 0;
    FILE *out = open_memstream(text, &text_n);
    if (!out)
        return error_set(&undoing->error, -ENOMEM, "out of memory");
    struct listing listing = { .list = { .out = out, .plain = true }, .last_seq = part.first };
    error_set(&undoing->error, 0, "out of memory");
    int r = rule_log_walk(undoing->db, &part, list_one, &listing, &undoing->error);
    change_list_end(&listing.list);
    *done = (struct seq_range){ part.first, listing.last_seq };
    if (fclose(out) != 0 && r == 0)
        r = error_set(&undoing->error, -ENOMEM, "out of memory");
    return r;
}

static void print_done(const struct undoing *undoing, const char *text, const struct seq_range *done)
{
    char range[SEQ_RANGE_TEXT_SIZE];
    const char *s = undoing->n_taken == 1 ? "" : "s";
    fputs(text, stdout);
    seq_range_format(done, range);
    if (undoing->dry_run)
        printf("would undo %" PRId64 " change%s\n", undoing->n_taken, s);
    else
        printf("undid %" PRId64 " change%s; to take that back: gatepost undo %s\n", undoing->n_taken, s, range);
}

/* All within the transaction. Returns 0, a negative errno with the fault in the error, or after a message an exit
 * status. */
static int undo_in_transaction(struct undoing *undoing, const char *by)
{
    char *text = NULL;
    struct seq_range done;
    int r = rule_undo_open(&undoing->undo, &undoing->edit, &undoing->error);
    if (r == 0)
        r = take(undoing);
    if (r == 0)
        r = undo_all(undoing);
    if (r == 0)
        r = list_done(undoing, &text, &done);
    int danger = r == 0 ? check_danger(undoing) : 0;
    rule_undo_close(undoing->undo);
    if (r == 0 && !undoing->dry_run)
        r = danger;
    if (r == 0 && !undoing->dry_run)
        r = rule_edit_commit(&undoing->edit, by, &undoing->error);
    rule_edit_rollback(&undoing->edit);
    if (r == 0)
        print_done(undoing, text, &done);
    free(text);
    return r == 0 ? danger : r;
}

static int run_in_database(struct undoing *undoing, struct cli *cli)
{
    int status = cli_open(cli, DATABASE_EXPECT, &undoing->db);
    if (status != STATUS_DONE)
        return status;
    int r = rule_edit_begin(&undoing->edit, undoing->db, &undoing->error);
    if (r == 0)
        r = undo_in_transaction(undoing, cli_by(cli));
    rule_db_close(undoing->db);
    return r < 0 ? cli_fail(cli_status_of(r), "%s", undoing->error.text) : r;
}

/* Arguments. */

static int read_ranges(struct undoing *undoing, int n, char **texts)
{
    if (n == 0)
        return cli_usage("undo takes numbers of changes, such as 17 or 17-1016; gatepost history shows them");
    undoing->ranges = calloc((size_t)n, sizeof *undoing->ranges);
    if (!undoing->ranges)
        return cli_fail(EX_OSERR, "out of memory");
    for (int i = 0; i < n; i++)
        if (seq_range_parse(texts[i], &undoing->ranges[i], &undoing->error) < 0)
            return cli_fail(EX_DATAERR, "%s", undoing->error.text);
    undoing->n_ranges = seq_ranges_join(undoing->ranges, (size_t)n);
    return STATUS_DONE;
}

static int run_undo(struct cli *cli, int argc, char **argv, const struct option *all_options)
{
    struct undoing undoing = { .yes = false };
    for (int c; (c = cli_next_option(cli, argc, argv, all_options)) != -1;) {
        if (c != OPTION_YES && c != OPTION_DRY_RUN)
            return STATUS_USAGE;
        undoing.yes = undoing.yes || c == OPTION_YES;
        undoing.dry_run = undoing.dry_run || c == OPTION_DRY_RUN;
    }
    int status = read_ranges(&undoing, argc - optind, argv + optind);
    if (status == STATUS_DONE)
        status = run_in_database(&undoing, cli);
    free(undoing.ranges);
    return status;
}

static const struct option undo_options[] = {
    { "dry-run", no_argument, NULL, OPTION_DRY_RUN },
    { "yes", no_argument, NULL, OPTION_YES },
    { NULL, 0, NULL, 0 },
};

const struct command undo_command = {
    "undo",
    "SEQ... [--dry-run] [--yes]",
    "Takes changes back, all or none; SEQ is a number that history shows, or a range of them.",
    "gatepost undo 17-1016",
    undo_options,
    run_undo,
};
