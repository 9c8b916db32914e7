#include "cli/usage.h"

#include <string.h>

static bool takes_value(const struct command *command, struct str option)
{
    for (const struct option *o = command->options; o && o->name; o++)
        if (option.n > 2 && str_is(str_from(option, 2), o->name))
            return o->has_arg != no_argument;
    return false;
}

/* Behind the bracket that belongs to the one at the front. */
static struct str skip_brackets(struct str rest)
{
    int depth = 0;
    size_t i = 0;
    do {
        depth += (rest.p[i] == '[') - (rest.p[i] == ']');
        i++;
    } while (i < rest.n && depth > 0);
    return str_from(rest, i);
}

static bool is_between(char c)
{
    return c == ' ' || c == '[' || c == ']' || c == '.';
}

/* The next word of one alternative, options among them; empty at its end. */
static struct str next_word(struct str *rest)
{
    while (rest->n > 0 && is_between(rest->p[0])) {
        bool is_option = rest->n > 1 && rest->p[0] == '[' && rest->p[1] == '-';
        *rest = is_option ? skip_brackets(*rest) : str_from(*rest, 1);
    }
    size_t n = 0;
    while (n < rest->n && rest->p[n] != ' ' && rest->p[n] != '[' && rest->p[n] != ']')
        n++;
    struct str word = str_first(*rest, n);
    *rest = str_from(*rest, n);
    return word;
}

static bool is_repeated(struct str word)
{
    return word.n > 3 && memcmp(word.p + word.n - 3, "...", 3) == 0;
}

/* The next argument, without its dots; empty at the end. */
static struct str next_argument(const struct command *command, struct str *rest, bool *repeated)
{
    struct str word = next_word(rest);
    while (word.n > 0 && (word.p[0] == '-' || word.p[0] == '|')) {
        if (word.p[0] == '|' || takes_value(command, word))
            (void)next_word(rest);
        word = next_word(rest);
    }
    *repeated = is_repeated(word) || (rest->n > 3 && memcmp(rest->p, "]...", 4) == 0);
    return is_repeated(word) ? str_first(word, word.n - 3) : word;
}

static bool stands_for_itself(struct str argument)
{
    return argument.p[0] >= 'a' && argument.p[0] <= 'z';
}

/* One of the words between the bars is that. */
static bool has_choice(struct str choices, const char *word)
{
    while (choices.n > 0) {
        size_t n = str_find(choices, '|');
        if (str_is(str_first(choices, n), word))
            return true;
        choices = str_from(choices, n < choices.n ? n + 1 : n);
    }
    return false;
}

static void visit_alternative(const struct command *command, struct str rest, const char *const *words, size_t n,
                              usage_visit *visit, void *context)
{
    const char *kind = NULL, *name = NULL;
    bool repeated = false;
    struct str argument = next_argument(command, &rest, &repeated);
    for (size_t i = 0; i < n && argument.n > 0; i++) {
        if (stands_for_itself(argument) && !has_choice(argument, words[i]))
            return;
        if (str_is(argument, "KIND"))
            kind = words[i];
        else if (str_is(argument, "NAME"))
            name = words[i];
        if (!repeated)
            argument = next_argument(command, &rest, &repeated);
    }
    if (argument.n > 0)
        visit(context, argument, kind, name);
}

/* The length of the alternative at the front: up to a bar outside of all brackets. */
static size_t alternative_length(struct str rest)
{
    int depth = 0;
    size_t i = 0;
    for (; i < rest.n; i++) {
        depth += (rest.p[i] == '[') - (rest.p[i] == ']');
        if (depth == 0 && rest.n - i >= 3 && memcmp(rest.p + i, " | ", 3) == 0)
            break;
    }
    return i;
}

void usage_each_next(const struct command *command, const char *const *words, size_t n, usage_visit *visit,
                     void *context)
{
    for (struct str rest = str_of(command->arguments); rest.n > 0;) {
        size_t length = alternative_length(rest);
        visit_alternative(command, str_first(rest, length), words, n, visit, context);
        rest = str_from(rest, length < rest.n ? length + 3 : length);
    }
}

struct str usage_of_option(const struct command *command, const char *option)
{
    size_t n = strlen(option);
    for (const char *at = command->arguments; (at = strstr(at, "--")) != NULL; at += 2)
        if (strncmp(at + 2, option, n) == 0 && at[2 + n] == ' ')
            return str_make(at + 3 + n, strcspn(at + 3 + n, " ]"));
    return str_make("", 0);
}
