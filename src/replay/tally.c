#include "replay/tally.h"

#include <errno.h>
#include <stdlib.h>

struct counter {
    uint64_t n;
    size_t label_n;
    char label[];
};

static struct str cut(struct str text)
{
    return text.n > TALLY_TEXT_BYTES ? str_first(text, TALLY_TEXT_BYTES) : text;
}

int tally_add(struct tally *tally, struct str name, struct str label)
{
    void **place = key_map_put(&tally->map, 0, cut(name));
    if (!place)
        return -ENOMEM;
    struct counter *counter = *place;
    if (!counter || (counter->label_n == 0 && label.n > 0)) {
        label = cut(label);
        uint64_t n = counter ? counter->n : 0;
        struct counter *labelled = realloc(counter, sizeof *counter + label.n);
        if (!labelled)
            return -ENOMEM;
        *labelled = (struct counter){ n, label.n };
        if (label.n > 0)
            memcpy(labelled->label, label.p, label.n);
        *place = counter = labelled;
    }
    counter->n++;
    tally->n++;
    return 0;
}

static bool comes_before(const struct tally_row *a, const struct tally_row *b)
{
    if (a->n != b->n)
        return a->n > b->n;
    size_t n = a->name.n < b->name.n ? a->name.n : b->name.n;
    int order = n > 0 ? memcmp(a->name.p, b->name.p, n) : 0;
    return order < 0 || (order == 0 && a->name.n < b->name.n);
}

static size_t insert(struct tally_row rows[TALLY_TOP], size_t n, const struct tally_row *row)
{
    size_t i = n < TALLY_TOP ? n : TALLY_TOP - 1;
    if (n == TALLY_TOP && !comes_before(row, &rows[i]))
        return n;
    for (; i > 0 && comes_before(row, &rows[i - 1]); i--)
        rows[i] = rows[i - 1];
    rows[i] = *row;
    return n < TALLY_TOP ? n + 1 : n;
}

size_t tally_top(const struct tally *tally, struct tally_row rows[TALLY_TOP])
{
    size_t at = 0, n = 0;
    char kind;
    struct str name;
    void *value;
    while (key_map_next(&tally->map, &at, &kind, &name, &value)) {
        const struct counter *counter = value;
        if (counter)
            n = insert(rows, n, &(struct tally_row){ name, str_make(counter->label, counter->label_n), counter->n });
    }
    return n;
}

size_t tally_size(const struct tally *tally)
{
    return tally->map.used;
}

void tally_fini(struct tally *tally)
{
    key_map_fini(&tally->map, free);
    tally->n = 0;
}
