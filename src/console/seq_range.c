#include "console/seq_range.h"

#include "core/str.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static bool parse_seq(struct str text, int64_t *seq)
{
    unsigned long n;
    if (!str_to_number(text, INT64_MAX - 1, &n) || n == 0)
        return false;
    *seq = (int64_t)n;
    return true;
}

int seq_range_parse(const char *text, struct seq_range *range, struct error *error)
{
    struct str all = str_of(text);
    size_t dash = str_find(all, '-');
    struct str last = dash == all.n ? all : str_from(all, dash + 1);
    if (!parse_seq(str_first(all, dash), &range->first) || !parse_seq(last, &range->last))
        return error_set(error, -EINVAL, "\"%s\" is no number of a change: write e.g. 17, or 17-1016 for a range",
                         text);
    if (range->first > range->last)
        return error_set(error, -EINVAL, "\"%s\" is no range: its first number is the higher one", text);
    return 0;
}

void seq_range_format(const struct seq_range *range, char text[SEQ_RANGE_TEXT_SIZE])
{
    int n = snprintf(text, SEQ_RANGE_TEXT_SIZE, "%" PRId64, range->first);
    if (range->last != range->first && n > 0 && n < SEQ_RANGE_TEXT_SIZE)
        (void)snprintf(text + n, SEQ_RANGE_TEXT_SIZE - (size_t)n, "-%" PRId64, range->last);
}

static int compare(const void *a, const void *b)
{
    const struct seq_range *range_a = a, *range_b = b;
    return range_a->first < range_b->first ? -1 : range_a->first > range_b->first;
}

size_t seq_ranges_join(struct seq_range *ranges, size_t n)
{
    size_t kept = 0;
    if (n == 0)
        return 0;
    qsort(ranges, n, sizeof *ranges, compare);
    for (size_t i = 1; i < n; i++) {
        if (ranges[i].first > ranges[kept].last + 1)
            ranges[++kept] = ranges[i];
        else if (ranges[i].last > ranges[kept].last)
            ranges[kept].last = ranges[i].last;
    }
    return kept + 1;
}

bool seq_ranges_hold(const struct seq_range *ranges, size_t n, int64_t seq)
{
    for (size_t i = 0; i < n; i++)
        if (ranges[i].first <= seq && seq <= ranges[i].last)
            return true;
    return false;
}
