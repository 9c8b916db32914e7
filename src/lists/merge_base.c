#include "lists/merge_base.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

int merge_key(enum rule_table table, const struct stored_row *row, char **text)
{
    struct rule_key key, client = { .text = NULL, .heap = NULL };
    *text = NULL;
    int r = rule_key_parse(&key, table, str_make(row->key, row->key_n), NULL);
    if (r == 0 && row->client[0])
        r = rule_key_parse(&client, RULE_ACCESS_BLOCK, str_of(row->client), NULL);
    if (r == 0 && !(*text = entries_key(key.text, row->client[0] ? client.text : "")))
        r = -ENOMEM;
    rule_key_fini(&client);
    rule_key_fini(&key);
    return r;
}

/* What a row says beside its key: equal texts say the same. The caller frees it. NULL where memory is short. */
static char *write_terms(const struct stored_row *row)
{
    char *text = NULL;
    if (asprintf(&text, "%s\n%" PRId64 "\n%s%s", row->value ? row->value : "", row->has_expiry ? row->expires : -1,
                 row->note ? "#" : "", row->note ? row->note : "") < 0)
        return NULL;
    return text;
}

int merge_base_add(struct merge_base *base, enum rule_table table, const struct stored_row *row)
{
    char *stored = entries_key(row->key, row->client), *terms = write_terms(row), *key;
    int r = merge_key(table, row, &key);
    void **place = stored && terms ? key_map_put(&base->rows, 0, str_of(stored)) : NULL;
    if (place) {
        free(*place); /* of a row whose key differs behind a NUL alone */
        *place = terms;
    } else {
        free(terms);
        r = -ENOMEM;
    }
    free(key);
    free(stored);
    return r;
}

void merge_base_fini(struct merge_base *base)
{
    entries_fini(&base->shown);
    key_map_fini(&base->rows, free);
}

int merge_base_has(const struct merge_base *base, const struct stored_row *row)
{
    char *stored = entries_key(row->key, row->client), *terms = write_terms(row);
    int r = -ENOMEM;
    if (stored && terms)
        r = is_same_text(key_map_get(&base->rows, 0, str_of(stored)), terms);
    free(terms);
    free(stored);
    return r;
}
