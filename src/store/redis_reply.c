#include "store/redis_reply.h"

#include <errno.h>
#include <hiredis/read.h>
#include <stdlib.h>

enum {
    KEPT_BYTES = 256 * 1024, /* a reader that took a longer reply gives its buffer back */
    LENGTH_MAX_BYTES = 24    /* "$" and the longest number that is a length, with its line end */
};

static const char text_too_long[] = "a string that is too long";

struct redis_reader {
    redisReader *parser;
    size_t n_bytes;    /* taken since the last complete reply */
    size_t n_elements; /* of the reply that is being read */
    const char *fault; /* why an object was not created, other than for want of memory */
};

/* Objects, as hiredis asks for them. NULL ends the parsing. */

static void *add(const redisReadTask *task, struct redis_reply *reply)
{
    if (reply && task->parent) {
        struct redis_reply *parent = task->parent->obj;
        parent->elements[task->idx] = reply;
    }
    return reply;
}

static void *create_text(const redisReadTask *task, char *text, size_t n)
{
    struct redis_reader *reader = task->privdata;
    struct redis_reply *reply = NULL;
    if (n > REDIS_TEXT_MAX_BYTES)
        reader->fault = text_too_long;
    else
        reply = malloc(sizeof *reply + n + 1);
    if (!reply)
        return NULL;
    char *copy = (char *)(reply + 1);
    memcpy(copy, text, n);
    copy[n] = '\0';
    *reply = (struct redis_reply){ .type = task->type == REDIS_REPLY_STATUS  ? REDIS_STATUS
                                           : task->type == REDIS_REPLY_ERROR ? REDIS_ERROR
                                                                             : REDIS_TEXT,
                                   .text = str_make(copy, n) };
    return add(task, reply);
}

static void *create_array(const redisReadTask *task, int n)
{
    struct redis_reader *reader = task->privdata;
    if (n < 0 || (size_t)n > REDIS_ELEMENTS_MAX - reader->n_elements) {
        reader->fault = "an array that is too long";
        return NULL;
    }
    reader->n_elements += (size_t)n;
    struct redis_reply *reply = calloc(1, sizeof *reply + (size_t)n * sizeof(struct redis_reply *));
    if (!reply)
        return NULL;
    reply->type = REDIS_ARRAY;
    reply->elements = (struct redis_reply **)(reply + 1);
    reply->n_elements = (size_t)n;
    return add(task, reply);
}

static void *create_integer(const redisReadTask *task, long long value)
{
    struct redis_reply *reply = calloc(1, sizeof *reply);
    if (reply)
        *reply = (struct redis_reply){ .type = REDIS_INTEGER, .integer = value };
    return add(task, reply);
}

static void *create_nil(const redisReadTask *task)
{
    struct redis_reply *reply = calloc(1, sizeof *reply);
    if (reply)
        reply->type = REDIS_NIL;
    return add(task, reply);
}

static void free_object(void *object)
{
    redis_reply_free(object);
}

static redisReplyObjectFunctions functions = { create_text, create_array, create_integer, create_nil, free_object };

/* hiredis nests no deeper than seven levels, and so does this. */
void redis_reply_free(struct redis_reply *reply)
{
    if (!reply)
        return;
    for (size_t i = 0; i < reply->n_elements; i++)
        redis_reply_free(reply->elements[i]);
    free(reply);
}

static redisReader *parser_new(struct redis_reader *reader)
{
    redisReader *parser = redisReaderCreateWithFunctions(&functions);
    if (parser) {
        parser->privdata = reader;
        parser->maxbuf = 0; /* with another value it would assert that a new buffer can be allocated */
    }
    return parser;
}

struct redis_reader *redis_reader_new(void)
{
    struct redis_reader *reader = calloc(1, sizeof *reader);
    if (reader && (reader->parser = parser_new(reader)) == NULL) {
        free(reader);
        reader = NULL;
    }
    return reader;
}

void redis_reader_free(struct redis_reader *reader)
{
    if (!reader)
        return;
    redisReaderFree(reader->parser);
    free(reader);
}

int redis_reader_feed(struct redis_reader *reader, const char *bytes, size_t n)
{
    reader->n_bytes += n;
    return redisReaderFeed(reader->parser, bytes, n) == REDIS_OK ? 0 : -ENOMEM;
}

/* Whether a string that is not yet complete has been given a length beyond our bound. Negative ones hiredis has seen,
 * as soon as their line was complete. */
static bool is_too_long(const char *p, size_t n)
{
    unsigned long length;
    struct str head = { p, n < LENGTH_MAX_BYTES ? n : LENGTH_MAX_BYTES };
    size_t end = str_find(head, '\r');
    if (end == head.n || end + 1 == n)
        return n >= LENGTH_MAX_BYTES;
    return !str_to_number(str_first(head, end), REDIS_TEXT_MAX_BYTES, &length);
}

/* What is wrong with a reply of which there is only a part; NULL where it may go on. */
static const char *fault_of_part(const struct redis_reader *reader)
{
    const redisReader *parser = reader->parser;
    const char *rest = parser->buf + parser->pos;
    size_t n = parser->len - parser->pos;
    if (reader->n_bytes > REDIS_REPLY_MAX_BYTES)
        return "a reply that is too long";
    if (parser->ridx < 0 || n == 0)
        return NULL;
    if (parser->rstack[parser->ridx].type == REDIS_REPLY_STRING)
        return is_too_long(rest, n) ? text_too_long : NULL;
    return n > REDIS_LINE_MAX_BYTES ? "a line that is too long" : NULL;
}

static int refuse(const struct redis_reader *reader, const char **fault)
{
    if (reader->fault)
        *fault = reader->fault;
    else if (reader->parser->err == REDIS_ERR_OOM)
        return -ENOMEM;
    else
        *fault = "what is no reply of Redis";
    return -EPROTO;
}

/* Makes ready for the reply that follows. */
static void begin_next(struct redis_reader *reader)
{
    size_t left = reader->parser->len - reader->parser->pos;
    if (left == 0 && reader->n_bytes > KEPT_BYTES) {
        redisReader *parser = parser_new(reader);
        if (parser) {
            redisReaderFree(reader->parser);
            reader->parser = parser;
        }
    }
    reader->n_bytes = left;
    reader->n_elements = 0;
}

int redis_reader_next(struct redis_reader *reader, struct redis_reply **reply, const char **fault)
{
    void *object = NULL;
    if (redisReaderGetReply(reader->parser, &object) != REDIS_OK)
        return refuse(reader, fault);
    *reply = object;
    if (!object) {
        *fault = fault_of_part(reader);
        return *fault ? -EPROTO : 0;
    }
    begin_next(reader);
    return 1;
}
