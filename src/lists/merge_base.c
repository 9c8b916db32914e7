#include "lists/merge_base.h"

#include "lists/entries.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { BY_ROWID = 'r', BY_KEY = 'k' };
enum { ROWID_SIZE = 24 };

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

static struct str name_row(int64_t rowid, char text[ROWID_SIZE])
{
    int n = snprintf(text, ROWID_SIZE, "%" PRId64, rowid);
    return str_make(text, (size_t)n);
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

int merge_base_add(struct merge_base *base, enum rule_table table, const struct stored_row *row)
{
    char rowid[ROWID_SIZE], *key;
    int r = merge_key(table, row, &key);
    if (r == 0)
        r = put(base, BY_KEY, str_of(key), row);
    if (r == 0)
        r = put(base, BY_ROWID, name_row(row->rowid, rowid), row);
    free(key);
    return r;
}

void merge_base_fini(struct merge_base *base)
{
    key_map_fini(&base->rows, free);
}

const char *merge_base_of_row(const struct merge_base *base, int64_t rowid)
{
    char text[ROWID_SIZE];
    return key_map_get(&base->rows, BY_ROWID, name_row(rowid, text));
}

const char *merge_base_of_key(const struct merge_base *base, const char *key)
{
    return key_map_get(&base->rows, BY_KEY, str_of(key));
}
