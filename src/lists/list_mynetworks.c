/*
 * Postfix's mynetworks: as main.cf has it, as postconf prints it, or in a file of its own (postconf(5), mynetworks).
 */
#include "core/array.h"
#include "core/block.h"
#include "lists/list_format.h"

#include <errno.h>

/* !block: what follows in the list does not count for it. */
struct exception {
    struct block block;
    size_t line;
    bool matters; /* something that follows would cover it */
};

struct networks {
    const struct list_sink *sink;
    const struct kind *kind;
    struct exception *exceptions;
    size_t n_exceptions, exceptions_size;
};

/* Postfix puts IPv6 in brackets: [2001:db8::]/32. False where text was not in brackets. */
static bool without_brackets(struct str word, char text[BLOCK_TEXT_SIZE], struct str *block)
{
    size_t end = str_find(word, ']');
    if (word.n == 0 || word.p[0] != '[' || end == word.n || word.n - 2 >= BLOCK_TEXT_SIZE)
        return false;
    memcpy(text, word.p + 1, end - 1);
    memcpy(text + end - 1, word.p + end + 1, word.n - end - 1);
    *block = str_make(text, word.n - 2);
    return true;
}

static int parse(struct str word, struct block *block, struct error *error)
{
    char text[BLOCK_TEXT_SIZE];
    (void)without_brackets(word, text, &word);
    if (!block_is_meant(word))
        return error_set(error, -EINVAL, "\"%.*s\" is no block of addresses, and a name has no meaning in mynetworks",
                         STR_ARGS(word));
    return block_parse(word, block, error);
}

static bool overlap(const struct block *a, const struct block *b)
{
    return a->first.v6 == b->first.v6 && ip_compare(&a->first, &b->last) <= 0 && ip_compare(&b->first, &a->last) <= 0;
}

static int except(struct networks *networks, size_t line, struct str word)
{
    struct exception exception = { .line = line };
    struct error error;
    if (parse(str_from(word, 1), &exception.block, &error) < 0) {
        networks->sink->pass_over(networks->sink->context, line, word, "an exception that is no block of addresses");
        return 0;
    }
    if (!ARRAY_RESERVE(networks->exceptions, networks->exceptions_size, networks->n_exceptions))
        return -ENOMEM;
    networks->exceptions[networks->n_exceptions++] = exception;
    return 0;
}

static int take_block(struct networks *networks, size_t line, struct str word)
{
    struct list_entry entry = { .line = line, .kind = networks->kind };
    struct block block;
    struct error error;
    char text[BLOCK_TEXT_SIZE];
    if (parse(word, &block, &error) < 0) {
        list_sink_fault(networks->sink, line, "%s", error.text);
        return 0;
    }
    for (size_t i = 0; i < networks->n_exceptions; i++)
        if (overlap(&networks->exceptions[i].block, &block))
            networks->exceptions[i].matters = true;
    entry.key = word;
    (void)without_brackets(word, text, &entry.key);
    return networks->sink->take(networks->sink->context, &entry);
}

static int take_word(struct networks *networks, size_t line, struct str word)
{
    const struct list_sink *sink = networks->sink;
    if (word.p[0] == '!')
        return except(networks, line, word);
    if (!list_is_table(word))
        return take_block(networks, line, word);
    sink->pass_over(sink->context, line, word,
                    word.p[0] == '/'   ? "it is a file: import that file by itself"
                    : word.p[0] == '$' ? "it is a parameter of Postfix: import what postconf -x prints"
                                       : "it is a table: import what postmap -s prints of it");
    return 0;
}

static void tell_exceptions(const struct networks *networks)
{
    const struct list_sink *sink = networks->sink;
    for (size_t i = 0; i < networks->n_exceptions; i++) {
        const struct exception *exception = &networks->exceptions[i];
        char block[BLOCK_TEXT_SIZE];
        block_format(&exception->block, block);
        if (exception->matters)
            list_sink_fault(sink, exception->line,
                            "\"!%s\" is not taken because no rule has exceptions, and what follows it would count "
                            "there; make it a rule of its own, gatepost add %s %s, and take it out of here",
                            block, list_other_kind(networks->kind)->name, block);
        else
            sink->pass_over(sink->context, exception->line, str_of(block),
                            "it is an exception to nothing that follows");
    }
}

int list_read_mynetworks(struct list_file *file, const struct kind *kind, const struct list_sink *sink)
{
    struct networks networks = { .sink = sink, .kind = kind };
    struct list_cursor cursor = { 0 };
    struct str line, word;
    int r;
    while ((r = list_next_line(file, &cursor, &line)) > 0) {
        (void)list_cut_remark(&line, "#");
        (void)list_cut_mynetworks(&line);
        if (line.n > 0 && line.p[line.n - 1] == '\\') /* as in other programs, a line that goes on */
            line.n--;
        while (r > 0 && str_next_word(&line, &word))
            r = take_word(&networks, cursor.number, word) < 0 ? -ENOMEM : 1;
        if (r < 0)
            break;
    }
    if (r == 0)
        tell_exceptions(&networks);
    free(networks.exceptions);
    return r;
}
