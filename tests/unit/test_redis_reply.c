#include "store/login_store.h"
#include "store/redis_reply.h"
#include "suite.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/resource.h>

enum { TEXT_SIZE = 512, CHUNK_BYTES = 64 * 1024, MEMORY_MAX_KB = 256 * 1024 };

/* Streams, and the replies in them: a text in quotes, +status, -error, number, nil, [array]; at last what is wrong. */
static const struct {
    const char *bytes, *expected;
} streams[] = {
    { "", "" },
    { "+OK\r\n", "+OK" },
    { "+\r\n", "+" },
    { "-ERR no\r\n:12\r\n:-3\r\n", "-ERR no 12 -3" },
    { "$5\r\nalice\r\n$0\r\n\r\n$-1\r\n", "'alice' '' nil" },
    { "$7\r\na\r\nb\r\nc\r\n", "'a\r\nb\r\nc'" },
    { "*0\r\n*-1\r\n", "[] nil" },
    { "*2\r\n$1\r\na\r\n:2\r\n", "['a' 2]" },
    { "*2\r\n*1\r\n+x\r\n*0\r\n+y\r\n", "[[+x] []] +y" },
    { "*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n:1\r\n", "[[[[[[[1]]]]]]]" },
    { "*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n:1\r\n", "!what is no reply" },
    { "*2\r\n$1\r\na\r\n", "" },
    { "*2147483647\r\n", "!an array that is too long" },
    { "*2147483648\r\n", "!what is no reply" },
    { "*32769\r\n", "!an array that is too long" },
    { "*3\r\n*20000\r\n", "" },
    { "*-2\r\n", "!what is no reply" },
    { "*99999999999999999999\r\n", "!what is no reply" },
    { "*x\r\n", "!what is no reply" },
    { "$524288000\r\n", "!a string that is too long" },
    { "$1048576\r\n", "" },
    { "$1048577\r\n", "!a string that is too long" },
    { "$9223372036854775807\r\n", "!a string that is too long" },
    { "$-2\r\n", "!what is no reply" },
    { "$\r\n", "!what is no reply" },
    { "$1x\r\na\r\n", "!" },
    { "$aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "!a string that is too long" },
    { ":1.5\r\n", "!what is no reply" },
    { "hello\r\n", "!what is no reply" },
    { "\r\n", "!what is no reply" },
    { "HTTP/1.1 400 Bad Request\r\n", "!what is no reply" },
    { "+OK\r\n%1\r\n", "+OK !what is no reply" },
    { "\xff\xfe", "!what is no reply" },
};

static void append(char text[TEXT_SIZE], const char *format, ...) __attribute__((format(printf, 2, 3)));

static void append(char text[TEXT_SIZE], const char *format, ...)
{
    size_t n = strlen(text);
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text + n, TEXT_SIZE - n, format, args);
    va_end(args);
}

static void describe(char text[TEXT_SIZE], const struct redis_reply *reply)
{
    if (*text && text[strlen(text) - 1] != '[')
        append(text, " ");
    switch (reply->type) {
    case REDIS_TEXT:
        append(text, "'%.*s'", STR_ARGS(reply->text));
        break;
    case REDIS_STATUS:
        append(text, "+%.*s", STR_ARGS(reply->text));
        break;
    case REDIS_ERROR:
        append(text, "-%.*s", STR_ARGS(reply->text));
        break;
    case REDIS_INTEGER:
        append(text, "%lld", (long long)reply->integer);
        break;
    case REDIS_NIL:
        append(text, "nil");
        break;
    case REDIS_ARRAY:
        append(text, "[");
        for (size_t i = 0; i < reply->n_elements; i++)
            describe(text, reply->elements[i]);
        append(text, "]");
        break;
    }
}

/* Feeds what is given; false where it was refused. */
static bool feed(struct redis_reader *reader, const char *bytes, size_t n, char text[TEXT_SIZE])
{
    struct redis_reply *reply;
    const char *fault = NULL;
    int r;
    ck_assert_int_eq(redis_reader_feed(reader, bytes, n), 0);
    while ((r = redis_reader_next(reader, &reply, &fault)) > 0) {
        describe(text, reply);
        redis_reply_free(reply);
    }
    if (r < 0) {
        ck_assert_int_eq(r, -EPROTO);
        append(text, "%s!%s", *text ? " " : "", fault);
    }
    return r == 0;
}

static void expect(const char *text, const char *expected)
{
    const char *fault = strchr(expected, '!');
    if (fault)
        ck_assert_msg(strncmp(text, expected, strlen(expected)) == 0, "\"%s\" is not \"%s\"", text, expected);
    else
        ck_assert_str_eq(text, expected);
}

START_TEST(stream_is_read_whole)
{
    char text[TEXT_SIZE] = "";
    struct redis_reader *reader = redis_reader_new();
    (void)feed(reader, streams[_i].bytes, strlen(streams[_i].bytes), text);
    expect(text, streams[_i].expected);
    redis_reader_free(reader);
}
END_TEST

START_TEST(stream_is_read_byte_by_byte)
{
    char text[TEXT_SIZE] = "";
    struct redis_reader *reader = redis_reader_new();
    for (const char *p = streams[_i].bytes; *p && feed(reader, p, 1, text); p++)
        ;
    expect(text, streams[_i].expected);
    redis_reader_free(reader);
}
END_TEST

#define X10   "xxxxxxxxxx"
#define X100  X10 X10 X10 X10 X10 X10 X10 X10 X10 X10
#define X1000 X100 X100 X100 X100 X100 X100 X100 X100 X100 X100

/* What begins so and then never ends is refused before it has cost much. */
static const struct {
    const char *begin, *more, *fault;
} endless[] = {
    { "+", "x", "!a line that is too long" },
    { "-ERR ", "x", "!a line that is too long" },
    { ":", "1", "!a line that is too long" },
    { "$", "1", "!a string that is too long" },
    { "*", "1", "!a line that is too long" },
    { "$1000000000\r\n", "x", "!a string that is too long" },
    { "*30000\r\n", "$1000\r\n" X1000 "\r\n", "!a reply that is too long" },
    { "*32768\r\n", "*2\r\n", "!an array that is too long" },
    { "*30000\r\n", "*0\r\n$100000\r\n", "!" },
    { "", "*1\r\n", "!what is no reply" },
};

START_TEST(what_never_ends_is_refused)
{
    char text[TEXT_SIZE] = "", *chunk = malloc(CHUNK_BYTES);
    size_t n = strlen(endless[_i].more), taken = 0;
    struct rusage usage;
    struct redis_reader *reader = redis_reader_new();
    for (size_t i = 0; i < CHUNK_BYTES; i++)
        chunk[i] = endless[_i].more[i % n];
    bool more = feed(reader, endless[_i].begin, strlen(endless[_i].begin), text);
    for (; more && taken < 4 * (size_t)REDIS_REPLY_MAX_BYTES; taken += CHUNK_BYTES / n * n)
        more = feed(reader, chunk, CHUNK_BYTES / n * n, text);
    expect(text, endless[_i].fault);
    ck_assert_uint_le(taken, REDIS_REPLY_MAX_BYTES + CHUNK_BYTES);
    redis_reader_free(reader);
    free(chunk);
    ck_assert_int_eq(getrusage(RUSAGE_SELF, &usage), 0);
    ck_assert_int_lt(usage.ru_maxrss, MEMORY_MAX_KB);
}
END_TEST

START_TEST(largest_legal_reply_is_taken)
{
    char text[TEXT_SIZE] = "", head[32], name[LOGIN_NAME_MAX_BYTES + 16];
    struct redis_reply *reply = NULL;
    const char *fault = NULL;
    struct redis_reader *reader = redis_reader_new();
    for (int times = 0; times < 3; times++) {
        int n = snprintf(head, sizeof head, "*%d\r\n", LOGIN_NAMES_MAX + 1);
        ck_assert(feed(reader, head, (size_t)n, text));
        n = snprintf(name, sizeof name, "$%d\r\n%0*d\r\n", LOGIN_NAME_MAX_BYTES, LOGIN_NAME_MAX_BYTES, 7);
        for (int i = 0; i < LOGIN_NAMES_MAX; i++)
            ck_assert(feed(reader, name, (size_t)n, text));
        ck_assert_int_eq(redis_reader_feed(reader, name, (size_t)n), 0);
        ck_assert_int_eq(redis_reader_next(reader, &reply, &fault), 1);
        ck_assert_uint_eq(reply->n_elements, LOGIN_NAMES_MAX + 1);
        redis_reply_free(reply);
        ck_assert(feed(reader, "+OK\r\n", 5, text));
    }
    ck_assert_str_eq(text, "+OK +OK +OK");
    redis_reader_free(reader);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("redis_reply");
    TCase *tcase = suite_case(suite, "redis_reply");
    tcase_add_loop_test(tcase, stream_is_read_whole, 0, COUNT(streams));
    tcase_add_loop_test(tcase, stream_is_read_byte_by_byte, 0, COUNT(streams));
    tcase_add_loop_test(tcase, what_never_ends_is_refused, 0, COUNT(endless));
    tcase_add_test(tcase, largest_legal_reply_is_taken);
    return suite_run(suite);
}
