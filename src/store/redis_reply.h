/*
 * redis_reply: what a Redis says, read within bounds.
 *
 * hiredis' reader does the parsing. It would take an array of 2^31 elements and a string of 512 MiB; so what a Redis
 * may say is bounded here, before anything great is allocated: a server that goes beyond is not one we can talk to, and
 * its connection has to be closed.
 *
 * The largest legal reply holds one name more than LOGIN_NAMES_MAX, each of LOGIN_NAME_MAX_BYTES.
 */
#ifndef GATEPOST_STORE_REDIS_REPLY_H
#define GATEPOST_STORE_REDIS_REPLY_H

#include "core/str.h"

#include <stdint.h>

enum {
    REDIS_REPLY_MAX_BYTES = 16 << 20, /* 10,001 names of 1024 bytes, with their lengths, are 10.4 MB */
    REDIS_ELEMENTS_MAX = 32768,       /* of a whole reply, all levels together; 10,000 names with scores are 20,000 */
    REDIS_TEXT_MAX_BYTES = 1 << 20,   /* one string; somebody else's key can be long */
    REDIS_LINE_MAX_BYTES = 4096       /* a status, an error or a number */
};

enum redis_reply_type { REDIS_TEXT, REDIS_ARRAY, REDIS_INTEGER, REDIS_NIL, REDIS_STATUS, REDIS_ERROR };

struct redis_reply {
    enum redis_reply_type type;
    int64_t integer;
    struct str text; /* of a text, status or error; with a NUL behind it */
    struct redis_reply **elements;
    size_t n_elements;
};

struct redis_reader;

/* NULL where memory is short. */
struct redis_reader *redis_reader_new(void);
void redis_reader_free(struct redis_reader *reader);

/* Takes n bytes that came from the server. Returns 0, or -ENOMEM, after which the reader must be freed. */
int redis_reader_feed(struct redis_reader *reader, const char *bytes, size_t n);

/* The next reply that is complete, which is the caller's to free. Returns 1; 0 where more bytes are needed; -EPROTO
 * with what is wrong in *fault (a fixed text), or -ENOMEM, after which the reader must be freed. */
int redis_reader_next(struct redis_reader *reader, struct redis_reply **reply, const char **fault);

/* NULL is fine. */
void redis_reply_free(struct redis_reply *reply);

#endif
