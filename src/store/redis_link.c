#include "store/redis_link.h"

#include "store/redis_dial.h"
#include "store/redis_error.h"
#include "store/redis_out.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    READ_BYTES = 64 * 1024,
    NAME_SIZE = REDIS_ENDPOINT_SIZE + 16,
    /* Redis reads 16 KiB at a time, and can change its role in between. */
    ROLE_EVERY_BYTES = 8 * 1024
};

struct redis_link {
    struct redis_dial dial;
    uv_timer_t timer;
    uv_prepare_t prepare;
    struct redis_link_options options;
    struct redis_host host;
    char name[NAME_SIZE];
    bool ready, closing;
    unsigned n_open; /* the dial and the handles, until they are closed */

    struct redis_call *calls, **last_call; /* outstanding, in order */
    struct redis_call *first_unsent;       /* of them, or NULL: what no write has taken yet cannot be answered */
    struct redis_call auth, select, ping, trial;
    struct redis_out out;
    size_t since_role; /* bytes */
    struct redis_reader *reader;
    char in[READ_BYTES];
};

/* The link that a member is part of; `part` is a name or the like. */
#define LINK_OF(part, member) ((struct redis_link *)((char *)part - offsetof(struct redis_link, member)))

const char *redis_link_name(const struct redis_link *link)
{
    return link->name;
}

/* End. */

static void link_release(struct redis_link *link)
{
    if (--link->n_open > 0)
        return;
    redis_reader_free(link->reader);
    redis_out_fini(&link->out);
    free(link);
}

static void on_closed(uv_handle_t *handle)
{
    link_release(handle->data);
}

void redis_link_close(struct redis_link *link)
{
    if (!link || link->closing)
        return;
    link->closing = true;
    uv_close((uv_handle_t *)&link->timer, on_closed);
    uv_close((uv_handle_t *)&link->prepare, on_closed);
    redis_dial_close(&link->dial);
}

static void link_end(struct redis_link *link, enum redis_link_end end, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static void link_end_with(struct redis_link *link, enum redis_link_end end, const char *format, va_list args)
    __attribute__((format(printf, 3, 0)));

static void link_end_with(struct redis_link *link, enum redis_link_end end, const char *format, va_list args)
{
    struct error why;
    if (link->closing)
        return;
    int n = snprintf(why.text, sizeof why.text, "%s ", link->name);
    if (n > 0 && (size_t)n < sizeof why.text)
        (void)vsnprintf(why.text + n, sizeof why.text - (size_t)n, format, args);
    redis_link_close(link);
    link->options.ended(link->options.context, end, why.text);
}

static void link_end(struct redis_link *link, enum redis_link_end end, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    link_end_with(link, end, format, args);
    va_end(args);
}

void redis_link_fail(struct redis_link *link, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    link_end_with(link, REDIS_LINK_FAILED, format, args);
    va_end(args);
}

static void link_lose(struct redis_link *link, int status)
{
    enum redis_link_end end = link->ready ? REDIS_LINK_LOST : REDIS_LINK_FAILED;
    if (status == UV_EOF)
        link_end(link, end, "has closed the connection");
    else
        link_end(link, end, "is lost: %s", uv_strerror(status));
}

/* Replies. */

static bool is_master(const struct redis_reply *reply)
{
    return reply->type == REDIS_ARRAY && reply->n_elements > 0 && reply->elements[0]->type == REDIS_TEXT &&
           str_is(reply->elements[0]->text, "master");
}

static void link_take_role(struct redis_link *link, const struct redis_reply *reply)
{
    char error[REDIS_QUOTE_SIZE];
    if (is_master(reply))
        return;
    if (reply->type == REDIS_ERROR) {
        redis_error_describe(reply->text, link->options.url, error);
        redis_link_fail(link, "does not tell its role: %s", error);
    } else {
        redis_link_fail(link, "is not the master");
    }
}

static void link_take(struct redis_link *link, struct redis_reply **reply)
{
    struct redis_call *call = link->calls;
    if (!call || call == link->first_unsent) {
        redis_link_fail(link, "sent a reply that nobody asked for");
    } else if (call->after_role) {
        call->after_role = false;
        link_take_role(link, *reply);
    } else {
        link->calls = call->next;
        if (!link->calls)
            link->last_call = &link->calls;
        call->replied(call, reply);
    }
}

static void link_read(struct redis_link *link, const char *bytes, size_t n)
{
    const char *fault = NULL;
    int r = redis_reader_feed(link->reader, bytes, n);
    while (r >= 0 && !link->closing) {
        struct redis_reply *reply = NULL;
        r = redis_reader_next(link->reader, &reply, &fault);
        if (r == 0)
            return;
        if (r > 0)
            link_take(link, &reply);
        redis_reply_free(reply);
    }
    if (r == -ENOMEM)
        redis_link_fail(link, "sent a reply for which there is no memory");
    else if (r < 0)
        redis_link_fail(link, "sent %s", fault);
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    struct redis_link *link = LINK_OF(handle->data, dial);
    (void)suggested;
    *buf = uv_buf_init(link->in, sizeof link->in);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    struct redis_link *link = LINK_OF(stream->data, dial);
    if (n < 0)
        link_lose(link, (int)n);
    else
        link_read(link, buf->base, (size_t)n);
}

/* Commands. */

static void link_note_flush(struct redis_link *link, int status)
{
    if (link->closing)
        return;
    if (link->out.n == 0)
        link->first_unsent = NULL;
    if (status < 0)
        link_lose(link, status);
}

static void on_written(struct redis_out *out, int status)
{
    link_note_flush(out->context, status);
}

static void on_prepare(uv_prepare_t *prepare)
{
    struct redis_link *link = prepare->data;
    (void)uv_prepare_stop(prepare);
    link_note_flush(link, redis_out_flush(&link->out, &link->dial.peer.stream));
}

static int link_append(struct redis_link *link, struct redis_call *call, bool after_role, size_t n_words,
                       const struct str *words)
{
    static const struct str role = STR("ROLE");
    size_t before = link->out.n;
    int r = after_role ? redis_out_add(&link->out, 1, &role) : 0;
    if (r == 0 && (r = redis_out_add(&link->out, n_words, words)) < 0)
        link->out.n = before;
    if (r < 0)
        return r;
    link->since_role = (after_role ? 0 : link->since_role) + link->out.n - before;
    call->after_role = after_role;
    call->next = NULL;
    *link->last_call = call;
    link->last_call = &call->next;
    if (!link->first_unsent)
        link->first_unsent = call;
    return uv_prepare_start(&link->prepare, on_prepare);
}

int redis_link_send(struct redis_link *link, struct redis_call *call, size_t n_words, const struct str *words)
{
    bool after_role =
        link->options.kind == REDIS_LINK_MASTER && (link->out.n == 0 || link->since_role >= ROLE_EVERY_BYTES);
    return link_append(link, call, after_role, n_words, words);
}

/* Greeting. */

static bool is_status(const struct redis_reply *reply, const char *text)
{
    return reply->type == REDIS_STATUS && str_is(reply->text, text);
}

/* What the server says to a password is not shown: an error can repeat the command. */
static void on_auth(struct redis_call *call, struct redis_reply **reply)
{
    struct redis_link *link = LINK_OF(call, auth);
    char error[REDIS_QUOTE_SIZE];
    const char *words;
    if (is_status(*reply, "OK"))
        return;
    if ((*reply)->type != REDIS_ERROR) {
        redis_link_fail(link, "sent nonsense in answer to AUTH");
        return;
    }
    enum redis_error_kind kind = redis_error_classify((*reply)->text, &words);
    if (link->options.kind == REDIS_LINK_SENTINEL)
        return;
    redis_error_describe((*reply)->text, link->options.url, error);
    redis_link_fail(link, "cannot be used: %s",
                    kind == REDIS_ERROR_OTHER ? "it refuses the user or the password" : error);
}

static bool link_expect(struct redis_link *link, const struct redis_reply *reply, const char *status,
                        const char *command)
{
    char error[REDIS_QUOTE_SIZE];
    if (is_status(reply, status))
        return true;
    if (reply->type == REDIS_ERROR) {
        redis_error_describe(reply->text, link->options.url, error);
        redis_link_fail(link, "cannot be used: %s", error);
    } else {
        redis_link_fail(link, "sent nonsense in answer to %s", command);
    }
    return false;
}

static void on_select(struct redis_call *call, struct redis_reply **reply)
{
    (void)link_expect(LINK_OF(call, select), *reply, "OK", "SELECT");
}

static void link_be_ready(struct redis_link *link)
{
    link->ready = true;
    if (link->options.kind != REDIS_LINK_SENTINEL)
        (void)uv_timer_stop(&link->timer);
    link->options.ready(link->options.context);
}

/* An error that concerns the command alone is an answer, too. */
static void on_trial(struct redis_call *call, struct redis_reply **reply)
{
    struct redis_link *link = LINK_OF(call, trial);
    char error[REDIS_QUOTE_SIZE];
    const char *words;
    if ((*reply)->type == REDIS_ERROR && redis_error_classify((*reply)->text, &words) == REDIS_ERROR_AWAY) {
        redis_error_describe((*reply)->text, link->options.url, error);
        redis_link_fail(link, "cannot be asked: %s", error);
    } else if ((*reply)->type == REDIS_ERROR || (*reply)->type == REDIS_ARRAY) {
        link_be_ready(link);
    } else {
        redis_link_fail(link, "sent nonsense in answer to a command");
    }
}

static void on_ping(struct redis_call *call, struct redis_reply **reply)
{
    struct redis_link *link = LINK_OF(call, ping);
    if (!link_expect(link, *reply, "PONG", "PING"))
        return;
    link->trial.replied = on_trial;
    if (link->options.n_trial == 0)
        link_be_ready(link);
    else if (link_append(link, &link->trial, false, link->options.n_trial, link->options.trial) < 0)
        redis_link_fail(link, "cannot be asked: out of memory");
}

static int link_send_auth(struct redis_link *link)
{
    const struct redis_url *url = link->options.url;
    struct str words[3] = { STR("AUTH") };
    size_t n = 1;
    if (!url->has_password)
        return 0;
    if (url->user[0] != '\0')
        words[n++] = str_of(url->user);
    words[n++] = str_of(url->password);
    link->auth.replied = on_auth;
    return link_append(link, &link->auth, false, n, words);
}

static int link_send_select(struct redis_link *link)
{
    const struct redis_url *url = link->options.url;
    char db[16];
    struct str words[2] = { STR("SELECT") };
    if (url->db == 0 || link->options.kind == REDIS_LINK_SENTINEL)
        return 0;
    (void)snprintf(db, sizeof db, "%u", (unsigned)url->db);
    words[1] = str_of(db);
    link->select.replied = on_select;
    return link_append(link, &link->select, false, 2, words);
}

static void on_late(uv_timer_t *timer)
{
    redis_link_fail(timer->data, "has taken the connection and does not answer");
}

static void link_greet(struct redis_link *link)
{
    static const struct str ping = STR("PING");
    link->ping.replied = on_ping;
    int r = link_send_auth(link);
    if (r == 0)
        r = link_send_select(link);
    if (r == 0)
        r = link_append(link, &link->ping, link->options.kind == REDIS_LINK_MASTER, 1, &ping);
    if (r < 0)
        redis_link_fail(link, "cannot be greeted: %s", uv_strerror(r));
}

/* Beginning. */

static void on_connected(struct redis_dial *dial)
{
    struct redis_link *link = LINK_OF(dial, dial);
    int r = uv_read_start(&dial->peer.stream, on_alloc, on_read);
    if (r == 0)
        r = uv_timer_start(&link->timer, on_late, link->options.handshake_ms, 0);
    if (r < 0)
        redis_link_fail(link, "cannot be read: %s", uv_strerror(r));
    else
        link_greet(link);
}

static void on_dial_failed(struct redis_dial *dial, const char *fault)
{
    redis_link_fail(LINK_OF(dial, dial), "cannot be reached: %s", fault);
}

static void on_dial_closed(struct redis_dial *dial)
{
    link_release(LINK_OF(dial, dial));
}

int redis_link_open(struct redis_link **out, uv_loop_t *loop, const struct redis_link_options *options)
{
    char endpoint[REDIS_ENDPOINT_SIZE];
    struct redis_link *link = calloc(1, sizeof *link);
    if (!link || (link->reader = redis_reader_new()) == NULL) {
        free(link);
        return -ENOMEM;
    }
    link->options = *options;
    link->last_call = &link->calls;
    if (options->host) {
        link->host = *options->host;
        redis_host_format(&link->host, endpoint);
    }
    (void)snprintf(link->name, sizeof link->name, "%s at %s",
                   options->kind == REDIS_LINK_SENTINEL ? "Sentinel" : "Redis",
                   options->host ? endpoint : options->url->path);
    redis_out_init(&link->out, on_written, link);
    /* These only fill in the handle. */
    (void)uv_timer_init(loop, &link->timer);
    (void)uv_prepare_init(loop, &link->prepare);
    link->timer.data = link;
    link->prepare.data = link;
    link->n_open = 3;
    link->dial.connected = on_connected;
    link->dial.failed = on_dial_failed;
    link->dial.closed = on_dial_closed;
    redis_dial_start(&link->dial, loop, options->host ? &link->host : NULL, options->url->path, options->connect_ms);
    *out = link;
    return 0;
}
