/*
 * redis_out: commands that are collected and written together.
 *
 * While a write is under way, what is added waits for the next; what waits is bounded. The write request is part of
 * this struct, so that it may be freed only when the stream has been closed.
 */
#ifndef GATEPOST_STORE_REDIS_OUT_H
#define GATEPOST_STORE_REDIS_OUT_H

#include "core/str.h"

#include <uv.h>

enum { REDIS_OUT_MAX_BYTES = 16 << 20 /* some 20,000 records, or 100,000 look-ups */ };

struct redis_out {
    char *bytes; /* n of size: not handed to libuv yet */
    size_t n, size;
    char *sent; /* of sent_size: libuv's while `writing` */
    size_t sent_size;
    bool writing;
    uv_write_t write;
    void (*written)(struct redis_out *out, int status); /* a write is through; status as libuv's */
    void *context;
};

void redis_out_init(struct redis_out *out, void (*written)(struct redis_out *out, int status), void *context);
void redis_out_fini(struct redis_out *out);

/* Adds a command. Returns 0; -ENOMEM where memory is short or too much waits, with nothing added. */
int redis_out_add(struct redis_out *out, size_t n_words, const struct str *words);

/* Writes what was added; where a write is under way, that happens when it is through. Returns 0 or a libuv error. */
int redis_out_flush(struct redis_out *out, uv_stream_t *stream);

#endif
