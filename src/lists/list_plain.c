/*
 * The plain format (rule_line.h), as gatepost writes it and as people do.
 */
#include "console/times.h"
#include "lists/list_format.h"

#include <errno.h>
#include <stdio.h>

struct plain {
    const struct list_sink *sink;
    struct list_entry *entry;
    char *text; /* what has been in quotes */
    size_t text_n;
};

static void skip_blanks(struct str *rest)
{
    while (rest->n > 0 && (rest->p[0] == ' ' || rest->p[0] == '\t'))
        *rest = str_from(*rest, 1);
}

/* Takes the text in quotes that *rest begins with off it. False where they are not closed. */
static bool take_quoted(struct plain *plain, struct str *rest, struct str *text)
{
    char *to = plain->text + plain->text_n;
    size_t n = 0, i = 1;
    for (; i < rest->n && rest->p[i] != '"'; i++) {
        if (rest->p[i] == '\\' && i + 1 < rest->n)
            i++;
        to[n++] = rest->p[i];
    }
    if (i == rest->n)
        return false;
    plain->text_n += n;
    *text = str_make(to, n);
    *rest = str_from(*rest, i + 1);
    return true;
}

/* The next word, in quotes or not; empty at the end. */
static bool take_word(struct plain *plain, struct str *rest, struct str *word)
{
    skip_blanks(rest);
    if (rest->n > 0 && rest->p[0] == '"') {
        if (take_quoted(plain, rest, word))
            return true;
        list_sink_fault(plain->sink, plain->entry->line, "a \" without the one that closes it");
        return false;
    }
    size_t n = 0;
    while (n < rest->n && rest->p[n] != ' ' && rest->p[n] != '\t')
        n++;
    *word = str_first(*rest, n);
    *rest = str_from(*rest, n);
    return true;
}

static void take_note(struct plain *plain, struct str rest)
{
    struct str quoted;
    skip_blanks(&rest);
    if (rest.n == 0)
        return;
    plain->entry->note = rest;
    if (rest.p[0] == '"' && take_quoted(plain, &rest, &quoted) && rest.n == 0)
        plain->entry->note = quoted;
}

static bool take_until(struct plain *plain, struct str word)
{
    char text[TIMES_TEXT_SIZE];
    struct error error;
    (void)snprintf(text, sizeof text, "%.*s", STR_ARGS(word));
    if (times_parse_moment(text, &plain->entry->expires, &error) < 0) {
        list_sink_fault(plain->sink, plain->entry->line, "until: %s", error.text);
        return false;
    }
    if (plain->entry->expires == RULE_NEVER_EXPIRES)
        plain->entry->expires = 1; /* as good: long ago */
    return true;
}

/* What stands behind the key. */
static bool take_term(struct plain *plain, struct str word, struct str *rest)
{
    struct list_entry *entry = plain->entry;
    const char *column = rule_tables[entry->kind->table].value;
    struct str value;
    if (entry->kind->table == RULE_LOCAL_DOMAIN && (str_is(word, "relay") || str_is(word, "local"))) {
        entry->value = word;
        return true;
    }
    if (str_is(word, "until"))
        return take_word(plain, rest, &value) && take_until(plain, value);
    if (str_is(word, "from") && (entry->kind->options & KIND_HAS_CLIENT) != 0) {
        if (!take_word(plain, rest, &value))
            return false;
        entry->client = str_is(value, "anywhere") ? str_make("", 0) : value;
        return true;
    }
    if (column && (entry->kind->options & (KIND_HAS_ACCOUNT | KIND_HAS_REMOTE_MAIL)) != 0 && str_is(word, column))
        return take_word(plain, rest, &entry->value);
    list_sink_fault(plain->sink, entry->line,
                    "\"%.*s\" behind the key is not understood; what holds a blank stands in \"quotes\", and a note "
                    "behind #",
                    STR_ARGS(word));
    return false;
}

static bool read_terms(struct plain *plain, struct str rest)
{
    struct str word;
    for (;;) {
        skip_blanks(&rest);
        if (rest.n == 0)
            return true;
        if (rest.p[0] == '#') {
            take_note(plain, str_from(rest, 1));
            return true;
        }
        if (!take_word(plain, &rest, &word) || !take_term(plain, word, &rest))
            return false;
    }
}

bool list_read_terms(const struct list_sink *sink, struct str terms, struct list_entry *entry, char *text)
{
    struct plain plain = { sink, entry, text, 0 };
    return read_terms(&plain, terms);
}

int list_read_plain(struct list_file *file, const struct kind *kind, const struct list_sink *sink)
{
    struct list_cursor cursor = { 0 };
    struct str line;
    char text[LIST_LINE_MAX_BYTES];
    int r;
    while ((r = list_next_line(file, &cursor, &line)) > 0) {
        struct list_entry entry = { .line = cursor.number, .kind = kind };
        struct plain plain = { sink, &entry, text, 0 };
        if (line.n > sizeof text)
            list_sink_fault(sink, cursor.number, "a line of more than %d bytes", LIST_LINE_MAX_BYTES);
        else if (take_word(&plain, &line, &entry.key) && read_terms(&plain, line) &&
                 (r = sink->take(sink->context, &entry)) < 0)
            break;
    }
    return r;
}
