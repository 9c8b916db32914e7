#include "console/shell_word.h"

static bool is_safe(char c)
{
    return ascii_is_digit(c) || (ascii_lower(c) >= 'a' && ascii_lower(c) <= 'z') ||
           (c != '\0' && strchr("@%_+=:,./-", c));
}

/* In double quotes these mean something, ! to a person's shell alone. */
static bool needs_single_quotes(struct str text)
{
    for (size_t i = 0; i < text.n; i++)
        if (strchr("\"$`\\!", text.p[i]))
            return true;
    return str_find(text, '\'') == text.n;
}

static void put_in_single_quotes(FILE *out, struct str text)
{
    fputc('\'', out);
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] == '\'')
            fputs("'\\''", out);
        else
            fputc(text.p[i], out);
    }
    fputc('\'', out);
}

void shell_word_put(FILE *out, struct str text)
{
    size_t safe = 0;
    while (safe < text.n && is_safe(text.p[safe]))
        safe++;
    if (safe == text.n && text.n > 0)
        (void)fwrite(text.p, 1, text.n, out);
    else if (needs_single_quotes(text))
        put_in_single_quotes(out, text);
    else
        fprintf(out, "\"%.*s\"", STR_ARGS(text));
}
