#include "cli/merge_base.h"

#include "cli/entries.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { AS_STORED = 's', BY_KEY = 'k' };

int merge_key(enum rule_table table, const struct stored_row *row, char **text)
{
    struct rule_key key, client = { .text = NULL, .heap = NULL };
    *text = NULL;
    int r = rule_key_parse(&key, table, str_of(row->key), NULL);
    if (r == 0 && row->client[0])
        r = rule_key_parse(&client, RULE_ACCESS_BLOCK, str_of(row->client), NULL);
    if (r == 0 && !(*text = entries_key(key.text, row->client[0] ? client.text : "")))
        r = -ENOMEM;
    rule_key_fini(&client);
    rule_key_fini(&key);
    return r;
}

char *merge_terms(const struct stored_row *row)
{
    char *text = NULL;
    if (asprintf(&text, "%s\n%" PRId64 "\n%s%s", row->value ? row->value : "", row->has_expiry ? row->expires : -1,
                 row->note ? "#" : "", row->note ? row->note : "") < 0)
        return NULL;
    return text;
}

static int put(struct merge_base *base, char kind, struct str key, const struct stored_row *row)
{
    void **place = key_map_put(&base->rows, kind, key);
    if (!place)
        return -ENOMEM;
    if (!*place)
        *place = merge_terms(row);
    return *place ? 0 : -ENOMEM;
}

int merge_base_add(struct merge_base *base, enum rule_table table, const struct stored_row *row, bool is_edited)
{
    char *stored = entries_key(row->key, row->client), *key;
    int r = merge_key(table, row, &key);
    if (r == 0 && !stored)
        r = -ENOMEM;
    if (r == 0 && is_edited)
        r = put(base, BY_KEY, str_of(key), row);
    if (r == 0)
        r = put(base, AS_STORED, str_of(stored), row);
    free(key);
    free(stored);
    return r;
}

void merge_base_fini(struct merge_base *base)
{
    key_map_fini(&base->rows, free);
}

int merge_base_of_row(const struct merge_base *base, const struct stored_row *row, const char **terms)
{
    char *stored = entries_key(row->key, row->client);
    *terms = stored ? key_map_get(&base->rows, AS_STORED, str_of(stored)) : NULL;
    free(stored);
    return stored ? 0 : -ENOMEM;
}

const char *merge_base_of_key(const struct merge_base *base, const char *key)
{
    return key_map_get(&base->rows, BY_KEY, str_of(key));
}
