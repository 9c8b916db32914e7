#include "console/words.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static const char blanks[] = " \t\r\n";

void words_fini(struct words *words)
{
    free(words->word);
    free(words->texts);
    *words = (struct words){ 0 };
}

/* Copies the word that *line begins with, and its NUL, to *to. False where a quote or backslash has no end. */
static bool copy_word(const char **line, char **to)
{
    char quote = '\0';
    for (; **line && (quote || !strchr(blanks, **line)); ++*line) {
        char c = **line;
        if (quote ? c == quote : c == '"' || c == '\'') {
            quote = quote ? '\0' : c;
            continue;
        }
        if (c == '\\' && quote != '\'' && (c = *++*line) == '\0')
            return false;
        *(*to)++ = c;
    }
    *(*to)++ = '\0';
    return !quote;
}

int words_split(struct words *words, const char *line, struct error *error)
{
    size_t size = strlen(line) + 2;
    *words = (struct words){ .word = calloc(size / 2 + 1, sizeof *words->word), .texts = malloc(size) };
    if (!words->word || !words->texts)
        return error_set(error, -ENOMEM, "out of memory");
    char *to = words->texts;
    for (line += strspn(line, blanks); *line; line += strspn(line, blanks)) {
        words->word[words->n++] = to;
        if (!copy_word(&line, &to))
            return error_set(error, -EINVAL, "a quote or backslash without an end");
    }
    return 0;
}
