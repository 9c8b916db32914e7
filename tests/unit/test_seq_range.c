#include "console/seq_range.h"
#include "suite.h"

#include <errno.h>
#include <string.h>

static const struct {
    const char *text;
    int64_t first, last;
} good[] = {
    { "1", 1, 1 },       { "17", 17, 17 }, { "17-1016", 17, 1016 },
    { "17-17", 17, 17 }, { "007", 7, 7 },  { "9223372036854775806", INT64_MAX - 1, INT64_MAX - 1 },
};

static const struct {
    const char *text, *says;
} bad[] = {
    { "", "17-1016" },      { "0", "17-1016" },
    { "x", "17-1016" },     { "-5", "17-1016" },
    { "5-", "17-1016" },    { "0-5", "17-1016" },
    { "1-2-3", "17-1016" }, { "1..3", "17-1016" },
    { " 1", "17-1016" },    { "1 ", "17-1016" },
    { "+1", "17-1016" },    { "1e3", "17-1016" },
    { "5-3", "higher" },    { "1,2", "17-1016" },
    { "0x11", "17-1016" },  { "9223372036854775807", "17-1016" },
    { "1--2", "17-1016" },  { "99999999999999999999", "17-1016" },
};

START_TEST(range_is_read_and_written)
{
    struct seq_range range;
    char text[SEQ_RANGE_TEXT_SIZE];
    ck_assert_int_eq(seq_range_parse(good[_i].text, &range, NULL), 0);
    ck_assert_int_eq(range.first, good[_i].first);
    ck_assert_int_eq(range.last, good[_i].last);
    seq_range_format(&range, text);
    struct seq_range again;
    ck_assert_int_eq(seq_range_parse(text, &again, NULL), 0);
    ck_assert_int_eq(again.first, range.first);
    ck_assert_int_eq(again.last, range.last);
    ck_assert_int_eq(strchr(text, '-') != NULL, range.first != range.last);
}
END_TEST

START_TEST(what_is_no_range_is_refused)
{
    struct seq_range range;
    struct error error = { "" };
    ck_assert_int_eq(seq_range_parse(bad[_i].text, &range, &error), -EINVAL);
    ck_assert_msg(strstr(error.text, bad[_i].says) != NULL, "%s", error.text);
}
END_TEST

START_TEST(ranges_are_joined)
{
    struct seq_range ranges[] = { { 20, 30 }, { 5, 5 },   { 1, 3 },   { 25, 27 },
                                  { 6, 8 },   { 30, 31 }, { 40, 40 }, { 40, 40 } };
    size_t n = seq_ranges_join(ranges, COUNT(ranges));
    ck_assert_uint_eq(n, 4);
    static const int64_t expected[][2] = { { 1, 3 }, { 5, 8 }, { 20, 31 }, { 40, 40 } };
    for (size_t i = 0; i < n; i++) {
        ck_assert_int_eq(ranges[i].first, expected[i][0]);
        ck_assert_int_eq(ranges[i].last, expected[i][1]);
    }
    static const int64_t held[] = { 1, 3, 5, 8, 20, 31, 40 }, not_held[] = { 0, 4, 9, 19, 32, 39, 41, INT64_MAX };
    for (int i = 0; i < COUNT(held); i++)
        ck_assert(seq_ranges_hold(ranges, n, held[i]));
    for (int i = 0; i < COUNT(not_held); i++)
        ck_assert(!seq_ranges_hold(ranges, n, not_held[i]));
    ck_assert_uint_eq(seq_ranges_join(ranges, 0), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("seq_range");
    TCase *tcase = suite_case(suite, "seq_range");
    tcase_add_loop_test(tcase, range_is_read_and_written, 0, COUNT(good));
    tcase_add_loop_test(tcase, what_is_no_range_is_refused, 0, COUNT(bad));
    tcase_add_test(tcase, ranges_are_joined);
    return suite_run(suite);
}
