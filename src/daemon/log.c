#include "daemon/log.h"

#include "core/text.h"
#include "core/vector.h"
#include "daemon/writer.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/syslog.h>
#include <time.h>
#include <unistd.h>
#include <uv.h>

enum { QUEUE_BYTES = 1 << 20 };

/* Each queued message is its level, its length and its text. */
struct message {
    int level;
    size_t n;
};

static struct {
    int level;
    int facility;          /* of syslog, or -1 for standard error */
    struct writer *writer; /* NULL before the log is opened and after it is closed */
} sink = { .level = LEVEL_INFO, .facility = -1 };

static const char *const level_names[] = { "error", "warning", "info", "debug" };
static const int priorities[] = { LOG_ERR, LOG_WARNING, LOG_INFO, LOG_DEBUG };

/* Writing. */

static void write_all(const char *bytes, size_t n)
{
    while (n > 0) {
        ssize_t done = write(STDERR_FILENO, bytes, n);
        if (done >= 0) {
            bytes += done;
            n -= (size_t)done;
        } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
            struct pollfd writable = { .fd = STDERR_FILENO, .events = POLLOUT };
            (void)poll(&writable, 1, -1);
        } else if (errno != EINTR) {
            return; /* nobody reads the log any more, and there is nowhere to say so */
        }
    }
}

static void report_dropped(unsigned long dropped)
{
    if (dropped > 0)
        log_warning("%lu log messages were dropped: the log was not read as fast as it was written", dropped);
}

/* Messages for standard error are moved together first, so that they go out in few writes. */
static void write_queue(void *context, char *bytes, size_t n, unsigned long dropped)
{
    size_t out = 0;
    struct message message;
    (void)context;
    for (size_t at = 0; at < n; at += sizeof message + message.n) {
        memcpy(&message, bytes + at, sizeof message);
        const char *text = bytes + at + sizeof message;
        if (sink.facility >= 0) {
            syslog(sink.facility | priorities[message.level], "%.*s", (int)message.n, text);
        } else {
            memmove(bytes + out, text, message.n);
            out += message.n;
        }
    }
    write_all(bytes, out);
    report_dropped(dropped);
}

static void enqueue(const char *text, size_t n, int level)
{
    struct message message = { level, n };
    if (!sink.writer) {
        write_all(text, n);
        return;
    }
    char *room = writer_begin(sink.writer, sizeof message + n);
    if (!room)
        return;
    memcpy(room, &message, sizeof message);
    memcpy(room + sizeof message, text, n);
    writer_put(sink.writer, sizeof message + n);
}

void log_flush(void)
{
    if (sink.writer)
        writer_flush(sink.writer);
}

/* Opening and closing. */

int log_parse_target(const char *text, int *facility, struct error *error)
{
    static const struct {
        const char *name;
        int facility;
    } facilities[] = {
        { "mail", LOG_MAIL },     { "daemon", LOG_DAEMON }, { "auth", LOG_AUTH },     { "authpriv", LOG_AUTHPRIV },
        { "user", LOG_USER },     { "local0", LOG_LOCAL0 }, { "local1", LOG_LOCAL1 }, { "local2", LOG_LOCAL2 },
        { "local3", LOG_LOCAL3 }, { "local4", LOG_LOCAL4 }, { "local5", LOG_LOCAL5 }, { "local6", LOG_LOCAL6 },
        { "local7", LOG_LOCAL7 },
    };
    *facility = -1;
    if (strcmp(text, "stderr") == 0)
        return 0;
    for (size_t i = 0; strncmp(text, "syslog:", 7) == 0 && i < sizeof facilities / sizeof *facilities; i++) {
        if (strcmp(text + 7, facilities[i].name) == 0) {
            *facility = facilities[i].facility;
            return 0;
        }
    }
    return error_set(error, -EINVAL,
                     "log: \"%s\" is neither stderr nor syslog:FACILITY with a facility such as mail, "
                     "daemon or local0",
                     text);
}

int log_open(const struct config *config, struct error *error)
{
    int r = log_parse_target(config_text(config, CONFIG_LOG), &sink.facility, error);
    if (r < 0)
        return r;
    sink.level = (int)config_number(config, CONFIG_LOG_LEVEL);
    if (sink.facility >= 0)
        openlog("gatepostd", LOG_PID | LOG_NDELAY, sink.facility);
    r = writer_open(&sink.writer, &(struct writer_job){ QUEUE_BYTES, write_queue, NULL });
    return r < 0 ? error_set(error, r, "the log's thread: %s", uv_strerror(r)) : 0;
}

void log_reopen(void)
{
    if (sink.facility >= 0) {
        closelog();
        openlog("gatepostd", LOG_PID | LOG_NDELAY, sink.facility);
    }
}

/* A writer that is stuck on a pipe that nobody reads is left to end with the process. */
void log_close(void)
{
    if (sink.writer && writer_close(sink.writer))
        sink.writer = NULL;
}

bool log_wants(int level)
{
    return level <= sink.level;
}

/* Lines. */

static void append(struct log_line *line, const char *text, size_t n)
{
    size_t room = sizeof line->text - 1 - line->n; /* one byte is kept for the line end */
    if (n > room)
        n = room;
    memcpy(line->text + line->n, text, n);
    line->n += n;
}

/* gmtime_r and its like are dear, and a second holds many lines. */
static void append_time(struct log_line *line)
{
    static _Thread_local time_t second = -1;
    static _Thread_local char text[64];
    static _Thread_local size_t n;
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    if (now.tv_sec != second) {
        struct tm parts;
        second = now.tv_sec;
        n = gmtime_r(&second, &parts) ? strftime(text, sizeof text, "time=%Y-%m-%dT%H:%M:%S.", &parts) : 0;
    }
    append(line, text, n);
    unsigned millis = (unsigned)(now.tv_nsec / 1000000) % 1000;
    const char digits[] = { (char)('0' + millis / 100), (char)('0' + millis / 10 % 10), (char)('0' + millis % 10), 'Z',
                            ' ' };
    append(line, digits, sizeof digits);
}

void log_begin(struct log_line *line, int level)
{
    line->n = 0;
    line->level = level;
    if (sink.facility < 0)
        append_time(line);
    append(line, "level=", 6);
    append(line, level_names[level], strlen(level_names[level]));
}

/* Bytes that need no quotes: all of ASCII that can be seen, but for three. */
static bool are_plain(vector bytes)
{
    return vector_all((bytes > ' ') & (bytes != '"') & (bytes != '=') & (bytes != '\\') & (bytes != 0x7f));
}

static bool is_plain(struct str value)
{
    char rest[VECTOR_BYTES];
    size_t i = 0;
    for (; value.n - i >= VECTOR_BYTES; i += VECTOR_BYTES)
        if (!are_plain(vector_load(value.p + i)))
            return false;
    memcpy(memset(rest, 'a', sizeof rest), value.p + i, value.n - i);
    return value.n > 0 && are_plain(vector_load(rest));
}

static void append_quoted(struct log_line *line, struct str value)
{
    append(line, "\"", 1);
    for (size_t i = 0; i < value.n;) {
        size_t n = text_harmless_length(str_from(value, i));
        char c = value.p[i], hex[8];
        if (n > 0) {
            append(line, value.p + i, n);
            i += n;
            continue;
        }
        if (c == '"' || c == '\\')
            append(line, (char[]){ '\\', c }, 2);
        else if (!ascii_is_control(c) && (unsigned char)c < 0x80)
            append(line, &c, 1);
        else
            append(line, hex, (size_t)snprintf(hex, sizeof hex, "\\x%02x", (unsigned char)c));
        i++;
    }
    append(line, "\"", 1);
}

void log_add(struct log_line *line, const char *name, struct str value)
{
    append(line, " ", 1);
    append(line, name, strlen(name));
    append(line, "=", 1);
    bool cut = value.n > LOG_VALUE_MAX_BYTES;
    if (cut)
        value.n = LOG_VALUE_MAX_BYTES;
    if (is_plain(value))
        append(line, value.p, value.n);
    else
        append_quoted(line, value);
    if (cut)
        append(line, "...", 3);
}

void log_add_number(struct log_line *line, const char *name, unsigned long long value)
{
    char text[24], *at = text + sizeof text;
    do {
        *--at = (char)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    log_add(line, name, str_make(at, (size_t)(text + sizeof text - at)));
}

void log_end(struct log_line *line)
{
    line->text[line->n++] = '\n';
    enqueue(line->text, line->n, line->level);
}

/* Our own messages may be longer than what a client may put into a field. */
__attribute__((format(printf, 2, 0))) static void log_message(int level, const char *format, va_list args,
                                                              unsigned long suppressed)
{
    struct log_line line;
    char text[1024];
    if (!log_wants(level))
        return;
    int n = vsnprintf(text, sizeof text, format, args);
    log_begin(&line, level);
    append(&line, " msg=", 5);
    append_quoted(&line, str_make(text, n < 0 ? 0 : (size_t)n < sizeof text ? (size_t)n : sizeof text - 1));
    if (suppressed > 0)
        log_add_number(&line, "suppressed", suppressed);
    log_end(&line);
}

void log_error(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    log_message(LEVEL_ERROR, format, args, 0);
    va_end(args);
}

void log_warning(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    log_message(LEVEL_WARNING, format, args, 0);
    va_end(args);
}

void log_info(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    log_message(LEVEL_INFO, format, args, 0);
    va_end(args);
}

bool log_limit_take(struct log_limit *limit, unsigned long *suppressed)
{
    unsigned long long now = uv_hrtime(), interval_ns = limit->interval_s * 1000000000ULL;
    if (limit->interval_begin_ns == 0 || now - limit->interval_begin_ns >= interval_ns) {
        limit->interval_begin_ns = now;
        limit->used = 0;
    }
    if (limit->used >= limit->burst) {
        limit->suppressed++;
        return false;
    }
    limit->used++;
    *suppressed = limit->suppressed;
    limit->suppressed = 0;
    return true;
}

void log_warning_limited(struct log_limit *limit, const char *format, ...)
{
    unsigned long suppressed;
    va_list args;
    if (!log_limit_take(limit, &suppressed))
        return;
    va_start(args, format);
    log_message(LEVEL_WARNING, format, args, suppressed);
    va_end(args);
}
