#include "replay/replay_print.h"

#include "console/cli.h"
#include "console/paint.h"
#include "console/times.h"

#include <inttypes.h>
#include <stdlib.h>

static double percent(uint64_t n, uint64_t of)
{
    return of > 0 ? 100.0 * (double)n / (double)of : 0;
}

/* For people. */

static const char *plural(uint64_t n)
{
    return n == 1 ? "" : "s";
}

static void put_head(const struct verdicts *verdicts, uint64_t n_malformed)
{
    char first[TIMES_TEXT_SIZE], last[TIMES_TEXT_SIZE];
    printf("%" PRIu64 " request%s", verdicts->n, plural(verdicts->n));
    if (verdicts->first > 0) {
        times_format(verdicts->first, first);
        times_format(verdicts->last, last);
        printf(", recorded from %s to %s", first, last);
    }
    printf("; %" PRIu64 " malformed\n", n_malformed);
    if (verdicts->n_needs_login > 0)
        printf("%" PRIu64 " of them hang on a mailbox login; they are decided as if there were none, and counted "
               "apart\n",
               verdicts->n_needs_login);
}

static void put_top(const char *title, const struct tally *tally, const char *other)
{
    struct tally_row rows[TALLY_TOP];
    uint64_t shown = 0;
    size_t n = tally_top(tally, rows), size = tally_size(tally);
    for (size_t i = 0; i < n; i++) {
        printf("%26s %9" PRIu64 "  ", i == 0 ? title : "", rows[i].n);
        cli_put_str(stdout, rows[i].name.n > 0 ? rows[i].name : str_of("(none)"));
        if (rows[i].label.n > 0) {
            fputc(' ', stdout);
            cli_put_str(stdout, rows[i].label);
        }
        fputc('\n', stdout);
        shown += rows[i].n;
    }
    if (size > n)
        printf("%26s %9" PRIu64 "  %zu other %s\n", "", tally->n - shown, size - n, other);
}

static void put_group(const struct verdict_group *group, uint64_t of, bool is_compared)
{
    char name[VERDICT_NAME_BYTES];
    enum paint colour = group->action == ACTION_REFUSE ? PAINT_BAD
                        : group->action == ACTION_OK   ? PAINT_GOOD
                                                       : PAINT_STRONG;
    printf("%12" PRIu64, group->n);
    if (is_compared)
        printf(" -> %9" PRIu64, group->n_after);
    printf("  %5.1f %%  %s%.*s%s%s\n", percent(group->n, of), paint(stdout, colour),
           STR_ARGS(verdict_name_answer(group->action, group->reason, name)), paint(stdout, PAINT_OFF),
           group->needs_login ? ", hangs on a login" : "");
    put_top("clients", &group->clients, "clients");
    put_top("rules", &group->rules, "rules");
}

static void put_groups(const struct verdict_group *groups, size_t n, uint64_t of, bool is_compared)
{
    const struct verdict_group *sorted[VERDICT_GROUPS];
    n = verdicts_sort(groups, n, sorted);
    for (size_t i = 0; i < n; i++)
        put_group(sorted[i], of, is_compared);
}

static bool has_observed(const struct verdicts *verdicts)
{
    const struct verdict_group *sorted[VERDICT_GROUPS];
    return verdicts_sort(verdicts->observed, OBSERVED_GROUPS, sorted) > 0;
}

static void put_reply(const char *title, struct str reply)
{
    printf("%14s  ", title);
    cli_put_str(stdout, reply);
    fputc('\n', stdout);
}

static void put_example(const struct change_example *example, bool is_text_alone)
{
    const struct str *field = example->field;
    char at[TIMES_TEXT_SIZE];
    fputs("    ", stdout);
    if (example->at > 0) {
        times_format(example->at, at);
        printf("%s ", at);
    }
    cli_put_str(stdout, field[CHANGE_STATE]);
    fputs(" from ", stdout);
    cli_put_str(stdout, field[CHANGE_CLIENT]);
    fputs(", sender <", stdout);
    cli_put_str(stdout, field[CHANGE_SENDER]);
    if (field[CHANGE_RECIPIENT].n > 0) {
        fputs(">, recipient <", stdout);
        cli_put_str(stdout, field[CHANGE_RECIPIENT]);
    }
    fputs(">\n", stdout);
    if (is_text_alone) {
        put_reply("before", field[CHANGE_BEFORE]);
        put_reply("after", field[CHANGE_AFTER]);
    }
}

static void put_change(const struct change *change)
{
    printf("\nbecause of %s", paint(stdout, PAINT_STRONG));
    cli_put(stdout, change->cause);
    printf("%s: %" PRIu64 " request%s, ", paint(stdout, PAINT_OFF), change->n, plural(change->n));
    if (change->is_text_alone)
        printf("%s in other words\n", change->after);
    else
        printf("%s -> %s\n", change->before, change->after);
    for (size_t i = 0; i < change->n_examples; i++)
        put_example(&change->example[i], change->is_text_alone);
    if (change->n > change->n_examples)
        printf("    and %" PRIu64 " more\n", change->n - change->n_examples);
}

int replay_print_text(const struct verdicts *verdicts, uint64_t n_malformed, const struct changes *changes)
{
    const struct change **sorted;
    put_head(verdicts, n_malformed);
    if (verdicts->n > 0)
        fputc('\n', stdout);
    put_groups(verdicts->groups, VERDICT_GROUPS, verdicts->n, changes);
    if (has_observed(verdicts)) {
        fputs("\nwhat observe lets pass would be:\n\n", stdout);
        put_groups(verdicts->observed, OBSERVED_GROUPS, verdicts->n, false);
    }
    if (!changes)
        return 0;
    printf("\n%" PRIu64 " request%s would be answered otherwise\n", changes->n, plural(changes->n));
    long n = changes_sort(changes, &sorted);
    for (long i = 0; i < n; i++)
        put_change(sorted[i]);
    free(sorted);
    return n < 0 ? (int)n : 0;
}

/* For programs. */

static void put_top_json(const char *title, const char *name, const char *label, const struct tally *tally)
{
    struct tally_row rows[TALLY_TOP];
    size_t n = tally_top(tally, rows);
    printf(",\n   \"%s\": %zu, \"top_%s\": [", title, tally_size(tally), title);
    for (size_t i = 0; i < n; i++) {
        printf("%s{\"%s\": ", i ? ", " : "", name);
        cli_put_json_str(stdout, rows[i].name);
        if (label) {
            printf(", \"%s\": ", label);
            cli_put_json_str(stdout, rows[i].label);
        }
        printf(", \"requests\": %" PRIu64 "}", rows[i].n);
    }
    fputs("]", stdout);
}

static void put_group_json(const struct verdict_group *group, uint64_t of, bool is_compared)
{
    printf("{\"action\": \"%s\", \"reason\": ", verdict_name_action(group->action, group->reason));
    cli_put_json(stdout, group->action == ACTION_REFUSE ? reasons[group->reason].name : NULL);
    printf(", \"needs_login\": %s, \"requests\": %" PRIu64 ", \"percent\": %.3f", group->needs_login ? "true" : "false",
           group->n, percent(group->n, of));
    if (is_compared)
        printf(", \"requests_after\": %" PRIu64, group->n_after);
    put_top_json("clients", "address", "name", &group->clients);
    if (group->action == ACTION_REFUSE)
        put_top_json("rules", "rule", NULL, &group->rules);
    fputs("}", stdout);
}

static void put_groups_json(const char *title, const struct verdict_group *groups, size_t n, uint64_t of,
                            bool is_compared)
{
    const struct verdict_group *sorted[VERDICT_GROUPS];
    n = verdicts_sort(groups, n, sorted);
    printf(",\n \"%s\": [", title);
    for (size_t i = 0; i < n; i++) {
        fputs(i ? ",\n  " : "\n  ", stdout);
        put_group_json(sorted[i], of, is_compared);
    }
    fputs("]", stdout);
}

static void put_example_json(const struct change_example *example)
{
    static const char *const names[CHANGE_FIELDS] = { "state",     "client", "name", "sender",
                                                      "recipient", "before", "after" };
    printf("{\"recorded\": %" PRId64, example->at);
    for (int f = 0; f < CHANGE_FIELDS; f++) {
        printf(", \"%s\": ", names[f]);
        cli_put_json_str(stdout, example->field[f]);
    }
    fputs("}", stdout);
}

static void put_change_json(const struct change *change)
{
    fputs("{\"because\": ", stdout);
    cli_put_json(stdout, change->cause);
    printf(", \"requests\": %" PRIu64 ", \"before\": \"%s\", \"after\": \"%s\", \"examples\": [", change->n,
           change->before, change->after);
    for (size_t i = 0; i < change->n_examples; i++) {
        fputs(i ? ",\n   " : "\n   ", stdout);
        put_example_json(&change->example[i]);
    }
    fputs("]}", stdout);
}

static int put_changes_json(const struct changes *changes)
{
    const struct change **sorted;
    long n = changes_sort(changes, &sorted);
    printf(",\n \"changed\": %" PRIu64 ", \"changes\": [", changes->n);
    for (long i = 0; i < n; i++) {
        fputs(i ? ",\n  " : "\n  ", stdout);
        put_change_json(sorted[i]);
    }
    fputs("]", stdout);
    free(sorted);
    return n < 0 ? (int)n : 0;
}

int replay_print_json(const struct verdicts *verdicts, uint64_t n_malformed, const struct changes *changes)
{
    printf("{\"requests\": %" PRIu64 ", \"malformed\": %" PRIu64 ", \"needs_login\": %" PRIu64, verdicts->n,
           n_malformed, verdicts->n_needs_login);
    printf(", \"recorded_from\": %" PRId64 ", \"recorded_to\": %" PRId64, verdicts->first, verdicts->last);
    put_groups_json("totals", verdicts->groups, VERDICT_GROUPS, verdicts->n, changes);
    put_groups_json("observed", verdicts->observed, OBSERVED_GROUPS, verdicts->n, false);
    int r = changes ? put_changes_json(changes) : 0;
    fputs("}\n", stdout);
    return r;
}
