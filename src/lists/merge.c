#include "lists/merge.h"

#include "console/cli.h"
#include "console/danger.h"
#include "console/paint.h"
#include "console/progress.h"
#include "console/rule_line.h"
#include "core/array.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* A row that goes. */
struct removal {
    enum rule_table table;
    int64_t rowid;
    const struct kind *kind;
    char *line; /* where it is to be shown */
};

struct merge {
    struct entries *entries;
    struct merge_options options;
    struct merge_totals totals;
    struct removal *removals;
    size_t n_removals, removals_size;
    int64_t now;
    struct rule_edit edit;
    bool begun;
    enum rule_table table; /* that is walked through */
};

struct merge *merge_new(struct entries *entries, const struct merge_options *options)
{
    struct merge *merge = calloc(1, sizeof *merge);
    if (!merge)
        return NULL;
    merge->entries = entries;
    merge->options = *options;
    merge->now = (int64_t)time(NULL);
    return merge;
}

void merge_free(struct merge *merge)
{
    if (!merge)
        return;
    merge_rollback(merge);
    for (size_t i = 0; i < merge->n_removals; i++)
        free(merge->removals[i].line);
    free(merge->removals);
    free(merge);
}

const struct merge_totals *merge_totals(const struct merge *merge)
{
    return &merge->totals;
}

static struct stored_row row_of(const struct entry *entry)
{
    return (struct stored_row){ .key = entry->key,
                                .client = entry->client,
                                .value = entry->value,
                                .note = entry->note,
                                .has_expiry = entry->expires != RULE_NEVER_EXPIRES,
                                .expires = entry->expires };
}

/* Rows that are there. */

static int remove_row(struct merge *merge, const struct kind *kind, const struct stored_row *row)
{
    if (!ARRAY_RESERVE(merge->removals, merge->removals_size, merge->n_removals))
        return -ENOMEM;
    struct removal removal = { merge->table, row->rowid, kind, NULL };
    if (merge->options.show && !(removal.line = rule_line_text(rule_line_write, kind, row)))
        return -ENOMEM;
    merge->removals[merge->n_removals++] = removal;
    return 0;
}

/* Of the rows that are swapped for the list. */
static bool is_replaced(const struct merge *merge, const struct kind *kind, const struct stored_row *row)
{
    const struct merge_options *options = &merge->options;
    const struct entries *entries = merge->entries;
    return options->replace && merge->table == entries->kind->table &&
           (options->whole_table || kind == entries->kind) &&
           (!entries->note || is_same_text(entries->note, row->note));
}

static int change_row(struct merge *merge, struct entry *entry, const struct kind *kind, const struct stored_row *row)
{
    entry->fate = FATE_CHANGED;
    entry->rowid = row->rowid;
    if (merge->options.show && !(entry->was = rule_line_text(rule_line_write, kind, row)))
        return -ENOMEM;
    return 0;
}

static bool has_terms(const struct entry *entry, const struct stored_row *row)
{
    return is_same_text(entry->note, row->note) && (entry->expires != RULE_NEVER_EXPIRES) == row->has_expiry &&
           (!row->has_expiry || entry->expires == row->expires);
}

static bool is_as_listed(const struct entry *entry, const struct stored_row *row)
{
    return is_same_text(entry->value, row->value) && has_terms(entry, row);
}

static void contradict(struct merge *merge, const struct entry *entry, const struct kind *kind,
                       const struct stored_row *row)
{
    struct error error;
    if (kind == entry->kind)
        error_set(&error, 0,
                  "\"%.200s\" is there already, with %s \"%.100s\"; to turn it, first: gatepost remove %s %.200s",
                  entry->key, rule_tables[merge->table].value, row->value ? row->value : "", kind->name, entry->key);
    else
        error_set(&error, 0, "\"%.200s\" is there already, as %s; to turn it, first: gatepost remove %s %.200s",
                  entry->key, kind->name, kind->name, entry->key);
    entries_fault(merge->entries, entry->line, error.text);
}

/* A row that means the same as an entry. */
static int meet(struct merge *merge, struct entry *entry, const struct kind *kind, const struct stored_row *row)
{
    bool replaced = is_replaced(merge, kind, row), same = is_same_text(entry->value, row->value);
    if (entry->fate == FATE_CHANGED || entry->fate == FATE_UNCHANGED) /* in another spelling */
        return replaced ? remove_row(merge, kind, row) : 0;
    if (!replaced && merge->entries->note && !is_same_text(merge->entries->note, row->note)) {
        entry->fate = FATE_LEFT;
        return 0;
    }
    if (!replaced && row->has_expiry && row->expires <= merge->now && !is_as_listed(entry, row))
        return remove_row(merge, kind, row);
    if (!same && !replaced) {
        contradict(merge, entry, kind, row);
        return 0;
    }
    bool states_all = replaced && merge->options.exact;
    if (is_as_listed(entry, row) || (same && !(states_all || entry_states_terms(entry)))) {
        entry->fate = FATE_UNCHANGED;
        return 0;
    }
    return change_row(merge, entry, kind, row);
}

/* What both have touched, each in another way. */
static void tell_conflict(struct merge *merge, const struct entry *entry, const struct stored_row *row)
{
    struct error error;
    error_set(&error, 0,
              "\"%.200s\": somebody else has meanwhile changed or added this row, which you have changed, too: see "
              "gatepost history, and leave it here as it was, or quit and edit again",
              row->key);
    entries_fault(merge->entries, entry ? entry->line : 0, error.text);
}

/* Somebody else may have changed what one has been editing: what both have touched is a fault, what they alone have
 * stays as they left it, and what nobody has as it is. Returns 1 where the row is settled by that. */
static int meet_editor(struct merge *merge, struct entry *entry, const struct entry *shown,
                       const struct stored_row *row)
{
    int was_there = merge_base_has(merge->options.base, row);
    if (was_there < 0)
        return was_there;
    bool they_did = was_there == 0, i_did = !entries_are_same(entry, shown);
    if (they_did && i_did && !(entry && is_as_listed(entry, row)))
        tell_conflict(merge, entry, row);
    if (i_did && !they_did)
        return 0;
    if (entry && entry->fate == FATE_ADDED)
        entry->fate = FATE_LEFT;
    return 1;
}

static int visit(void *context, const struct stored_row *row)
{
    struct merge *merge = context;
    const struct merge_options *options = &merge->options;
    const struct kind *kind = kind_of(merge->table, row->value);
    char *key = NULL;
    int r = merge_key(merge->table, row, &key);
    if (r == -EINVAL) /* which counts for nothing; who edits has not seen it */
        return is_replaced(merge, kind, row) && !options->base ? remove_row(merge, kind, row) : 0;
    if (r < 0)
        return r;
    struct entry *entry = entries_find(merge->entries, merge->table, key);
    const struct entry *shown = options->base ? entries_find(&options->base->shown, merge->table, key) : NULL;
    free(key);
    if (options->base && (entry || shown || kind == merge->entries->kind))
        r = meet_editor(merge, entry, shown, row);
    if (r != 0)
        return r < 0 ? r : 0;
    if (entry)
        return meet(merge, entry, kind, row);
    return is_replaced(merge, kind, row) ? remove_row(merge, kind, row) : 0;
}

/* What was there when editing began and is gone now has been removed by somebody else. */
static int meet_gone(struct merge *merge, struct entry *entry)
{
    char *key = entries_key(entry->key, entry->client);
    if (!key)
        return -ENOMEM;
    const struct entry *shown = entries_find(&merge->options.base->shown, entry->kind->table, key);
    free(key);
    if (!shown)
        return 0;
    if (!entries_are_same(entry, shown))
        entries_fault(merge->entries, entry->line,
                      "somebody else has meanwhile removed this row, which you have changed: see gatepost history, and "
                      "take it out here, or quit and edit again");
    entry->fate = FATE_LEFT;
    return 0;
}

static int meet_all_gone(struct merge *merge)
{
    int r = 0;
    for (size_t i = 0; i < merge->entries->n && r == 0; i++)
        if (merge->entries->all[i]->fate == FATE_ADDED)
            r = meet_gone(merge, merge->entries->all[i]);
    return r;
}

static void count(struct merge *merge)
{
    struct merge_totals *totals = &merge->totals;
    totals->removed = merge->n_removals;
    for (size_t i = 0; i < merge->entries->n; i++) {
        enum fate fate = merge->entries->all[i]->fate;
        totals->added += fate == FATE_ADDED;
        totals->changed += fate == FATE_CHANGED;
        totals->unchanged += fate == FATE_UNCHANGED;
        totals->left += fate == FATE_LEFT;
    }
}

int merge_begin(struct merge *merge, struct rule_db *db, struct error *error)
{
    int r = rule_edit_begin(&merge->edit, db, error);
    if (r < 0)
        return r;
    merge->begun = true;
    for (int table = RULE_SETTING + 1; table < RULE_TABLE_COUNT && r == 0; table++) {
        merge->table = (enum rule_table)table;
        if ((merge->entries->tables & 1U << table) != 0)
            r = rule_edit_walk(db, merge->table, visit, merge, error);
    }
    if (r == 0 && merge->options.base)
        r = meet_all_gone(merge);
    count(merge);
    return r == -ENOMEM ? error_set(error, r, "out of memory") : r;
}

void merge_rollback(struct merge *merge)
{
    if (merge->begun)
        rule_edit_rollback(&merge->edit);
    merge->begun = false;
}

/* What is to be done. */

void merge_show(const struct merge *merge, FILE *out)
{
    for (size_t i = 0; i < merge->n_removals; i++) {
        fprintf(out, "%s- %s ", paint(out, PAINT_BAD), merge->removals[i].kind->name);
        cli_put(out, merge->removals[i].line);
        fprintf(out, "%s\n", paint(out, PAINT_OFF));
    }
    for (size_t i = 0; i < merge->entries->n; i++) {
        const struct entry *entry = merge->entries->all[i];
        struct stored_row row = row_of(entry);
        if (entry->fate != FATE_ADDED && entry->fate != FATE_CHANGED)
            continue;
        bool added = entry->fate == FATE_ADDED;
        fprintf(out, "%s%c %s ", paint(out, added ? PAINT_GOOD : PAINT_WARNING), added ? '+' : '~', entry->kind->name);
        rule_line_show(out, entry->kind, &row, merge->now);
        if (!added) {
            fputs("  (was ", out);
            cli_put(out, entry->was);
            fputc(')', out);
        }
        fprintf(out, "%s\n", paint(out, PAINT_OFF));
    }
}

static int apply(struct merge *merge, const struct entry *entry, struct error *error)
{
    struct new_row row = { .table = entry->kind->table,
                           .key = entry->key,
                           .client = entry->client,
                           .value = entry->value,
                           .note = entry->note,
                           .expires = entry->expires,
                           .created = entry->created };
    int r = 0;
    if (entry->fate == FATE_ADDED)
        r = rule_edit_insert(&merge->edit, &row, error);
    else if (entry->fate == FATE_CHANGED)
        r = rule_edit_update(&merge->edit, entry->rowid, &row, error);
    const char *name = merge->entries->name;
    return r < 0 ? error_prefix(error, r, "%s:%zu", name ? name : "line", entry->line) : 0;
}

int merge_commit(struct merge *merge, const char *by, int64_t *first, int64_t *last, struct error *error)
{
    const struct merge_totals *totals = &merge->totals;
    size_t n = totals->removed + totals->added + totals->changed, done = 0;
    struct progress progress;
    progress_begin(&progress, "writing", n);
    int r = rule_edit_expect(&merge->edit, (int64_t)n, error);
    for (size_t i = 0; i < merge->n_removals && r == 0; i++) {
        r = rule_edit_delete(&merge->edit, merge->removals[i].table, merge->removals[i].rowid, error);
        progress_at(&progress, ++done);
    }
    for (size_t i = 0; i < merge->entries->n && r == 0; i++) {
        const struct entry *entry = merge->entries->all[i];
        r = apply(merge, entry, error);
        progress_at(&progress, done += entry->fate <= FATE_CHANGED);
    }
    if (r == 0)
        r = rule_edit_commit(&merge->edit, by, error);
    progress_end(&progress);
    return r < 0 ? r : rule_edit_range(&merge->edit, first, last, error);
}

void merge_warn_of_forging(const struct merge *merge)
{
    for (size_t i = 0; i < merge->entries->n; i++) {
        const struct entry *entry = merge->entries->all[i];
        if (entry->kind->table != RULE_ACCEPT_ENTRY || entry->client[0] || entry->fate != FATE_ADDED)
            continue;
        (void)cli_fail(0, "note: accept %s from anywhere: %s", entry->key, danger_of_forging);
        return;
    }
}

void merge_print_undo(int64_t first, int64_t last)
{
    if (first > last || last - first >= RULE_LOG_KEPT)
        return;
    printf("to take it back: gatepost undo %" PRId64, first);
    if (first < last)
        printf("-%" PRId64, last);
    fputc('\n', stdout);
}
