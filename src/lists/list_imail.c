/*
 * Lists of IMail: kill.lst and accept.txt, and its lists of addresses with masks.
 */
#include "core/block.h"
#include "lists/list_format.h"

#include <stdio.h>

enum { HOST_MAX_BYTES = 1024 };

/* An address in kill.lst is a client that may not connect, one in accept.txt a client that may relay. */
static const struct kind *kind_of_address(const struct kind *kind)
{
    return kind_of(kind->table == RULE_KILL_ENTRY ? RULE_ACCESS_BLOCK : RULE_RELAY_GRANT,
                   kind->table == RULE_KILL_ENTRY ? "deny" : "grant");
}

/* What is left where there is no @: anything else is no list of IMail. */
static bool is_host(struct str text)
{
    for (size_t i = 0; i < text.n; i++) {
        char c = ascii_lower(text.p[i]);
        if (!(c >= 'a' && c <= 'z') && !ascii_is_digit(c) && !strchr(".-_", c) && (unsigned char)c < 0x80)
            return false;
    }
    return text.n > 0;
}

static int take_sender(const struct list_sink *sink, struct list_entry *entry)
{
    char host[HOST_MAX_BYTES + 1];
    if (block_is_meant(entry->key)) {
        entry->kind = kind_of_address(entry->kind);
    } else if (str_find(entry->key, '@') == entry->key.n && !is_host(entry->key)) {
        list_sink_fault(sink, entry->line, "\"%.*s\" is neither user@host, @*suffix, a host nor an address",
                        STR_ARGS(entry->key));
        return 0;
    } else if (str_find(entry->key, '@') == entry->key.n) {
        int n = snprintf(host, sizeof host, "@%.*s", STR_ARGS(entry->key));
        entry->key = str_make(host, n > HOST_MAX_BYTES ? HOST_MAX_BYTES : (size_t)n);
    }
    return sink->take(sink->context, entry);
}

/* An address alone, or with its mask after a blank, a comma or a slash. */
static int take_block(const struct list_sink *sink, struct list_entry *entry)
{
    char pair[BLOCK_TEXT_SIZE];
    struct str rest = entry->key, first, second, third;
    if (!str_next_word(&rest, &first) || !str_next_word(&rest, &second))
        return sink->take(sink->context, entry);
    if (str_next_word(&rest, &third)) {
        list_sink_fault(sink, entry->line, "\"%.*s\" is more than an address and its mask", STR_ARGS(entry->key));
        return 0;
    }
    int n = snprintf(pair, sizeof pair, "%.*s/%.*s", STR_ARGS(first), STR_ARGS(second));
    if (n < (int)sizeof pair)
        entry->key = str_make(pair, (size_t)n);
    return sink->take(sink->context, entry);
}

int list_read_imail(struct list_file *file, const struct kind *kind, const struct list_sink *sink)
{
    struct list_cursor cursor = { 0 };
    struct str line;
    int r;
    while ((r = list_next_line(file, &cursor, &line)) > 0) {
        struct list_entry entry = { .line = cursor.number, .kind = kind };
        entry.note = list_cut_remark(&line, "#;");
        entry.key = line;
        r = list_kind_has_blocks(kind) ? take_block(sink, &entry) : take_sender(sink, &entry);
        if (r < 0)
            break;
    }
    return r;
}
