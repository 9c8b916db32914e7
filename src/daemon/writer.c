#include "daemon/writer.h"

#include <stdint.h>
#include <stdlib.h>
#include <uv.h>

enum {
    GATHER_NS = 2000000, /* from one write to the next, unless the queue is half full */
    CLOSE_WAIT_NS = 1000000000
};

struct writer {
    struct writer_job job;
    uv_thread_t thread;
    char *writing;
    uv_mutex_t mutex; /* guards what follows */
    uv_cond_t wake, done;
    char *filling;
    size_t n; /* bytes that are queued */
    unsigned long dropped;
    size_t wanted; /* bytes for which the thread is to be woken */
    bool woken, closing, closed;
};

/* An entry that comes after a pause is written at once; under load they are gathered, since each waking of the thread
 * and each write costs more than many entries. */
static void wait_for_entries(struct writer *writer, uint64_t written_ns)
{
    uint64_t now;
    writer->wanted = 1;
    while (writer->n == 0 && !writer->woken && !writer->closing)
        uv_cond_wait(&writer->wake, &writer->mutex);
    writer->wanted = writer->job.queue_bytes / 2;
    while (writer->n < writer->wanted && !writer->woken && !writer->closing &&
           (now = uv_hrtime()) < written_ns + GATHER_NS)
        (void)uv_cond_timedwait(&writer->wake, &writer->mutex, written_ns + GATHER_NS - now);
}

static void run(void *context)
{
    struct writer *writer = context;
    uint64_t written_ns = 0;
    uv_mutex_lock(&writer->mutex);
    while (!writer->closing || writer->n > 0) {
        wait_for_entries(writer, written_ns);
        char *full = writer->filling;
        size_t n = writer->n;
        unsigned long dropped = writer->dropped;
        writer->filling = writer->writing;
        writer->n = 0;
        writer->dropped = 0;
        writer->woken = false;
        uv_mutex_unlock(&writer->mutex);
        writer->job.write(writer->job.context, full, n, dropped);
        written_ns = uv_hrtime();
        writer->writing = full;
        uv_mutex_lock(&writer->mutex);
    }
    writer->closed = true;
    uv_cond_signal(&writer->done);
    uv_mutex_unlock(&writer->mutex);
}

char *writer_begin(struct writer *writer, size_t n)
{
    uv_mutex_lock(&writer->mutex);
    if (n <= writer->job.queue_bytes - writer->n)
        return writer->filling + writer->n;
    writer->dropped++;
    uv_mutex_unlock(&writer->mutex);
    return NULL;
}

void writer_put(struct writer *writer, size_t n)
{
    writer->n += n;
    uv_mutex_unlock(&writer->mutex);
}

void writer_flush(struct writer *writer)
{
    uv_mutex_lock(&writer->mutex);
    if (writer->n >= writer->wanted)
        uv_cond_signal(&writer->wake);
    uv_mutex_unlock(&writer->mutex);
}

void writer_wake(struct writer *writer)
{
    uv_mutex_lock(&writer->mutex);
    writer->woken = true;
    uv_cond_signal(&writer->wake);
    uv_mutex_unlock(&writer->mutex);
}

static void free_buffers(struct writer *writer)
{
    free(writer->filling);
    free(writer->writing);
    free(writer);
}

int writer_open(struct writer **out, const struct writer_job *job)
{
    struct writer *writer = calloc(1, sizeof *writer);
    if (!writer)
        return UV_ENOMEM;
    writer->job = *job;
    writer->wanted = 1;
    writer->filling = malloc(job->queue_bytes);
    writer->writing = malloc(job->queue_bytes);
    int r = writer->filling && writer->writing ? 0 : UV_ENOMEM;
    if (r == 0)
        r = uv_mutex_init(&writer->mutex);
    if (r == 0)
        r = uv_cond_init(&writer->wake);
    if (r == 0)
        r = uv_cond_init(&writer->done);
    if (r == 0)
        r = uv_thread_create(&writer->thread, run, writer);
    if (r < 0) {
        free_buffers(writer);
        return r;
    }
    *out = writer;
    return 0;
}

bool writer_close(struct writer *writer)
{
    uint64_t until = uv_hrtime() + CLOSE_WAIT_NS, now;
    uv_mutex_lock(&writer->mutex);
    writer->closing = true;
    uv_cond_signal(&writer->wake);
    while (!writer->closed && (now = uv_hrtime()) < until)
        (void)uv_cond_timedwait(&writer->done, &writer->mutex, until - now);
    bool closed = writer->closed;
    uv_mutex_unlock(&writer->mutex);
    if (!closed)
        return false;
    (void)uv_thread_join(&writer->thread);
    uv_mutex_destroy(&writer->mutex);
    uv_cond_destroy(&writer->wake);
    uv_cond_destroy(&writer->done);
    free_buffers(writer);
    return true;
}
