/*
 * Words for a shell: written so that a person can read them, and read by a shell as they were meant.
 */
#include "console/shell_word.h"
#include "core/text.h"
#include "suite.h"

#include <stdio.h>

static const struct {
    const char *text, *word;
    bool plain;
} words[] = {
    { "192.0.2.0/24", "192.0.2.0/24", true },
    { "fred@example.org", "fred@example.org", true },
    { "2001:db8::/32", "2001:db8::/32", true },
    { "", "''", true },
    { "@*widget.example", "'@*widget.example'", true },
    { "two words", "'two words'", true },
    { "it's", "\"it's\"", true },
    { "a = 'b'", "\"a = 'b'\"", true },
    { "it's $5", "'it'\\''s $5'", true },
    { "it's `id`", "'it'\\''s `id`'", true },
    { "it's \"so\"", "'it'\\''s \"so\"'", true },
    { "it's\\", "'it'\\''s\\'", true },
    { "it's!", "'it'\\''s!'", true },
    { "~root", "'~root'", true },
    { "a;b|c&d>e<f(g)", "'a;b|c&d>e<f(g)'", true },
    { "j\xc3\xbcrgen", "'j\xc3\xbcrgen'", true },
    { "a\nb", "'a\nb'", false },
    { "\033[2J", "'\033[2J'", false },
    { "caf\xe9", "'caf\xe9'", false },
    { "\xe2\x80\xaegro", "'\xe2\x80\xaegro'", false }, /* shown from right to left */
};

static void make_word(const char *text, char *word, size_t size)
{
    FILE *out = fmemopen(word, size, "w");
    ck_assert_ptr_nonnull(out);
    shell_word_put(out, str_of(text));
    ck_assert_int_eq(fclose(out), 0);
}

START_TEST(word_is_quoted_where_it_must_be)
{
    char word[128];
    make_word(words[_i].text, word, sizeof word);
    ck_assert_str_eq(word, words[_i].word);
    ck_assert_int_eq(text_is_harmless(str_of(words[_i].text)), words[_i].plain);
}
END_TEST

START_TEST(shell_reads_what_was_meant)
{
    char word[128], command[160], read[128] = "";
    make_word(words[_i].text, word, sizeof word);
    (void)snprintf(command, sizeof command, "printf %%s %s", word);
    FILE *shell = popen(command, "r");
    ck_assert_ptr_nonnull(shell);
    read[fread(read, 1, sizeof read - 1, shell)] = '\0';
    ck_assert_int_eq(pclose(shell), 0);
    ck_assert_str_eq(read, words[_i].text);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("shell_word");
    TCase *tcase = suite_case(suite, "shell_word");
    tcase_add_loop_test(tcase, word_is_quoted_where_it_must_be, 0, COUNT(words));
    tcase_add_loop_test(tcase, shell_reads_what_was_meant, 0, COUNT(words));
    return suite_run(suite);
}
