/*
 * Postfix cidr tables (cidr_table(5)), with the actions of access(5).
 *
 * In Postfix the first line that matches counts, here the longest block. Where the two would differ, the table is at
 * fault: it would not mean here what it means there.
 */
#include "core/array.h"
#include "core/block.h"
#include "lists/list_format.h"

#include <errno.h>
#include <stdio.h>

enum { LOGICAL_MAX_BYTES = 2048 };

struct ranked {
    struct prefix prefix;
    const struct kind *kind;
    size_t line;
};

struct table {
    const struct list_sink *sink;
    const struct kind *permits, *refuses;
    struct ranked *rows;
    size_t n, size;
};

static bool is_refusal(struct str action)
{
    static const struct str reject = STR("reject");
    unsigned long code;
    if (str_equal_nocase(action, reject))
        return true;
    return action.n == 3 && str_to_number(action, 599, &code) && code >= 500;
}

static bool is_permit(struct str action)
{
    static const char *const permits[] = { "ok", "permit", "dunno", "relay" };
    for (size_t i = 0; i < sizeof permits / sizeof *permits; i++)
        if (str_equal_nocase(action, str_of(permits[i])))
            return true;
    return false;
}

/* Of dunno and permits the text means nothing; that of a refusal is a note. */
static bool read_action(const struct table *table, struct str action, struct str text, struct list_entry *entry)
{
    if (is_permit(action)) {
        entry->kind = table->permits;
        return true;
    }
    if (!is_refusal(action)) {
        list_sink_fault(table->sink, entry->line,
                        "\"%.*s\" is no action that rules have: write reject or dunno, or take the line out",
                        STR_ARGS(action));
        return false;
    }
    entry->kind = table->refuses;
    if (text.n > 0)
        entry->note = text;
    return true;
}

/* [2001:db8::]/32 is 2001:db8::/32. */
static struct str without_brackets(struct str word, char text[BLOCK_TEXT_SIZE])
{
    size_t n = 0;
    if (word.n >= BLOCK_TEXT_SIZE || word.p[0] != '[')
        return word;
    for (size_t i = 0; i < word.n; i++)
        if (word.p[i] != '[' && word.p[i] != ']')
            text[n++] = word.p[i];
    return str_make(text, n);
}

/* A block of the table is one prefix. */
static bool read_prefix(const struct table *table, struct str pattern, size_t line, struct prefix *prefix)
{
    struct block block;
    struct error error;
    if (block_parse(pattern, &block, &error) < 0) {
        list_sink_fault(table->sink, line, "%s", error.text);
        return false;
    }
    struct block_rest rest = block_prefixes(&block);
    if (block_next_prefix(&rest, prefix) && rest.done)
        return true;
    list_sink_fault(table->sink, line, "\"%.*s\" is no address/length, as a cidr table has them", STR_ARGS(pattern));
    return false;
}

static bool is_condition(const struct table *table, struct str pattern, size_t line)
{
    if (!list_is_condition(pattern) && pattern.p[0] != '!')
        return false;
    list_sink_fault(table->sink, line,
                    "\"%.*s\" is not taken because rules know no conditions and no exceptions: write the blocks out",
                    STR_ARGS(pattern));
    return true;
}

static int take_line(struct table *table, struct str logical, size_t line, struct str terms)
{
    struct list_entry entry = { .line = line };
    struct ranked row = { .line = line };
    struct str rest = logical, pattern, action;
    char text[BLOCK_TEXT_SIZE], terms_text[LOGICAL_MAX_BYTES];
    if (!str_next_word(&rest, &pattern) || is_condition(table, pattern, line))
        return 0;
    if (!str_next_word(&rest, &action)) {
        list_sink_fault(table->sink, line, "\"%.*s\" has no action behind it", STR_ARGS(pattern));
        return 0;
    }
    entry.key = without_brackets(pattern, text);
    if (!read_action(table, action, str_trim(rest), &entry) || !read_prefix(table, entry.key, line, &row.prefix))
        return 0;
    row.kind = entry.kind;
    if (!ARRAY_RESERVE(table->rows, table->size, table->n))
        return -ENOMEM;
    table->rows[table->n++] = row;
    return list_read_terms(table->sink, terms, &entry, terms_text) ? table->sink->take(table->sink->context, &entry)
                                                                   : 0;
}

/* Order. */

static int compare(const void *a, const void *b)
{
    const struct ranked *x = a, *y = b;
    int order = ip_compare(&x->prefix.addr, &y->prefix.addr);
    if (order != 0)
        return order;
    if (x->prefix.len != y->prefix.len)
        return x->prefix.len < y->prefix.len ? -1 : 1;
    return x->line < y->line ? -1 : x->line > y->line;
}

static bool holds(const struct prefix *outer, const struct prefix *inner)
{
    struct ip_addr cut = ip_mask(&inner->addr, outer->len);
    return outer->len <= inner->len && ip_compare(&cut, &outer->addr) == 0;
}

static void tell_order(const struct table *table, const struct ranked *row, const struct ranked *first)
{
    char text[BLOCK_TEXT_SIZE], first_text[BLOCK_TEXT_SIZE];
    prefix_format(&row->prefix, text);
    prefix_format(&first->prefix, first_text);
    list_sink_fault(table->sink, row->line,
                    "%s would count here, but never does in Postfix, which takes the first line that matches: that is "
                    "%s in line %zu; put this one in front of it, or take it out",
                    text, first_text, first->line);
}

/* Sorted, each block comes behind those that hold it: these are the open ones. Of them, as of the block itself, the
 * first line is the one that Postfix takes. */
static int check_order(struct table *table)
{
    struct open_block {
        const struct ranked *row, *first;
    } *open = NULL;
    size_t n = 0, size = 0;
    if (table->n > 0)
        qsort(table->rows, table->n, sizeof *table->rows, compare);
    for (size_t i = 0; i < table->n; i++) {
        const struct ranked *row = &table->rows[i];
        while (n > 0 && !holds(&open[n - 1].row->prefix, &row->prefix))
            n--;
        const struct ranked *first = n > 0 && open[n - 1].first->line < row->line ? open[n - 1].first : row;
        if (first->kind != row->kind && first->prefix.len < row->prefix.len)
            tell_order(table, row, first);
        if (!ARRAY_RESERVE(open, size, n)) {
            free(open);
            return -ENOMEM;
        }
        open[n++] = (struct open_block){ row, first };
    }
    free(open);
    return 0;
}

/* Lines. */

/* A text of bounded length; what would not fit is dropped, and found out by that. */
struct piece {
    char bytes[LOGICAL_MAX_BYTES];
    size_t n;
    bool cut;
};

static void append(struct piece *piece, struct str text)
{
    size_t blank = piece->n > 0;
    piece->cut = piece->cut || piece->n + blank + text.n > sizeof piece->bytes;
    if (piece->cut)
        return;
    if (blank)
        piece->bytes[piece->n++] = ' ';
    memcpy(piece->bytes + piece->n, text.p, text.n);
    piece->n += text.n;
}

/* A logical line, and the terms that stand in a comment in front of it. */
struct logical {
    struct piece text, terms;
    size_t number;
};

static int end_logical(struct table *table, struct logical *logical)
{
    int r = 0;
    if (logical->text.cut || logical->terms.cut)
        list_sink_fault(table->sink, logical->number, "a line of more than %d bytes", LOGICAL_MAX_BYTES);
    else if (logical->text.n > 0)
        r = take_line(table, str_make(logical->text.bytes, logical->text.n), logical->number,
                      str_make(logical->terms.bytes, logical->terms.n));
    logical->text.n = logical->terms.n = 0;
    logical->text.cut = logical->terms.cut = false;
    return r;
}

/* Notes and expiries of gatepost's own rows stand in comments, "#: until TIME # note", for the line that follows. */
static bool is_terms(const struct list_file *file, struct str line)
{
    return file->is_ours && line.n > 2 && line.p[0] == '#' && line.p[1] == ':';
}

/* A line that begins with a blank goes on with the one before. */
static int read_lines(struct table *table, struct list_file *file)
{
    struct list_cursor cursor = { 0 };
    struct logical logical = { .number = 0 };
    struct str line;
    int r, failed = 0;
    while (failed == 0 && (r = list_file_next(file, &cursor, &line)) > 0) {
        bool is_comment = line.n == 0 || line.p[0] == '#', terms = is_terms(file, line);
        if (is_comment && !terms)
            continue;
        if (logical.text.n > 0 && (terms || !cursor.indented))
            failed = end_logical(table, &logical);
        if (terms) {
            append(&logical.terms, str_from(line, 2));
        } else {
            logical.number = logical.text.n > 0 ? logical.number : cursor.number;
            append(&logical.text, line);
        }
    }
    if (failed == 0 && r == 0)
        failed = end_logical(table, &logical);
    return failed < 0 ? failed : r;
}

int list_read_cidr(struct list_file *file, const struct kind *kind, const struct list_sink *sink)
{
    bool is_refusing = strcmp(kind->value, "deny") == 0 || strcmp(kind->value, "refuse") == 0;
    struct table table = { .sink = sink,
                           .permits = is_refusing ? list_other_kind(kind) : kind,
                           .refuses = is_refusing ? kind : list_other_kind(kind) };
    int r = read_lines(&table, file);
    if (r == 0)
        r = check_order(&table);
    free(table.rows);
    return r;
}
