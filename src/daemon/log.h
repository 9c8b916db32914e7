/*
 * log: one line a message, in logfmt, written by a thread of its own.
 *
 * A line is put together on the caller's stack, queued in a bounded buffer and written by the writer thread, so that a
 * full pipe or a slow syslog never holds up the event loop: lines that find no room are dropped and counted. Values are
 * quoted and escaped so that no text from the network can forge a line or a field, and cut to LOG_VALUE_MAX_BYTES.
 *
 * There is one log in a process, and any thread may use it.
 */
#ifndef GATEPOST_DAEMON_LOG_H
#define GATEPOST_DAEMON_LOG_H

#include "conf/config.h"
#include "core/str.h"

enum { LOG_VALUE_MAX_BYTES = 256, LOG_LINE_BYTES = 8192 };

struct log_line {
    char text[LOG_LINE_BYTES];
    size_t n;
    int level;
};

/* Reads the value of `log`: the facility of syslog, or -1 for standard error. Returns 0, or -EINVAL with the fault in
 * *error. */
int log_parse_target(const char *text, int *facility, struct error *error);

/* Starts logging as configured (log, log_level). Returns 0, or a negative errno with the fault in *error. */
int log_open(const struct config *config, struct error *error);

/* Opens the connection to syslog anew. */
void log_reopen(void);

/* Writes what is queued, waiting for a second at most, and ends the writer. */
void log_close(void);

/* Whether messages of that level are logged. */
bool log_wants(int level);

/* A line: begun, given its fields, and queued. Names are constants. */
void log_begin(struct log_line *line, int level);
void log_add(struct log_line *line, const char *name, struct str value);
void log_add_number(struct log_line *line, const char *name, unsigned long long value);
void log_end(struct log_line *line);

/* A line with the single field msg. */
void log_error(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_warning(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_info(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Wakes the writer. The loop calls this once a round, so that a busy server does not pay a system call a line. */
void log_flush(void);

/*
 * Bounds how often one kind of warning is logged: `burst` in each `interval_s` seconds. What was left out is counted,
 * and said with the next one that is logged.
 */
struct log_limit {
    unsigned burst, interval_s;
    unsigned used;
    unsigned long suppressed;
    unsigned long long interval_begin_ns;
};

/* True where a message may be logged now; *suppressed says how many were left out since the last one. */
bool log_limit_take(struct log_limit *limit, unsigned long *suppressed);

/* A warning under a limit. */
void log_warning_limited(struct log_limit *limit, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
