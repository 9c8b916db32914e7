/*
 * Endpoints, configuration, and the times of the command line.
 */
#include "conf/config.h"
#include "conf/endpoint.h"
#include "conf/login_url.h"
#include "console/times.h"
#include "suite.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct {
    const char *text, *canonical; /* NULL: refused */
} endpoints[] = {
    { "inet:127.0.0.1:10040", "inet:127.0.0.1:10040" },
    { "inet:[::1]:10040", "inet:[::1]:10040" },
    { "unix:/run/gatepost/policy", "unix:/run/gatepost/policy" },
    { "inet:127.0.0.1", NULL },
    { "inet:127.0.0.1:", NULL },
    { "inet:127.0.0.1:0", NULL },
    { "inet:127.0.0.1:65536", NULL },
    { "inet:127.0.0.1:smtp", NULL },
    { "inet:::1:10040", NULL },
    { "inet::10040", NULL },
    { "127.0.0.1:10040", NULL },
    { "unix:relative", NULL },
    { "unix:", NULL },
    { "", NULL },
    { "unix:/"
      "a234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456",
      "unix:/"
      "a234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456" },
    { "unix:/"
      "a2345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567",
      NULL },
};

START_TEST(endpoint_is_read_as_postfix_writes_it)
{
    struct endpoint endpoint;
    struct error error = { "" };
    char text[ENDPOINT_TEXT_SIZE];
    int r = endpoint_parse(endpoints[_i].text, &endpoint, &error);
    ck_assert_msg(r == (endpoints[_i].canonical ? 0 : -EINVAL), "%s: %d %s", endpoints[_i].text, r, error.text);
    if (r < 0)
        return;
    endpoint_format(&endpoint, text);
    ck_assert_str_eq(text, endpoints[_i].canonical);
}
END_TEST

static const struct {
    const char *name, *value;
    int result;
    uint32_t number;
} settings[] = {
    { "poll_ms", "1", 0, 1 },
    { "poll_ms", "60000", 0, 60000 },
    { "poll_ms", "0", -EINVAL, 0 },
    { "poll_ms", "60001", -EINVAL, 0 },
    { "poll_ms", "5s", -EINVAL, 0 },
    { "poll_ms", "", -EINVAL, 0 },
    { "socket_mode", "0660", 0, 0660 },
    { "socket_mode", "660", 0, 0660 },
    { "socket_mode", "0888", -EINVAL, 0 },
    { "socket_mode", "01777", -EINVAL, 0 },
    { "socket_mode", "rw", -EINVAL, 0 },
    { "socket_mode", "-1", -EINVAL, 0 },
    { "log_level", "debug", 0, LEVEL_DEBUG },
    { "log_level", "loud", -EINVAL, 0 },
    { "log_decisions", "refusals", 0, DECISIONS_REFUSALS },
    { "database", "", -EINVAL, 0 },
    { "database", "/tmp/x.db", 0, 0 },
    { "max_request_bytes", "1023", -EINVAL, 0 },
};

static enum config_key key_of(const char *name)
{
    int k = 0;
    while (k < CONFIG_COUNT && strcmp(config_info((enum config_key)k)->name, name) != 0)
        k++;
    return (enum config_key)k;
}

START_TEST(key_takes_what_it_should)
{
    struct config config;
    struct error error = { "" };
    enum config_key key = key_of(settings[_i].name);
    ck_assert_int_eq(config_init(&config), 0);
    ck_assert_int_ne(key, CONFIG_COUNT);
    int r = config_set(&config, key, settings[_i].value, &error);
    ck_assert_msg(r == settings[_i].result, "%s: %d %s", settings[_i].value, r, error.text);
    if (r == 0)
        ck_assert_uint_eq(config_number(&config, key), settings[_i].number);
    else
        ck_assert_ptr_nonnull(strstr(error.text, config_info(key)->name));
    config_fini(&config);
}
END_TEST

/* Reads the text as a file; the caller unlinks nothing. */
static int read_text(struct config *config, const char *text, size_t n, struct error *error)
{
    char path[] = "/tmp/gatepost-conf.XXXXXX";
    int fd = mkstemp(path);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, text, n), (ssize_t)n);
    ck_assert_int_eq(close(fd), 0);
    int r = config_read(config, path, error);
    ck_assert_int_eq(unlink(path), 0);
    return r;
}

static const struct {
    const char *text;
    const char *part; /* of the message; NULL: good */
} files[] = {
    { "", NULL },
    { "# nothing\n", NULL },
    { "database = \"/x.db\"\nlisten = {\"inet:127.0.0.1:1\", \"unix:/y\"}\npoll_ms = 20\nsocket_mode = 0600\n", NULL },
    { "listen = \"unix:/y\"\n", NULL },
    { "poll_ms = 20\nno_such = 1\n", ":2:" },
    { "poll_ms = often\n", "poll_ms" },
    { "poll_ms 20\n", ":1:" },
    { "listen = {\n", "" },
    { "poll_ms = \"20\n", "" },
    { "\x80\x81\x82\n", "" },
};

START_TEST(file_is_read_or_its_fault_named)
{
    struct config config;
    struct error error = { "" };
    ck_assert_int_eq(config_init(&config), 0);
    int r = read_text(&config, files[_i].text, strlen(files[_i].text), &error);
    ck_assert_msg((r == 0) == (files[_i].part == NULL), "%s: %d %s", files[_i].text, r, error.text);
    if (r < 0)
        ck_assert_msg(error.text[0] && strstr(error.text, files[_i].part), "\"%s\"", error.text);
    config_fini(&config);
}
END_TEST

START_TEST(file_that_is_none_is_refused)
{
    enum { HUGE_BYTES = 2 << 20 };
    struct config config;
    struct error error = { "" };
    ck_assert_int_eq(config_init(&config), 0);
    ck_assert_int_eq(config_read(&config, "/tmp", &error), -EINVAL);
    ck_assert_int_eq(config_read(&config, "/no/such/file", &error), -ENOENT);
    ck_assert_int_eq(config_read(&config, "/dev/zero", &error), -EINVAL);
    ck_assert_int_eq(read_text(&config, "a\0b", 3, &error), -EINVAL);
    char *huge = calloc(1, HUGE_BYTES);
    ck_assert_ptr_nonnull(huge);
    ck_assert_int_eq(read_text(&config, huge, HUGE_BYTES, &error), -EFBIG);
    free(huge);
    config_fini(&config);
}
END_TEST

START_TEST(options_win_over_the_file)
{
    static const char text[] = "listen = {\"unix:/file1\", \"unix:/file2\"}\npoll_ms = 20\nlog_level = debug\n";
    struct config config, over = { 0 };
    struct error error = { "" };
    ck_assert_int_eq(config_init(&config), 0);
    ck_assert_str_eq(config_text(&config, CONFIG_LISTEN), "inet:127.0.0.1:10040");
    ck_assert_int_eq(read_text(&config, text, sizeof text - 1, &error), 0);
    ck_assert_uint_eq(config.value[CONFIG_LISTEN].n, 2);
    ck_assert_int_eq(config_set(&over, CONFIG_LISTEN, "unix:/a", &error), 0);
    ck_assert_int_eq(config_set(&over, CONFIG_LISTEN, "unix:/b", &error), 0);
    ck_assert_int_eq(config_set(&over, CONFIG_LISTEN, "unix:/c", &error), 0);
    ck_assert_int_eq(config_set(&over, CONFIG_POLL_MS, "30", &error), 0);
    ck_assert_int_eq(config_override(&config, &over), 0);
    ck_assert_uint_eq(config.value[CONFIG_LISTEN].n, 3);
    ck_assert_str_eq(config_text(&config, CONFIG_LISTEN), "unix:/a");
    ck_assert_uint_eq(config_number(&config, CONFIG_POLL_MS), 30);
    ck_assert_uint_eq(config_number(&config, CONFIG_LOG_LEVEL), LEVEL_DEBUG);
    ck_assert_str_eq(config_text(&config, CONFIG_RECORD), "");
    config_fini(&over);
    config_fini(&config);
}
END_TEST

static const struct {
    const char *text;
    int64_t seconds; /* 0: refused */
} spans[] = {
    { "90s", 90 }, { "15m", 900 }, { "2h", 7200 }, { "7d", 604800 },     { "4w", 2419200 }, { "0s", 0 },
    { "", 0 },     { "5", 0 },     { "m", 0 },     { "-1m", 0 },         { "1.5h", 0 },     { "2H", 0 },
    { "2h ", 0 },  { " 2h", 0 },   { "2y", 0 },    { "9999999999w", 0 },
};

START_TEST(span_is_a_number_and_a_unit)
{
    struct error error = { "" };
    int64_t seconds = 0;
    ck_assert_int_eq(times_parse_span(spans[_i].text, &seconds, &error), spans[_i].seconds ? 0 : -EINVAL);
    ck_assert_int_eq(seconds, spans[_i].seconds);
}
END_TEST

static const struct {
    const char *text;
    int64_t moment; /* -1: refused */
} moments[] = {
    { "0", 0 },
    { "1798761600", 1798761600 },
    { "2026-12-31T18:00", 1798743600 },
    { "2026-12-31T18:00:05", 1798743605 },
    { "2026-02-30T18:00", -1 },
    { "2026-12-31", -1 },
    { "2026-12-31T25:00", -1 },
    { "2026-12-31T18:00Z", -1 },
    { "tomorrow", -1 },
    { "-5", -1 },
    { "", -1 },
    { "99999999999999999999", -1 },
};

START_TEST(moment_is_a_number_or_local_time)
{
    struct error error = { "" };
    int64_t moment = -1;
    char text[TIMES_TEXT_SIZE];
    ck_assert_int_eq(setenv("TZ", "EST+1", 1), 0); /* an hour behind */
    ck_assert_int_eq(times_parse_moment(moments[_i].text, &moment, &error), moments[_i].moment < 0 ? -EINVAL : 0);
    ck_assert_int_eq(moment, moments[_i].moment);
    if (moment < 0)
        return;
    int64_t again;
    times_format(moment, text);
    ck_assert_int_eq(times_parse_moment(text, &again, &error), 0);
    ck_assert_int_eq(again, moment);
}
END_TEST

/* A file with this content, or none. */
static const struct {
    const char *content;
    mode_t mode;
    const char *url;   /* NULL: refused, and */
    const char *fault; /* this is said */
} url_files[] = {
    { "redis://u:secret@192.0.2.1/3\n", 0600, "redis://u:secret@192.0.2.1/3", NULL },
    { "redis://u:secret@192.0.2.1/3", 0644, "redis://u:secret@192.0.2.1/3", NULL },
    { "redis://192.0.2.1\r\nsecond line\n", 0600, "redis://192.0.2.1", NULL },
    { "", 0600, NULL, "is empty" },
    { "\nredis://u:secret@192.0.2.1\n", 0600, NULL, "the first line is empty" },
    { NULL, 0, NULL, "No such file" },
};

START_TEST(url_is_read_from_the_first_line_of_a_file)
{
    char folder[] = "/tmp/gatepost-url.XXXXXX", path[64], value[80], url[LOGIN_URL_SIZE];
    struct error error = { "" };
    bool is_open = false;
    ck_assert_ptr_nonnull(mkdtemp(folder));
    (void)snprintf(path, sizeof path, "%s/url", folder);
    (void)snprintf(value, sizeof value, "file:%s", path);
    if (url_files[_i].content) {
        FILE *file = fopen(path, "w");
        ck_assert_ptr_nonnull(file);
        ck_assert_int_ge(fputs(url_files[_i].content, file), 0);
        ck_assert_int_eq(fclose(file), 0);
        ck_assert_int_eq(chmod(path, url_files[_i].mode), 0);
    }
    int r = login_url_read(value, url, &is_open, &error);
    (void)unlink(path);
    ck_assert_int_eq(rmdir(folder), 0);
    ck_assert_int_eq(r == 0, url_files[_i].url != NULL);
    ck_assert_int_eq(is_open, url_files[_i].mode == 0644);
    if (r == 0)
        ck_assert_str_eq(url, url_files[_i].url);
    else
        ck_assert_msg(strstr(error.text, url_files[_i].fault) && !strstr(error.text, "secret"), "%s", error.text);
}
END_TEST

START_TEST(other_values_are_urls_themselves)
{
    static char endless[LOGIN_URL_SIZE + 1], url[LOGIN_URL_SIZE];
    struct error error = { "" };
    bool is_open;
    ck_assert_int_eq(login_url_read("sqlite:/x", url, &is_open, &error), 0);
    ck_assert_str_eq(url, "sqlite:/x");
    ck_assert_int_eq(login_url_read("file:relative", url, &is_open, &error), -EINVAL);
    memset(endless, 'x', LOGIN_URL_SIZE);
    ck_assert_int_eq(login_url_read(endless, url, &is_open, &error), -EINVAL);
    ck_assert_int_lt((int)strlen(error.text), 100);
}
END_TEST

static const struct {
    const char *value, *hidden;
} hidden_urls[] = {
    { "redis://u:secret@192.0.2.1/3", "redis://********@192.0.2.1/3" },
    { "redis://:sec@ret@192.0.2.1", "redis://********@192.0.2.1" },
    { "redis+sentinel://u:p@192.0.2.1,192.0.2.2/name", "redis+sentinel://***@192.0.2.1,192.0.2.2/name" },
    { "redis://192.0.2.1", "redis://192.0.2.1" },
    { "sqlite:/var/lib/a@b", "sqlite:/var/lib/a@b" },
    { "", "" },
};

START_TEST(user_and_password_are_hidden_from_ps)
{
    char value[80];
    (void)snprintf(value, sizeof value, "%s", hidden_urls[_i].value);
    login_url_hide(value);
    ck_assert_str_eq(value, hidden_urls[_i].hidden);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("conf");
    TCase *tcase = suite_case(suite, "conf");
    tcase_add_loop_test(tcase, endpoint_is_read_as_postfix_writes_it, 0, COUNT(endpoints));
    tcase_add_loop_test(tcase, key_takes_what_it_should, 0, COUNT(settings));
    tcase_add_loop_test(tcase, file_is_read_or_its_fault_named, 0, COUNT(files));
    tcase_add_test(tcase, file_that_is_none_is_refused);
    tcase_add_test(tcase, options_win_over_the_file);
    tcase_add_loop_test(tcase, span_is_a_number_and_a_unit, 0, COUNT(spans));
    tcase_add_loop_test(tcase, moment_is_a_number_or_local_time, 0, COUNT(moments));
    tcase_add_loop_test(tcase, url_is_read_from_the_first_line_of_a_file, 0, COUNT(url_files));
    tcase_add_test(tcase, other_values_are_urls_themselves);
    tcase_add_loop_test(tcase, user_and_password_are_hidden_from_ps, 0, COUNT(hidden_urls));
    return suite_run(suite);
}
