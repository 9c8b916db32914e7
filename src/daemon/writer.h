/*
 * writer: a thread that writes what others queue, so that nobody waits for a slow disk or a full pipe.
 *
 * There are two buffers: one is filled while the other is written. What finds no room in the one that is being filled
 * is dropped and counted. Any thread may queue.
 */
#ifndef GATEPOST_DAEMON_WRITER_H
#define GATEPOST_DAEMON_WRITER_H

#include <stdbool.h>
#include <stddef.h>

struct writer;

struct writer_job {
    size_t queue_bytes; /* of each buffer */

    /* On the thread: n bytes of whole entries, which it may overwrite, and how many entries have been dropped since the
     * last call. n may be 0, as after writer_wake. */
    void (*write)(void *context, char *bytes, size_t n, unsigned long dropped);
    void *context; /* must outlive the writer, and where writer_close returns false the process */
};

/* Starts the thread. Returns 0, or a negative errno of libuv's. */
int writer_open(struct writer **writer, const struct writer_job *job);

/* Room for an entry of up to n bytes, which writer_put must follow at once: nobody else can queue in between. NULL
 * where there is no room, and the entry is counted as dropped. */
char *writer_begin(struct writer *writer, size_t n);

/* Queues the n bytes that have been written to that room; of 0 nothing is left. */
void writer_put(struct writer *writer, size_t n);

/* Wakes the thread where it waits for what has been queued. For the end of a round of the loop: waking costs more than
 * queueing. */
void writer_flush(struct writer *writer);

/* Has the thread call `write` soon, whatever is queued. */
void writer_wake(struct writer *writer);

/* Writes what is queued, waiting for a second at most, and frees the writer. False where the thread is stuck: then it
 * ends with the process, and the writer stays. */
bool writer_close(struct writer *writer);

#endif
