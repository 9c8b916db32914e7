/*
 * The trie against a list of rows, and its versions against each other.
 */
#include "core/trie.h"
#include "seeded.h"
#include "suite.h"

#include <stdlib.h>
#include <string.h>

enum { ROW_BYTES = 96, ROWS_MAX = 4096 };

/* A row with room for its key. What follows the key is its number, by which rows with the same key differ. */
union row {
    struct trie_row row;
    unsigned char bytes[ROW_BYTES];
};

static void make_row(union row *row, const void *key, size_t n, unsigned bits, unsigned char number)
{
    size_t bytes = n + (bits ? 1 : 0);
    memset(row, 0, sizeof *row);
    row->row.key_n = (uint16_t)n;
    row->row.bits = (uint8_t)bits;
    row->row.size = (uint16_t)((sizeof row->row + bytes + 1 + 1) / 2 * 2);
    ck_assert_uint_le(row->row.size, sizeof *row);
    memcpy(row->row.key, key, bytes);
    if (bits)
        row->row.key[n] &= (unsigned char)(0xff00U >> bits);
    row->row.key[bytes] = number;
}

static unsigned char number_of(const struct trie_row *row)
{
    return row->key[row->key_n + (row->bits ? 1 : 0)];
}

static bool has_number(const struct trie_row *row, const void *number)
{
    return number_of(row) == *(const unsigned char *)number;
}

/* The model. */
struct model {
    __extension__ union row rows[ROWS_MAX];
    size_t n;
};

static struct model model, before;

static bool same_row(const struct trie_row *a, const struct trie_row *b)
{
    return a->size == b->size && memcmp(a, b, a->size) == 0;
}

static void model_remove(size_t i)
{
    model.rows[i] = model.rows[--model.n];
}

/* What a walk has met: each row of the model at most once, each that is wanted. */
struct meeting {
    const struct model *model;
    bool met[ROWS_MAX];
    size_t n;
};

static bool meet(const struct trie_row *row, void *context)
{
    struct meeting *meeting = context;
    for (size_t i = 0; i < meeting->model->n; i++) {
        if (!meeting->met[i] && same_row(&meeting->model->rows[i].row, row)) {
            meeting->met[i] = true;
            meeting->n++;
            return false;
        }
    }
    ck_abort_msg("a row that is not there, or not as often");
    return true;
}

static void check_all(const struct trie *trie, const struct model *expected)
{
    static struct meeting meeting;
    meeting = (struct meeting){ .model = expected };
    ck_assert(!trie_each(trie, NULL, 0, meet, &meeting));
    ck_assert_uint_eq(meeting.n, expected->n);
}

static bool bit_of(const unsigned char *bytes, size_t at)
{
    return (bytes[at / 8] >> (7 - at % 8) & 1) != 0;
}

static bool is_prefix_of_bits(const struct trie_row *row, const unsigned char *tail, unsigned tail_bits, size_t begin)
{
    size_t bits = 8 * (size_t)row->key_n + row->bits - 8 * begin;
    if (bits > tail_bits)
        return false;
    for (size_t i = 0; i < bits; i++)
        if (bit_of(row->key + begin, i) != bit_of(tail, i))
            return false;
    return true;
}

/* Which rows a query meets, by looking at all of them. */
static bool is_wanted(const struct trie_query *query, const struct trie_row *row)
{
    size_t at = 0;
    if (query->n == 0)
        return is_prefix_of_bits(row, query->tail, query->tail_bits, 0);
    while (at < row->key_n && row->key[at] >= TRIE_MARKS)
        at++;
    if (at > query->n || memcmp(row->key, query->text, at) != 0)
        return false;
    for (size_t i = 0; i < at; i++)
        if (query->text[i] < TRIE_TEXT_MIN)
            return false;
    return query->ends(query, at, row->key[at]) && is_prefix_of_bits(row, query->tail, query->tail_bits, at + 1);
}

/* Millions of times: an assertion that holds costs more than a look-up. */
static void check_query(const struct trie *trie, const struct trie_query *query)
{
    static struct meeting meeting;
    size_t wanted = 0;
    meeting.model = &model;
    meeting.n = 0;
    memset(meeting.met, 0, model.n);
    if (trie_match(trie, query, meet, &meeting))
        ck_abort_msg("ended, though nobody wanted that");
    for (size_t i = 0; i < model.n; i++) {
        bool want = is_wanted(query, &model.rows[i].row);
        if (want != meeting.met[i])
            ck_abort_msg("row %zu of %zu: %d", i, model.n, want);
        wanted += want;
    }
    if (wanted != meeting.n)
        ck_abort_msg("%zu rows are met, %zu wanted", meeting.n, wanted);
}

/* Keys of bits: clustered, so that there are long common beginnings, equal keys and prefixes of each other. */
static void random_bits(uint64_t *seed, unsigned bytes, union row *row)
{
    unsigned char key[16];
    unsigned bits = seeded_below(seed, 4) == 0 ? seeded_below(seed, 8 * bytes + 1) : 8 * bytes;
    unsigned fixed = seeded_below(seed, bytes + 1);
    for (unsigned i = 0; i < bytes; i++)
        key[i] = i < fixed ? (unsigned char)(0x20 + i % 4) : (unsigned char)seeded_below(seed, i % 3 == 0 ? 3 : 256);
    make_row(row, key, bits / 8, bits % 8, (unsigned char)seeded_below(seed, 3));
}

/* Text with a mark, and sometimes a tail. */
static void random_text(uint64_t *seed, union row *row)
{
    unsigned char key[64];
    size_t n = 0, length = seeded_below(seed, 14);
    while (n < length)
        key[n++] = (unsigned char)(seeded_below(seed, 5) == 0 ? '.' : seeded_below(seed, 2) ? 'a' : 'q');
    key[n++] = (unsigned char)(1 + seeded_below(seed, 3));
    unsigned bits = seeded_below(seed, 3) ? 0 : seeded_below(seed, 33);
    for (unsigned i = 0; i < bits; i += 8)
        key[n + i / 8] = (unsigned char)seeded_below(seed, 4);
    make_row(row, key, n + bits / 8, bits % 8, (unsigned char)seeded_below(seed, 3));
}

static bool ends_after_dot_or_whole(const struct trie_query *query, size_t at, unsigned char mark)
{
    if (mark == 1)
        return at > 0 && query->text[at - 1] == '.';
    return mark == 2 || at == query->n;
}

static void check_random_query(const struct trie *trie, uint64_t *seed, bool text)
{
    union row row;
    unsigned char tail[16];
    if (text)
        random_text(seed, &row);
    else
        random_bits(seed, 4, &row);
    if (model.n > 0 && seeded_below(seed, 2))
        row = model.rows[seeded_below(seed, (unsigned)model.n)];
    struct trie_query query = { .ends = ends_after_dot_or_whole, .tail = tail };
    for (unsigned i = 0; i < sizeof tail; i++)
        tail[i] = (unsigned char)seeded_below(seed, 4);
    if (text) {
        while (row.row.key[query.n] >= TRIE_MARKS)
            query.n++;
        query.text = row.row.key;
        query.tail_bits = seeded_below(seed, 33);
        for (size_t i = query.n + 1; i < row.row.key_n && i - query.n - 1 < sizeof tail; i++)
            tail[i - query.n - 1] = row.row.key[i];
        if (query.n == 0) /* such a query is one for bits */
            return;
    } else {
        memcpy(tail, row.row.key, row.row.key_n);
        if (seeded_below(seed, 4) == 0)
            tail[seeded_below(seed, 4)] ^= (unsigned char)(1U << seeded_below(seed, 8));
        query.tail_bits = 32;
    }
    check_query(trie, &query);
}

/* One random change, to the trie and to the model. */
static void change(struct trie *trie, struct trie_edit *edit, uint64_t *seed, bool text, unsigned n_wanted)
{
    union row row;
    if (model.n > 0 && seeded_below(seed, 2 * n_wanted) < model.n) {
        size_t i = seeded_below(seed, (unsigned)model.n);
        unsigned char number = number_of(&model.rows[i].row);
        ck_assert_int_eq(trie_remove(trie, edit, &model.rows[i].row, has_number, &number), 1);
        model_remove(i);
        return;
    }
    if (text)
        random_text(seed, &row);
    else
        random_bits(seed, 4, &row);
    if (model.n == ROWS_MAX)
        return;
    ck_assert_int_eq(trie_add(trie, edit, &row.row), 0);
    model.rows[model.n++] = row;
}

static const struct {
    bool text;
    unsigned n_wanted, per_edit, n_edits;
} sequences[] = {
    { false, 40, 1, 3000 },  { false, 2000, 50, 300 }, { false, 3000, 2000, 10 }, { true, 40, 1, 3000 },
    { true, 2000, 50, 300 }, { true, 3000, 2000, 10 }, { false, 4, 1, 3000 },     { true, 4, 1, 3000 },
};

/* While one version is changed into the next, the one before stays as it was. */
START_TEST(versions_are_as_a_list_of_rows)
{
    struct trie trie = { NULL };
    uint64_t seed = 100 + (uint64_t)_i;
    model.n = 0;
    for (unsigned e = 0; e < sequences[_i].n_edits; e++) {
        struct trie_edit edit = { .generation = e + 1 };
        struct trie old = trie;
        before = model;
        for (unsigned i = 0; i < sequences[_i].per_edit; i++)
            change(&trie, &edit, &seed, sequences[_i].text, sequences[_i].n_wanted);
        if (e % 64 == 0)
            check_all(&old, &before);
        if (seeded_below(&seed, 4) == 0) { /* it is taken back */
            trie_free_generation(&trie, edit.generation);
            trie_edit_drop(&edit);
            trie = old;
            model = before;
        } else {
            trie_edit_keep(&edit);
        }
        if (e % 64 == 0)
            check_all(&trie, &model);
        for (unsigned i = 0; i < 3; i++)
            check_random_query(&trie, &seed, sequences[_i].text);
    }
    struct trie_edit edit = { .generation = sequences[_i].n_edits + 1 };
    while (model.n > 0) {
        unsigned char number = number_of(&model.rows[0].row);
        ck_assert_int_eq(trie_remove(&trie, &edit, &model.rows[0].row, has_number, &number), 1);
        model_remove(0);
    }
    ck_assert_ptr_null(trie.root);
    trie_edit_keep(&edit);
}
END_TEST

/* As whole tables are read: side by side, and split at the end. */
START_TEST(what_is_loaded_is_as_what_is_added)
{
    struct trie trie = { NULL };
    struct trie_edit edit = { .generation = 1 };
    uint64_t seed = 300 + (uint64_t)_i;
    union row row;
    model.n = 0;
    ck_assert_int_eq(trie_load_end(&trie, &edit), 0);
    while (model.n < ROWS_MAX) {
        if (_i % 2)
            random_text(&seed, &row);
        else
            random_bits(&seed, 4, &row);
        ck_assert_int_eq(trie_load(&trie, &edit, &row.row), 0);
        model.rows[model.n++] = row;
    }
    ck_assert_int_eq(trie_load_end(&trie, &edit), 0);
    check_all(&trie, &model);
    for (unsigned i = 0; i < 50; i++)
        check_random_query(&trie, &seed, _i % 2);
    for (unsigned i = 0; i < ROWS_MAX / 2; i++) {
        unsigned char number = number_of(&model.rows[0].row);
        ck_assert_int_eq(trie_remove(&trie, &edit, &model.rows[0].row, has_number, &number), 1);
        model_remove(0);
    }
    check_all(&trie, &model);
    trie_edit_keep(&edit);
    trie_free(&trie);
}
END_TEST

/* Of few rows and of some hundreds, so that there are buckets, branches and skips of each kind. */
START_TEST(millions_of_look_ups_are_as_looking_at_all)
{
    static const struct {
        size_t rows;
        long look_ups;
    } sizes[] = { { 12, 600000 }, { 40, 300000 }, { 120, 80000 }, { 300, 20000 } };
    struct trie trie = { NULL };
    struct trie_edit edit = { .generation = 1 };
    uint64_t seed = 500 + (uint64_t)_i;
    bool text = _i % 2 == 1;
    union row row;
    model.n = 0;
    while (model.n < sizes[_i / 2].rows) {
        if (text)
            random_text(&seed, &row);
        else
            random_bits(&seed, 4, &row);
        ck_assert_int_eq(trie_add(&trie, &edit, &row.row), 0);
        model.rows[model.n++] = row;
    }
    for (long i = 0; i < sizes[_i / 2].look_ups; i++)
        check_random_query(&trie, &seed, text);
    trie_edit_keep(&edit);
    trie_free(&trie);
}
END_TEST

START_TEST(what_is_not_there_is_not_removed)
{
    struct trie trie = { NULL };
    struct trie_edit edit = { .generation = 1 };
    union row row, other;
    unsigned char number = 1;
    make_row(&row, "\x20\x21\x22\x23", 4, 0, 0);
    make_row(&other, "\x20\x21\x22\xf0", 3, 4, 1);
    ck_assert_int_eq(trie_remove(&trie, &edit, &row.row, has_number, &number), 0);
    ck_assert_int_eq(trie_add(&trie, &edit, &row.row), 0);
    ck_assert_int_eq(trie_remove(&trie, &edit, &row.row, has_number, &number), 0);
    ck_assert_int_eq(trie_remove(&trie, &edit, &other.row, has_number, &number), 0);
    trie_edit_keep(&edit);
    trie_free(&trie);
}
END_TEST

/* As a forged sender could hold them. */
START_TEST(a_mark_in_the_text_is_no_mark)
{
    struct trie trie = { NULL };
    struct trie_edit edit = { .generation = 1 };
    union row row;
    model.n = 0;
    make_row(&row, "ab\002\x20\x21", 5, 0, 0);
    ck_assert_int_eq(trie_add(&trie, &edit, &row.row), 0);
    model.rows[model.n++] = row;
    for (unsigned i = 0; _i == 1 && i < 64; i++) { /* behind branches, too */
        unsigned char key[] = { 'a', 'b', 2, 0x20, (unsigned char)(0x40 + i) };
        make_row(&row, key, sizeof key, 0, 0);
        ck_assert_int_eq(trie_add(&trie, &edit, &row.row), 0);
        model.rows[model.n++] = row;
    }
    static const unsigned char text[] = "ab\002\x20\x21", tail[] = "\x20\x20";
    struct trie_query query = { .text = text, .n = 5, .ends = ends_after_dot_or_whole, .tail = tail, .tail_bits = 16 };
    check_query(&trie, &query);
    query.tail = (const unsigned char *)"\x20\x21";
    check_query(&trie, &query);
    trie_edit_keep(&edit);
    trie_free(&trie);
}
END_TEST

START_TEST(rows_that_begin_alike_are_listed)
{
    static const char *const keys[] = { "moc.\001", "moc.a@\003", "moc.a@x\003", "moc.ab@x\003", "ten.a@x\003" };
    struct trie trie = { NULL };
    struct trie_edit edit = { .generation = 1 };
    union row row;
    model.n = 0;
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        make_row(&row, keys[i], strlen(keys[i]), 0, 0);
        ck_assert_int_eq(trie_add(&trie, &edit, &row.row), 0);
        model.rows[model.n++] = row;
    }
    static struct meeting meeting;
    meeting = (struct meeting){ .model = &model };
    ck_assert(!trie_each(&trie, (const unsigned char *)"moc.a@", 6, meet, &meeting));
    ck_assert(meeting.n == 2 && meeting.met[1] && meeting.met[2]);
    trie_edit_keep(&edit);
    trie_free(&trie);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("trie");
    TCase *tcase = suite_case(suite, "trie");
    tcase_set_timeout(tcase, 120);
    tcase_add_loop_test(tcase, versions_are_as_a_list_of_rows, 0, sizeof sequences / sizeof *sequences);
    tcase_add_loop_test(tcase, millions_of_look_ups_are_as_looking_at_all, 0, 8);
    tcase_add_loop_test(tcase, what_is_loaded_is_as_what_is_added, 0, 4);
    tcase_add_test(tcase, what_is_not_there_is_not_removed);
    tcase_add_loop_test(tcase, a_mark_in_the_text_is_no_mark, 0, 2);
    tcase_add_test(tcase, rows_that_begin_alike_are_listed);
    return suite_run(suite);
}
