#include "lists/list_format.h"

#include "core/block.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

const struct list_format_info list_formats[LIST_FORMATS] = {
    [LIST_PLAIN] = { "plain", "one rule a line", false, true, list_read_plain },
    [LIST_JSON] = { "json", "JSON", false, true, list_read_json },
    [LIST_CIDR] = { "cidr", "a Postfix cidr table", true, false, list_read_cidr },
    [LIST_MYNETWORKS] = { "mynetworks", "Postfix's mynetworks", false, false, list_read_mynetworks },
    [LIST_IMAIL] = { "imail", "a list of IMail", false, false, list_read_imail },
    [LIST_ICEWARP] = { "icewarp", "a list of IceWarp", false, false, list_read_icewarp },
};

enum list_format list_format_by_name(const char *name)
{
    int f = 0;
    while (f < LIST_FORMATS && strcmp(list_formats[f].name, name) != 0)
        f++;
    return (enum list_format)f;
}

bool list_kind_has_blocks(const struct kind *kind)
{
    return kind->table == RULE_ACCESS_BLOCK || kind->table == RULE_RELAY_GRANT;
}

const struct kind *list_other_kind(const struct kind *kind)
{
    for (size_t i = 0; i < KIND_COUNT; i++)
        if (kinds[i].table == kind->table && &kinds[i] != kind)
            return &kinds[i];
    return kind;
}

void list_sink_fault(const struct list_sink *sink, size_t line, const char *format, ...)
{
    struct error error;
    va_list args;
    va_start(args, format);
    (void)vsnprintf(error.text, sizeof error.text, format, args);
    va_end(args);
    sink->fault(sink->context, line, error.text);
}

int list_next_line(struct list_file *file, struct list_cursor *cursor, struct str *line)
{
    int r;
    do
        r = list_file_next(file, cursor, line);
    while (r > 0 && (line->n == 0 || line->p[0] == '#' || line->p[0] == ';'));
    return r;
}

struct str list_cut_remark(struct str *line, const char *marks)
{
    for (size_t i = 0; i < line->n; i++) {
        if (!strchr(marks, line->p[i]) || (i > 0 && line->p[i - 1] != ' ' && line->p[i - 1] != '\t'))
            continue;
        struct str remark = str_trim(str_from(*line, i + 1));
        *line = str_trim(str_first(*line, i));
        return str_make(remark.n > 0 ? remark.p : NULL, remark.n);
    }
    return str_make(NULL, 0);
}

static bool is_letters(struct str word)
{
    for (size_t i = 0; i < word.n; i++)
        if (ascii_lower(word.p[i]) < 'a' || ascii_lower(word.p[i]) > 'z')
            return false;
    return word.n > 0;
}

/* IPv6 may begin with letters and a colon, too. */
static bool block_is_right(struct str word)
{
    struct block block;
    return block_parse(word, &block, NULL) == 0;
}

bool list_is_table(struct str word)
{
    size_t colon = str_find(word, ':'), slash = str_find(word, '/');
    if (word.n > 0 && (word.p[0] == '/' || word.p[0] == '$'))
        return true;
    return colon < slash && slash < word.n && is_letters(str_first(word, colon)) && !block_is_right(word);
}

bool list_is_condition(struct str word)
{
    return str_equal_nocase(word, str_of("if")) || str_equal_nocase(word, str_of("endif"));
}

bool list_cut_mynetworks(struct str *line)
{
    static const struct str name = STR("mynetworks");
    size_t equals = str_find(*line, '=');
    if (equals == line->n || !str_equal(str_trim(str_first(*line, equals)), name))
        return false;
    *line = str_trim(str_from(*line, equals + 1));
    return true;
}

/* Recognising. */

static bool is_ip4(struct str word)
{
    struct ip_addr addr;
    return ip_parse(word, &addr) && !addr.v6;
}

static bool is_action(struct str word)
{
    size_t underscore = str_find(word, '_'); /* permit_auth_destination and the like */
    if (underscore < word.n)
        return is_letters(str_first(word, underscore));
    return is_letters(word) || (word.n == 3 && word.p[0] >= '4' && ascii_is_digit(word.p[1]));
}

/* What a line of blocks speaks for; LIST_PLAIN where it could be of any format. */
static enum list_format of_blocks(struct str line)
{
    struct str rest = line, first, second, third;
    struct str remark = list_cut_remark(&rest, ";");
    bool has_comma = str_find(rest, ',') < rest.n;
    if (remark.p || str_find(line, ';') < line.n)
        return LIST_ICEWARP;
    (void)list_cut_remark(&rest, "#");
    if (list_cut_mynetworks(&rest))
        return LIST_MYNETWORKS;
    if (!str_next_word(&rest, &first))
        return LIST_PLAIN;
    if (first.p[0] == '!' || first.p[0] == '[' || list_is_table(first))
        return str_next_word(&rest, &second) && is_action(second) ? LIST_CIDR : LIST_MYNETWORKS;
    if (list_is_condition(first))
        return LIST_CIDR;
    if (first.n > 4 && str_ends_with(first, str_of(".*.*")))
        return LIST_ICEWARP;
    if (!str_next_word(&rest, &second))
        return has_comma ? LIST_MYNETWORKS : LIST_PLAIN;
    if (str_is(second, "until"))
        return LIST_PLAIN;
    if (is_action(second))
        return LIST_CIDR;
    if (is_ip4(first) && is_ip4(second) && !str_next_word(&rest, &third))
        return LIST_IMAIL;
    return LIST_MYNETWORKS;
}

/* In a list of senders only IMail has hosts and addresses without @. */
static enum list_format of_senders(struct str line)
{
    struct str rest = line;
    (void)list_cut_remark(&rest, "#;");
    return rest.n > 0 && rest.p[0] != '"' && str_find(rest, '@') == rest.n ? LIST_IMAIL : LIST_PLAIN;
}

static bool is_imail_name(const char *name)
{
    const char *slash = strrchr(name, '/');
    struct str base = str_of(slash ? slash + 1 : name);
    static const struct str kill = STR("kill.lst"), accept = STR("accept.txt");
    return str_equal_nocase(base, kill) || str_equal_nocase(base, accept);
}

static int recognise_lines(struct list_file *file, const struct kind *kind, enum list_format *format,
                           struct error *error)
{
    struct list_cursor cursor = { 0 };
    struct str line;
    size_t decided_at = 0;
    int r;
    *format = LIST_PLAIN;
    while ((r = list_next_line(file, &cursor, &line)) > 0) {
        enum list_format speaks_for = list_kind_has_blocks(kind) ? of_blocks(line) : of_senders(line);
        if (speaks_for == LIST_PLAIN || speaks_for == *format)
            continue;
        if (*format != LIST_PLAIN)
            return error_set(error, -EINVAL, "%s: line %zu looks like %s, line %zu like %s; say --from %s or --from %s",
                             file->name, decided_at, list_formats[*format].meaning, cursor.number,
                             list_formats[speaks_for].meaning, list_formats[*format].name,
                             list_formats[speaks_for].name);
        *format = speaks_for;
        decided_at = cursor.number;
    }
    file->n_latin1 = 0;
    return r < 0 ? error_set(error, r, "out of memory") : 0;
}

/* The first line of what gatepost has written says the kind, or of a cidr table one of its table, and the format. What
 * was one kind is not to become another by mistake: denied clients, say, ones that may relay. */
static int recognise_ours(const struct list_file *file, const struct kind *kind, enum list_format *format,
                          struct error *error)
{
    struct str rest = str_make(file->bytes, strcspn(file->bytes, "\r\n")), word[4];
    size_t n = 0;
    while (n < 4 && str_next_word(&rest, &word[n]))
        n++;
    *format = n == 4 && str_is(word[3], "cidr") ? LIST_CIDR : LIST_PLAIN;
    if (n < 4 || !str_is(word[3], list_formats[*format].name))
        return 0;
    for (size_t i = 0; i < KIND_COUNT; i++)
        if (str_is(word[2], kinds[i].name) && &kinds[i] != kind &&
            !(*format == LIST_CIDR && kinds[i].table == kind->table))
            return error_set(error, -EINVAL,
                             "%s:1: these are rules of the kind %s; to make them %s all the same: --from %s",
                             file->name, kinds[i].name, kind->name, list_formats[*format].name);
    return 0;
}

int list_format_recognise(struct list_file *file, const struct kind *kind, enum list_format *format,
                          struct error *error)
{
    bool has_senders = kind->table == RULE_KILL_ENTRY || kind->table == RULE_ACCEPT_ENTRY;
    *format = LIST_PLAIN;
    if (file->is_json)
        *format = LIST_JSON;
    else if (file->is_ours)
        return recognise_ours(file, kind, format, error);
    else if (has_senders && is_imail_name(file->name))
        *format = LIST_IMAIL;
    else if (has_senders || list_kind_has_blocks(kind))
        return recognise_lines(file, kind, format, error);
    return 0;
}
