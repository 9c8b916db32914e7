#include "daemon/recorder.h"

#include "core/request.h"
#include "daemon/log.h"
#include "daemon/record_file.h"
#include "daemon/writer.h"

#include <errno.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <uv.h>

enum { QUEUE_BYTES = 4 << 20, TIME_BYTES = sizeof RECORD_TIME "=\n\n" + 20, WARNING_S = 60 };

struct recorder {
    struct writer *writer;
    atomic_bool reopen;
    struct record_file file; /* the thread's from here on */
    struct log_limit dropped_limit, fault_limit;
    unsigned long dropped, lost; /* requests of which no warning has told yet */
    bool is_faulty;              /* a warning told of a fault that may still last */
};

/* On the thread. */

static void report_dropped(struct recorder *recorder)
{
    unsigned long suppressed;
    if (recorder->dropped == 0 || !log_limit_take(&recorder->dropped_limit, &suppressed))
        return;
    log_warning("record: %lu requests were not recorded: they came faster than they could be written, or "
                "are too long for the file",
                recorder->dropped);
    recorder->dropped = 0;
}

static void report_fault(struct recorder *recorder, const struct error *fault)
{
    unsigned long suppressed;
    if (!log_limit_take(&recorder->fault_limit, &suppressed))
        return;
    log_warning("record: %s; %lu requests were not recorded", fault->text, recorder->lost);
    recorder->lost = 0;
    recorder->is_faulty = true;
}

/* A disk that has room now and then gets no more lines than one that is full. */
static void report_end_of_fault(struct recorder *recorder)
{
    if (!recorder->is_faulty)
        return;
    log_info("record: %s is written again; %lu more requests were not recorded", recorder->file.path, recorder->lost);
    recorder->is_faulty = false;
    recorder->lost = 0;
}

static void write_requests(void *context, char *bytes, size_t n, unsigned long dropped)
{
    struct recorder *recorder = context;
    struct error error;
    size_t lost;
    if (atomic_exchange(&recorder->reopen, false))
        record_file_close(&recorder->file);
    int r = record_file_append(&recorder->file, bytes, n, &lost, &error);
    if (r < 0) {
        recorder->lost += lost;
        report_fault(recorder, &error);
    } else {
        dropped += lost;
        report_end_of_fault(recorder);
    }
    recorder->dropped += dropped;
    report_dropped(recorder);
}

/* On the loop. */

/* Copies the lines without the CR in front of a LF; returns their length. Behind another CR, which belongs to the
 * value, it stays, lest that be taken for it. */
static size_t copy_lines(char *to, struct str lines)
{
    char *begin = to;
    while (lines.n > 0) {
        size_t n = str_find(lines, '\r');
        memcpy(to, lines.p, n);
        to += n;
        if (n == lines.n)
            break;
        lines = str_from(lines, n + 1);
        if (lines.n == 0 || lines.p[0] != '\n' || (to > begin && to[-1] == '\r'))
            *to++ = '\r';
    }
    return (size_t)(to - begin);
}

void recorder_put(struct recorder *recorder, struct str bytes, int64_t now)
{
    if (!recorder)
        return;
    char *room = writer_begin(recorder->writer, bytes.n + TIME_BYTES);
    if (!room)
        return;
    size_t n = copy_lines(room, bytes) - 1; /* the line feed of the empty line */
    n += (size_t)snprintf(room + n, TIME_BYTES, RECORD_TIME "=%" PRId64 "\n\n", now);
    writer_put(recorder->writer, n);
}

void recorder_flush(struct recorder *recorder)
{
    if (recorder)
        writer_flush(recorder->writer);
}

void recorder_reopen(struct recorder *recorder)
{
    if (!recorder)
        return;
    atomic_store(&recorder->reopen, true);
    writer_wake(recorder->writer);
}

int recorder_open(struct recorder **out, const struct config *config, struct error *error)
{
    enum { MIB = 1 << 20 };
    *out = NULL;
    if (!config->value[CONFIG_RECORD].set)
        return 0;
    struct recorder *recorder = calloc(1, sizeof *recorder);
    if (!recorder)
        return error_set(error, -ENOMEM, "out of memory");
    recorder->dropped_limit = recorder->fault_limit = (struct log_limit){ .burst = 1, .interval_s = WARNING_S };
    int r = record_file_init(&recorder->file, config_text(config, CONFIG_RECORD),
                             (uint64_t)config_number(config, CONFIG_RECORD_MAX_MB) * MIB, error);
    if (r == 0)
        r = record_file_open(&recorder->file, error);
    if (r < 0)
        error_prefix(error, r, "record");
    if (r == 0 &&
        (r = writer_open(&recorder->writer, &(struct writer_job){ QUEUE_BYTES, write_requests, recorder })) < 0)
        error_set(error, r, "the recorder's thread: %s", uv_strerror(r));
    if (r < 0) {
        record_file_close(&recorder->file);
        free(recorder);
        return r;
    }
    *out = recorder;
    return 0;
}

void recorder_close(struct recorder *recorder)
{
    if (!recorder)
        return;
    if (!writer_close(recorder->writer)) {
        log_warning("record: the file cannot be written in time; the end of the record is lost");
        return;
    }
    if (recorder->dropped + recorder->lost > 0)
        log_warning("record: %lu requests were not recorded", recorder->dropped + recorder->lost);
    record_file_close(&recorder->file);
    free(recorder);
}
