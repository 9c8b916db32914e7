/*
 * str: a run of bytes that somebody else owns.
 *
 * Text from the network or from SQLite travels as pointer and length: it need not end in NUL, and is not copied to be
 * looked at. A str is valid as long as what it points into.
 */
#ifndef GATEPOST_CORE_STR_H
#define GATEPOST_CORE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct str {
    const char *p;
    size_t n;
};

/* A literal as a str, for initialisers too. */
#define STR(literal)                                                                                                   \
    {                                                                                                                  \
        (literal), sizeof(literal) - 1                                                                                 \
    }

static inline struct str str_make(const char *p, size_t n)
{
    return (struct str){ p, n };
}

/* NULL becomes the empty str. */
static inline struct str str_of(const char *text)
{
    return (struct str){ text ? text : "", text ? strlen(text) : 0 };
}

static inline bool str_is(struct str a, const char *text)
{
    size_t n = strlen(text);
    return a.n == n && memcmp(a.p, text, n) == 0;
}

static inline bool str_equal(struct str a, struct str b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

static inline char ascii_lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static inline bool ascii_is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static inline bool ascii_is_control(char c)
{
    return (unsigned char)c < 0x20 || c == 0x7f;
}

/* Equal but for the case of ASCII letters. */
static inline bool str_equal_nocase(struct str a, struct str b)
{
    if (a.n != b.n)
        return false;
    for (size_t i = 0; i < a.n; i++)
        if (ascii_lower(a.p[i]) != ascii_lower(b.p[i]))
            return false;
    return true;
}

static inline bool str_ends_with(struct str a, struct str end)
{
    return a.n >= end.n && (end.n == 0 || memcmp(a.p + a.n - end.n, end.p, end.n) == 0);
}

/* The bytes from `from` on; `from` is at most a.n. */
static inline struct str str_from(struct str a, size_t from)
{
    return (struct str){ a.p + from, a.n - from };
}

static inline struct str str_first(struct str a, size_t n)
{
    return (struct str){ a.p, n };
}

/* Where c is for the first or the last time; a.n where it is not. */
static inline size_t str_find(struct str a, char c)
{
    const char *at = a.n ? memchr(a.p, c, a.n) : NULL;
    return at ? (size_t)(at - a.p) : a.n;
}

static inline size_t str_find_last(struct str a, char c)
{
    size_t at = a.n;
    for (size_t i = str_find(a, c); i < a.n; i += 1 + str_find(str_from(a, i + 1), c))
        at = i;
    return at;
}

/* True where every byte is below 0x80. */
static inline bool str_is_ascii(struct str a)
{
    uint64_t bits = 0, word;
    size_t i = 0;
    for (; a.n - i >= sizeof word; i += sizeof word) {
        memcpy(&word, a.p + i, sizeof word);
        bits |= word;
    }
    for (; i < a.n; i++)
        bits |= (unsigned char)a.p[i] & 0x80U;
    return (bits & UINT64_C(0x8080808080808080)) == 0;
}

/* Without the white space at both ends. */
static inline struct str str_trim(struct str a)
{
    while (a.n > 0 && memchr(" \t\r\f\v", a.p[a.n - 1], 5))
        a.n--;
    while (a.n > 0 && memchr(" \t\r\f\v", a.p[0], 5))
        a = str_from(a, 1);
    return a;
}

/* Cuts the next word off *rest, where words are separated by blanks or commas. False where none is left. */
static inline bool str_next_word(struct str *rest, struct str *word)
{
    size_t i = 0;
    while (i < rest->n && (rest->p[i] == ' ' || rest->p[i] == '\t' || rest->p[i] == ','))
        i++;
    *rest = str_from(*rest, i);
    for (i = 0; i < rest->n && rest->p[i] != ' ' && rest->p[i] != '\t' && rest->p[i] != ','; i++)
        ;
    *word = str_first(*rest, i);
    *rest = str_from(*rest, i);
    return word->n > 0;
}

/* A number in digits alone, without sign, at most max; false otherwise, with *value untouched. */
static inline bool str_to_number(struct str a, unsigned long max, unsigned long *value)
{
    unsigned long v = 0;
    if (a.n == 0)
        return false;
    for (size_t i = 0; i < a.n; i++) {
        if (!ascii_is_digit(a.p[i]))
            return false;
        unsigned long digit = (unsigned long)(a.p[i] - '0');
        if (v > (max - digit) / 10)
            return false;
        v = v * 10 + digit;
    }
    *value = v;
    return true;
}

/* For printf: "%.*s" with STR_ARGS(s). */
#define STR_ARGS(s) (int)(s).n, (s).p

#endif
