#include "cli/undo_conflict.h"

#include "cli/change_words.h"
#include "console/cli.h"
#include "console/times.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* The search for what stands in the way of one change. */
struct search {
    struct undo_conflicts *conflicts;
    const struct logged_change *change;
    const struct logged_row *row; /* where it was not as it should be */
    enum rule_undo_outcome outcome;
    int n_told;
    bool known; /* something stands in the way that has been told of */
};

/* The caller frees the text; NULL where memory is short. */
static char *words_of(const struct logged_change *change)
{
    char *text = NULL;
    size_t text_n = 0;
    FILE *out = open_memstream(&text, &text_n);
    if (!out)
        return NULL;
    change_words_write(out, change);
    if (fclose(out) == 0)
        return text;
    free(text);
    return NULL;
}

static int tell_heading(const struct undo_conflicts *conflicts, const struct logged_change *change, const char *why)
{
    char *words = words_of(change);
    if (!words)
        return -ENOMEM;
    progress_end(conflicts->progress);
    (void)cli_fail(0, "change %" PRId64 " cannot be undone (%.300s): %s", change->seq, words, why);
    free(words);
    return 0;
}

static int tell_later(const struct logged_change *change)
{
    char when[TIMES_TEXT_SIZE], *words = words_of(change);
    if (!words)
        return -ENOMEM;
    times_format(change->at, when);
    (void)cli_fail(0, "  %" PRId64 "  %s  %s  %s", change->seq, when, change_who(change), words);
    free(words);
    return 0;
}

static const char *why_not(const struct search *search, bool logged)
{
    bool is_changed = search->outcome == RULE_UNDO_CHANGED;
    if (logged && search->change->table == RULE_SETTING)
        return "the setting has been changed since:";
    if (logged)
        return is_changed ? "the rule has been changed since:" : "another rule has its key since:";
    return is_changed ? "what is there now is not what it left, and the log does not say who has changed it"
                      : "something else has that key now, and the log does not say since when";
}

static bool is_at(const struct logged_row *side, const struct logged_row *row)
{
    return side->there && side->sound && strcmp(side->row.key, row->row.key) == 0 &&
           strcmp(side->row.client, row->row.client) == 0;
}

static bool is_told(const struct undo_conflicts *conflicts, int64_t seq)
{
    for (size_t i = 0; i < conflicts->n_later; i++)
        if (conflicts->later[i] == seq)
            return true;
    return false;
}

static int visit_later(void *context, const struct logged_change *change)
{
    struct search *search = context;
    struct undo_conflicts *conflicts = search->conflicts;
    if (change->table != search->change->table ||
        !(is_at(&change->old, search->row) || is_at(&change->new, search->row)))
        return 0;
    if (seq_ranges_hold(conflicts->ranges, conflicts->n_ranges, change->seq))
        return 0;
    if (is_told(conflicts, change->seq)) {
        search->known = true;
        return 0;
    }
    if (search->n_told == UNDO_LATER_TOLD) {
        conflicts->incomplete = true;
        return 0;
    }
    int r = search->n_told++ > 0 ? 0 : tell_heading(conflicts, search->change, why_not(search, true));
    conflicts->later[conflicts->n_later++] = change->seq;
    return r < 0 ? r : tell_later(change);
}

/* Where the log knows nothing of it. Behind another conflict that may be just what comes of that one. */
static int tell_traceless(const struct search *search)
{
    if (search->conflicts->n > 1)
        return 0;
    return tell_heading(search->conflicts, search->change, why_not(search, false));
}

static int look_for_later(struct search *search, struct error *error)
{
    const struct rule_log_part later = { "rule_change", search->change->seq + 1, search->conflicts->last_seq, false };
    error_set(error, 0, "out of memory");
    int r = rule_log_walk(search->conflicts->db, &later, visit_later, search, error);
    if (r == 0 && search->n_told == 0 && !search->known)
        r = tell_traceless(search);
    return r;
}

int undo_conflict_tell(struct undo_conflicts *conflicts, const struct logged_change *change,
                       enum rule_undo_outcome outcome, struct error *error)
{
    conflicts->n++;
    if (conflicts->n > UNDO_CONFLICTS_TOLD) {
        conflicts->incomplete = true;
        return 0;
    }
    if (outcome == RULE_UNDO_SENSELESS) {
        int r = tell_heading(conflicts, change, "what the log says of it makes no sense");
        return r < 0 ? error_set(error, r, "out of memory") : 0;
    }
    struct search search = { conflicts, change, outcome == RULE_UNDO_CHANGED ? &change->new : &change->old,
                             outcome,   0,      false };
    return look_for_later(&search, error);
}

/* What was asked for, and what stands in its way. */
static void tell_way_out(const struct undo_conflicts *conflicts)
{
    char *text = NULL, range[SEQ_RANGE_TEXT_SIZE];
    size_t text_n = 0;
    FILE *out = open_memstream(&text, &text_n);
    if (!out)
        return;
    for (size_t i = 0; i < conflicts->n_ranges; i++) {
        seq_range_format(&conflicts->ranges[i], range);
        fprintf(out, " %s", range);
    }
    for (size_t i = 0; i < conflicts->n_later; i++)
        fprintf(out, " %" PRId64, conflicts->later[i]);
    if (fclose(out) == 0)
        (void)cli_fail(0, "to undo what came later too: gatepost undo%s%s", text,
                       conflicts->incomplete ? " ..., and there is more in the way" : "");
    free(text);
}

int undo_conflicts_end(const struct undo_conflicts *conflicts)
{
    if (conflicts->n_later > 0)
        tell_way_out(conflicts);
    else
        (void)cli_fail(0, "gatepost list shows what is there, gatepost history what was: put it right with gatepost "
                          "remove and add");
    return cli_fail(STATUS_REFUSED, "nothing has been undone");
}
