/*
 * IceWarp's lists of trusted addresses.
 */
#include "core/block.h"
#include "lists/list_format.h"

#include <stdio.h>

/* IceWarp's 192.168.*.* and 10.*.*.*, as a prefix; anything else stays. */
static struct str widen(struct str key, char text[BLOCK_TEXT_SIZE])
{
    static const char *const tails[] = { ".*.*.*", ".*.*" };
    struct str number;
    for (size_t i = 0; i < 2; i++) {
        struct str tail = str_of(tails[i]);
        if (!str_ends_with(key, tail))
            continue;
        number = str_first(key, key.n - tail.n);
        if (str_find(number, '*') < number.n)
            return key;
        int n = snprintf(text, BLOCK_TEXT_SIZE, "%.*s%s", STR_ARGS(number), i == 0 ? ".0.0.0/8" : ".0.0/16");
        return n < BLOCK_TEXT_SIZE ? str_make(text, (size_t)n) : key;
    }
    return key;
}

/* A mark may stand right behind an address. */
static struct str cut_remark(struct str *line)
{
    size_t hash = str_find(*line, '#'), semicolon = str_find(*line, ';');
    size_t at = hash < semicolon ? hash : semicolon;
    if (at == line->n)
        return str_make(NULL, 0);
    struct str remark = str_trim(str_from(*line, at + 1));
    *line = str_trim(str_first(*line, at));
    return str_make(remark.n > 0 ? remark.p : NULL, remark.n);
}

/* A remark that is nothing but blocks was meant to be more of the list. */
static bool is_list_itself(struct str remark)
{
    char text[BLOCK_TEXT_SIZE];
    struct block block;
    bool has_blocks = false;
    for (size_t i = 0, n; i < remark.n; i += n + 1) {
        for (n = 0; i + n < remark.n && !strchr(" \t,;", remark.p[i + n]); n++)
            ;
        if (n > 0 && block_parse(widen(str_make(remark.p + i, n), text), &block, NULL) < 0)
            return false;
        has_blocks = has_blocks || n > 0;
    }
    return has_blocks;
}

int list_read_icewarp(struct list_file *file, const struct kind *kind, const struct list_sink *sink)
{
    struct list_cursor cursor = { 0 };
    struct str line;
    char text[BLOCK_TEXT_SIZE];
    int r;
    while ((r = list_next_line(file, &cursor, &line)) > 0) {
        struct list_entry entry = { .line = cursor.number, .kind = kind };
        entry.note = cut_remark(&line);
        if (is_list_itself(entry.note)) {
            list_sink_fault(sink, cursor.number,
                            "what follows \"%.*s\" would be a remark, but is a list itself: one block a line",
                            STR_ARGS(line));
            continue;
        }
        entry.key = widen(line, text);
        if ((r = sink->take(sink->context, &entry)) < 0)
            break;
    }
    return r;
}
