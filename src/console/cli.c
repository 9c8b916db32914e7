#include "console/cli.h"

#include "conf/config.h"
#include "core/str.h"
#include "core/text.h"

#include <errno.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <unistr.h>

__attribute__((format(printf, 1, 0))) static void complain(const char *format, va_list args)
{
    char text[1024];
    (void)vsnprintf(text, sizeof text, format, args);
    fputs("gatepost: ", stderr);
    cli_put(stderr, text);
    fputc('\n', stderr);
}

int cli_fail(int status, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    complain(format, args);
    va_end(args);
    return status;
}

int cli_usage(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    complain(format, args);
    va_end(args);
    fputs("Try: gatepost --help\n", stderr);
    return STATUS_USAGE;
}

bool cli_take_common(struct cli *cli, int c)
{
    switch (c) {
    case 'c':
        cli->config_file = optarg;
        return true;
    case 'd':
        free(cli->database);
        cli->database = strdup(optarg);
        return cli->database != NULL;
    case 's':
        free(cli->control);
        cli->control = strdup(optarg);
        return cli->control != NULL;
    case 'b':
        cli->by = optarg;
        return true;
    case 'j':
        cli->json = true;
        return true;
    default:
        return false;
    }
}

int cli_next_option(struct cli *cli, int argc, char **argv, const struct option *all_options)
{
    opterr = 0;
    for (;;) {
        int c = getopt_long(argc, argv, ":c:", all_options, NULL);
        if (c == ':' || c == '?') {
            (void)cli_usage(c == ':' ? "%s needs a value" : "%s: there is no such option here", argv[optind - 1]);
            return '?';
        }
        if (c == -1 || !cli_take_common(cli, c))
            return c;
    }
}

int cli_status_of(int code)
{
    switch (code) {
    case -EINVAL:
        return EX_DATAERR;
    case -ENOMEM:
        return EX_OSERR;
    default:
        return EX_UNAVAILABLE;
    }
}

int cli_status_of_opening(int code)
{
    return code == -EBUSY || code == -ENOMEM ? cli_status_of(code) : EX_CONFIG;
}

/* The path that was given, else the one that is configured. */
static int find_path(const struct cli *cli, char **path, enum config_key key)
{
    struct config config;
    struct error error;
    if (*path)
        return STATUS_DONE;
    int status = STATUS_DONE;
    int r = config_init(&config);
    if (r == 0) {
        r = config_read(&config, cli->config_file ? cli->config_file : CONFIG_FILE, &error);
        if (r == -ENOENT && !cli->config_file)
            r = 0;
    } else {
        error_set(&error, r, "out of memory");
    }
    if (r < 0)
        status = cli_fail(cli_status_of_opening(r), "%s", error.text);
    else if (!(*path = strdup(config_text(&config, key))))
        status = cli_fail(EX_OSERR, "out of memory");
    config_fini(&config);
    return status;
}

int cli_find_control(struct cli *cli)
{
    return find_path(cli, &cli->control, CONFIG_CONTROL_LISTEN);
}

int cli_find_database(struct cli *cli)
{
    return find_path(cli, &cli->database, CONFIG_DATABASE);
}

int cli_open(struct cli *cli, enum database_absent absent, struct rule_db **db)
{
    enum { BUSY_MS = 5000 };
    struct error error;
    int status = cli_find_database(cli);
    if (status != STATUS_DONE)
        return status;
    int r = rule_db_open(db, cli->database, absent, BUSY_MS, &error);
    if (r == -ENOENT && absent == DATABASE_EXPECT)
        return cli_fail(EX_UNAVAILABLE, "%s; create it with: gatepost init --database %s", error.text, cli->database);
    return r < 0 ? cli_fail(cli_status_of_opening(r), "%s", error.text) : STATUS_DONE;
}

static void report_skipped(void *context, const struct rule_row *row, const struct error *why)
{
    (void)context;
    (void)cli_fail(0, "a row of %s is skipped: %s", rule_tables[row->table].name, why->text);
}

int cli_load_rules(struct rule_db *db, struct rules **rules)
{
    struct error error;
    int r = rule_db_load(db, rules, report_skipped, NULL, &error);
    return r < 0 ? cli_fail(EX_UNAVAILABLE, "%s", error.text) : STATUS_DONE;
}

const char *cli_by(const struct cli *cli)
{
    if (cli->by && *cli->by)
        return cli->by;
    const char *sudo = getenv("SUDO_USER");
    if (sudo && *sudo)
        return sudo;
    const struct passwd *entry = getpwuid(getuid());
    return entry ? entry->pw_name : "unknown";
}

void cli_put_str(FILE *out, struct str text)
{
    for (size_t i = 0, n; i < text.n; i += n ? n : 1) {
        bool is_ascii = (unsigned char)text.p[i] < 0x80 && !ascii_is_control(text.p[i]);
        n = is_ascii ? 1 : text_harmless_length(str_from(text, i));
        if (n > 0)
            (void)fwrite(text.p + i, 1, n, out);
        else
            fputc('?', out);
    }
}

void cli_put(FILE *out, const char *text)
{
    cli_put_str(out, str_of(text));
}

void cli_put_json(FILE *out, const char *text)
{
    if (text)
        cli_put_json_str(out, str_of(text));
    else
        fputs("null", out);
}

void cli_put_json_str(FILE *out, struct str text)
{
    fputc('"', out);
    for (const uint8_t *p = (const uint8_t *)text.p, *end = p + text.n; p < end;) {
        ucs4_t c;
        int n = u8_mbtouc(&c, p, (size_t)(end - p)); /* U+FFFD for what is not UTF-8 */
        if (c == '"' || c == '\\')
            fprintf(out, "\\%c", (char)c);
        else if (c < 0x20 || c == 0x7f)
            fprintf(out, "\\u%04x", (unsigned)c);
        else if (c == 0xfffd)
            fputs("\\ufffd", out);
        else
            fprintf(out, "%.*s", n, (const char *)p);
        p += n;
    }
    fputc('"', out);
}

int cli_finish(int status)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return status;
    return cli_fail(EX_IOERR, "the output could not be written: %s", strerror(errno));
}
