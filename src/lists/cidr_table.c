#include "lists/cidr_table.h"

#include "console/rule_line.h"
#include "core/array.h"
#include "core/block.h"

#include <errno.h>
#include <string.h>

struct cidr_line {
    struct prefix prefix;
    bool refuses;
    const struct kind *kind;
    char *terms; /* owned */
};

static int add_prefix(struct cidr_table *table, const struct kind *kind, const struct stored_row *row,
                      const struct prefix *prefix)
{
    bool refuses = strcmp(row->value, "deny") == 0 || strcmp(row->value, "refuse") == 0;
    char *terms = rule_line_text(rule_line_write_terms, kind, row);
    if (!terms || !ARRAY_RESERVE(table->lines, table->size, table->n)) {
        free(terms);
        return -ENOMEM;
    }
    table->lines[table->n++] = (struct cidr_line){ *prefix, refuses, kind, terms };
    return 0;
}

int cidr_table_add(struct cidr_table *table, const struct kind *kind, const struct stored_row *row)
{
    struct block block;
    struct prefix prefix;
    int r = 0;
    if (row->has_expiry && row->expires <= table->now) {
        table->n_expired++;
        return 0;
    }
    if (block_parse(str_of(row->key), &block, NULL) < 0) {
        table->n_names++;
        return 0;
    }
    for (struct block_rest rest = block_prefixes(&block); r == 0 && block_next_prefix(&rest, &prefix);)
        r = add_prefix(table, kind, row, &prefix);
    return r;
}

/* The longest first; of the same block the refusal, which wins. */
static int compare(const void *a, const void *b)
{
    const struct cidr_line *x = a, *y = b;
    if (x->prefix.addr.v6 != y->prefix.addr.v6)
        return x->prefix.addr.v6 ? 1 : -1;
    if (x->prefix.len != y->prefix.len)
        return x->prefix.len > y->prefix.len ? -1 : 1;
    int order = ip_compare(&x->prefix.addr, &y->prefix.addr);
    return order != 0 ? order : (int)y->refuses - (int)x->refuses;
}

static const char *action_of(const struct cidr_line *line)
{
    if (line->refuses)
        return "reject";
    return line->kind->table == RULE_ACCESS_BLOCK ? "dunno" : "permit";
}

void cidr_table_print(struct cidr_table *table, FILE *out)
{
    const struct prefix *before = NULL;
    if (table->n > 0)
        qsort(table->lines, table->n, sizeof *table->lines, compare);
    for (size_t i = 0; i < table->n; i++) {
        const struct cidr_line *line = &table->lines[i];
        char text[BLOCK_TEXT_SIZE];
        if (before && before->len == line->prefix.len && ip_compare(&before->addr, &line->prefix.addr) == 0)
            continue;
        before = &line->prefix;
        prefix_format(&line->prefix, text);
        if (line->terms[0])
            fprintf(out, "#:%s\n", line->terms);
        fprintf(out, "%s %s\n", text, action_of(line));
    }
}

void cidr_table_fini(struct cidr_table *table)
{
    for (size_t i = 0; i < table->n; i++)
        free(table->lines[i].terms);
    free(table->lines);
}
