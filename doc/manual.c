/*
 * manual: the parts of the manual pages that are tables in the program (run when the pages are made).
 *
 * `manual keys` prints the configuration keys for gatepost.conf(5), `manual settings` the settings and the texts of
 * replies for gatepost-rules(7), both as mdoc.
 */
#include "conf/config.h"
#include "core/reason.h"
#include "core/settings.h"

#include <stdio.h>
#include <string.h>

enum {
    FILL_COLUMNS = 78, /* mandoc's style check asks for input lines up to 80 bytes */
    VALUES_SIZE = 256
};

/* Text goes out word by word, so that no line gets long and each sentence begins on a line of its own. */
struct filler {
    size_t column;
    bool after_sentence;
};

/* A backslash would begin an escape. Returns the columns used. */
static size_t put_escaped(const char *text, size_t n)
{
    size_t columns = n;
    for (size_t i = 0; i < n; i++) {
        if (text[i] == '\\') {
            (void)fputs("\\e", stdout);
            columns++;
        } else {
            (void)putchar(text[i]);
        }
    }
    return columns;
}

static void put_word(struct filler *filler, const char *word, size_t n)
{
    if (filler->column > 0 && (filler->after_sentence || filler->column + 1 + n > FILL_COLUMNS)) {
        (void)putchar('\n');
        filler->column = 0;
    }
    if (filler->column > 0) {
        (void)putchar(' ');
        filler->column++;
    } else if (word[0] == '.' || word[0] == '\'') { /* which would make the line a macro */
        (void)fputs("\\&", stdout);
        filler->column += 2;
    }
    filler->column += put_escaped(word, n);
    filler->after_sentence = word[n - 1] == '.';
}

static void put_text(struct filler *filler, const char *text)
{
    while (*text) {
        size_t n = strcspn(text, " ");
        if (n > 0)
            put_word(filler, text, n);
        text += n + strspn(text + n, " ");
    }
}

static void end_text(struct filler *filler)
{
    if (filler->column > 0)
        (void)putchar('\n');
    *filler = (struct filler){ 0 };
}

static void put_sentence(const char *text)
{
    struct filler filler = { 0 };
    put_text(&filler, text);
    end_text(&filler);
}

/* One argument of a macro, never taken for a macro or for punctuation; quotes and blanks are part of it. */
static void put_argument(const char *text, bool quoted)
{
    (void)fputs(quoted ? " \"\\&\\(dq" : " \"\\&", stdout);
    for (; *text; text++) {
        if (*text == '"')
            (void)fputs("\\(dq", stdout);
        else
            (void)put_escaped(text, 1);
    }
    (void)fputs(quoted ? "\\(dq\"" : "\"", stdout);
}

static void begin_list(void)
{
    (void)puts(".Bl -tag -width Ds");
}

static void end_list(void)
{
    (void)puts(".El");
}

/* The configuration keys. */

/* As one would write it in the file. */
static void put_presets(const struct config_info *info)
{
    bool is_list = info->type == CONFIG_IS_LIST, is_text = is_list || info->type == CONFIG_IS_TEXT;
    if (!info->presets[0])
        return;
    (void)fputs(is_list ? " No = { Cm" : " No = Cm", stdout);
    for (size_t i = 0; info->presets[i]; i++) {
        if (i > 0)
            (void)fputs(" , Cm", stdout);
        put_argument(info->presets[i], is_text);
    }
    if (is_list)
        (void)fputs(" No }", stdout);
}

static void describe_key(const struct config_info *info, char *text, size_t size)
{
    size_t used = 0;
    switch (info->type) {
    case CONFIG_IS_TEXT:
        text[0] = '\0'; /* goes without saying */
        break;
    case CONFIG_IS_LIST:
        (void)snprintf(text, size, "A list.");
        break;
    case CONFIG_IS_MODE:
        (void)snprintf(text, size, "An octal number up to %04o.", info->max);
        break;
    case CONFIG_IS_NUMBER:
        (void)snprintf(text, size, "A number from %u to %u.", info->min, info->max);
        break;
    case CONFIG_IS_CHOICE:
        for (size_t i = 0; info->choices[i] && used < size; i++) {
            const char *before = i == 0 ? "One of " : info->choices[i + 1] ? ", " : " or ";
            int n =
                snprintf(text + used, size - used, "%s%s%s", before, info->choices[i], info->choices[i + 1] ? "" : ".");
            used += n > 0 ? (size_t)n : 0;
        }
        break;
    }
}

static void print_key(const struct config_info *info)
{
    struct filler filler = { 0 };
    char values[VALUES_SIZE];
    describe_key(info, values, sizeof values);
    printf(".It Cm %s", info->name);
    put_presets(info);
    (void)putchar('\n');
    put_text(&filler, info->meaning);
    put_text(&filler, values);
    if (!info->presets[0])
        put_text(&filler, "Not set by default.");
    if (!info->in_use)
        put_text(&filler, "This version does not use it yet.");
    end_text(&filler);
}

static void print_keys(void)
{
    begin_list();
    for (int k = 0; k < CONFIG_COUNT; k++)
        print_key(config_info((enum config_key)k));
    end_list();
}

/* The settings. */

static void put_name_and_preset(const char *name, const char *preset)
{
    printf(".It Cm %s No = Cm", name);
    put_argument(preset, *preset == '\0');
    (void)putchar('\n');
}

static void print_setting(enum setting setting)
{
    const struct setting_info *info = setting_info(setting);
    struct filler filler = { 0 };
    char values[VALUES_SIZE];
    setting_describe(setting, values, sizeof values);
    put_name_and_preset(info->name, info->preset);
    put_text(&filler, info->meaning);
    put_text(&filler, "Values:");
    put_text(&filler, values);
    (void)putchar('.');
    end_text(&filler);
}

static void print_text(enum reason reason)
{
    put_name_and_preset(setting_info((enum setting)(SETTING_TEXT + (int)reason))->name, reasons[reason].text);
    printf("For the reason\n.Cm %s .\n", reasons[reason].name);
}

static void print_settings(void)
{
    char values[VALUES_SIZE];
    struct filler filler = { 0 };
    begin_list();
    for (int s = 0; s < SETTING_TEXT; s++)
        print_setting((enum setting)s);
    end_list();

    (void)puts(".Pp");
    put_sentence("The rest are the texts of refusals, one for each reason.");
    put_text(&filler, "A text is");
    setting_describe(SETTING_TEXT, values, sizeof values);
    put_text(&filler, values);
    (void)putchar('.');
    end_text(&filler);
    begin_list();
    for (int r = 0; r < REASON_COUNT; r++)
        print_text((enum reason)r);
    end_list();
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "keys") == 0)
        print_keys();
    else if (argc == 2 && strcmp(argv[1], "settings") == 0)
        print_settings();
    else {
        (void)fputs("usage: manual keys | settings\n", stderr);
        return 2;
    }
    return fflush(stdout) == 0 && !ferror(stdout) ? 0 : 1;
}
