#include "daemon/policy_server.h"

#include "core/decide.h"
#include "core/reply.h"
#include "daemon/decision_log.h"
#include "daemon/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

enum {
    BUFFER_FIRST_BYTES = 2048, /* a request of Postfix has some 600 */
    OUT_BYTES = 64 * 1024,     /* replies that are sent in one go */
    KEPT_DESCRIPTORS = 8,
    PEER_TEXT_SIZE = IP_TEXT_SIZE + 16
};

struct policy_conn {
    union {
        uv_stream_t stream;
        uv_tcp_t tcp;
        uv_pipe_t pipe;
    } handle;
    struct policy_server *server;
    struct policy_conn *next, *prev;
    char *buffer;
    size_t n, size;
    struct request_parser parser;
    size_t unsent; /* bytes queued in libuv */
    bool reading;
    bool no_more; /* nothing more is read: the client has closed its side, or made a fault */
    bool closing;
    bool is_unix;
};

struct policy_server {
    uv_loop_t *loop;
    const struct rule_watch *watch;
    uint32_t max_connections, max_request_bytes;
    uint32_t log_decisions;
    struct block *allowed;
    size_t n_allowed;
    struct policy_conn *conns;
    size_t n_conns;
    uv_timer_t deadline;
    bool stopping;
    struct log_limit fault_limit, refused_limit, memory_limit, descriptor_limit;
    size_t out_n;
    char out[OUT_BYTES + REPLY_MAX_BYTES]; /* replies not yet handed to libuv, of the connection that is being served */
};

/* A write that could not be done at once. */
struct pending {
    uv_write_t write;
    struct policy_conn *conn;
    size_t n;
    char bytes[];
};

static void describe_peer(const struct policy_conn *conn, char text[PEER_TEXT_SIZE])
{
    struct sockaddr_storage addr;
    int n = sizeof addr;
    char host[IP_TEXT_SIZE] = "?";
    if (conn->is_unix) {
        (void)snprintf(text, PEER_TEXT_SIZE, "a unix socket");
        return;
    }
    if (uv_tcp_getpeername(&conn->handle.tcp, (struct sockaddr *)&addr, &n) == 0)
        (void)uv_ip_name((struct sockaddr *)&addr, host, sizeof host);
    (void)snprintf(text, PEER_TEXT_SIZE, "%s", host);
}

static void on_closed(uv_handle_t *handle)
{
    struct policy_conn *conn = handle->data;
    free(conn->buffer);
    free(conn);
}

/* A server that is stopping is done with its last connection. */
static void end_if_idle(struct policy_server *server)
{
    if (server->stopping && server->n_conns == 0 && !uv_is_closing((uv_handle_t *)&server->deadline))
        uv_close((uv_handle_t *)&server->deadline, NULL);
}

static void conn_close(struct policy_conn *conn)
{
    struct policy_server *server = conn->server;
    if (conn->closing)
        return;
    conn->closing = true;
    if (conn->next)
        conn->next->prev = conn->prev;
    if (conn->prev)
        conn->prev->next = conn->next;
    else
        server->conns = conn->next;
    server->n_conns--;
    end_if_idle(server);
    uv_close((uv_handle_t *)&conn->handle.stream, on_closed);
}

static void conn_out_of_memory(struct policy_conn *conn)
{
    log_warning_limited(&conn->server->memory_limit, "out of memory for a request; its connection is closed");
    conn_close(conn);
}

/* Replies. */

static void conn_serve(struct policy_conn *conn);
static void conn_read_on(struct policy_conn *conn);

static void on_sent(uv_write_t *write, int status)
{
    struct pending *pending = (struct pending *)write->data;
    struct policy_conn *conn = pending->conn;
    conn->unsent -= pending->n;
    free(pending);
    if (conn->closing)
        return;
    if (status < 0)
        conn_close(conn);
    else if (conn->unsent == 0)
        conn_serve(conn);
    conn_read_on(conn);
}

/* Sends what the server has gathered for this connection. */
static void conn_flush(struct policy_conn *conn)
{
    struct policy_server *server = conn->server;
    size_t n = server->out_n;
    server->out_n = 0;
    if (n == 0 || conn->closing)
        return;
    uv_buf_t buf = uv_buf_init(server->out, (unsigned)n);
    int done = uv_try_write(&conn->handle.stream, &buf, 1);
    if (done < 0 && done != UV_EAGAIN) {
        conn_close(conn);
        return;
    }
    size_t sent = done < 0 ? 0 : (size_t)done;
    if (sent == n)
        return;
    struct pending *pending = malloc(sizeof *pending + n - sent);
    if (!pending) {
        conn_out_of_memory(conn);
        return;
    }
    pending->conn = conn;
    pending->n = n - sent;
    pending->write.data = pending;
    memcpy(pending->bytes, server->out + sent, n - sent);
    buf = uv_buf_init(pending->bytes, (unsigned)(n - sent));
    if (uv_write(&pending->write, &conn->handle.stream, &buf, 1, on_sent) < 0) {
        free(pending);
        conn_close(conn);
        return;
    }
    conn->unsent += n - sent;
}

/* Until the next issue's stores exist, no login is on record. */
static int answer(const struct rules *rules, const struct request *request, struct decision *decision)
{
    struct decide_query query = { .rules = rules, .request = request, .now = time(NULL) };
    int r = decide(&query, decision);
    if (r == 0 && decision->needs_login) {
        query.logins.state = LOGIN_KNOWN;
        r = decide(&query, decision);
    }
    return r;
}

static void conn_answer(struct policy_conn *conn, const struct request *request)
{
    struct policy_server *server = conn->server;
    const struct rules *rules = rule_watch_rules(server->watch);
    uint64_t begin = uv_hrtime();
    struct decision decision;
    if (answer(rules, request, &decision) < 0) {
        conn_out_of_memory(conn);
        return;
    }
    server->out_n += reply_write(&decision, request, rules_settings(rules), server->out + server->out_n);
    if (decision_log_wants(server->log_decisions, &decision))
        decision_log(&decision, request, rules_settings(rules), (uv_hrtime() - begin) / 1000);
    if (server->out_n >= OUT_BYTES)
        conn_flush(conn);
}

static void conn_fault(struct policy_conn *conn, const char *fault)
{
    char peer[PEER_TEXT_SIZE];
    describe_peer(conn, peer);
    log_warning_limited(&conn->server->fault_limit, "a malformed request from %s: %s; the connection is closed", peer,
                        fault);
    conn->no_more = true;
    conn->n = 0;
}

/* Keeps what follows the first n bytes. A buffer that had to grow is given back once it is empty. */
static void conn_consume(struct policy_conn *conn, size_t n)
{
    conn->n -= n;
    if (n > 0 && conn->n > 0)
        memmove(conn->buffer, conn->buffer + n, conn->n);
    if (conn->n == 0 && conn->size > BUFFER_FIRST_BYTES) {
        free(conn->buffer);
        conn->buffer = NULL;
        conn->size = 0;
    }
}

/* Answers what is complete in the buffer, as long as the client takes the replies. */
static void conn_serve(struct policy_conn *conn)
{
    struct policy_server *server = conn->server;
    size_t at = 0;
    enum request_progress progress = REQUEST_COMPLETE;
    server->out_n = 0;
    while (!conn->closing && conn->unsent == 0 && at < conn->n && progress == REQUEST_COMPLETE) {
        struct request request;
        size_t length;
        const char *fault = NULL;
        progress = request_parse(&conn->parser, &policy_form, conn->buffer + at, conn->n - at, server->max_request_bytes, &request,
                                 &length, &fault);
        if (progress == REQUEST_COMPLETE && (fault = request_check(&request, &policy_form)) == NULL) {
            conn_answer(conn, &request);
            at += length;
        } else if (fault) {
            conn_fault(conn, fault);
            at = 0;
            break;
        }
    }
    if (conn->closing)
        return;
    conn_consume(conn, at);
    conn_flush(conn);
    if (conn->closing || conn->unsent > 0)
        return;
    bool finished = progress != REQUEST_COMPLETE || conn->n == 0;
    if (conn->no_more && finished)
        conn_close(conn);
}

/* Reading. */

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    struct policy_conn *conn = handle->data;
    size_t most = (size_t)conn->server->max_request_bytes + 1;
    (void)suggested;
    if (conn->n == conn->size && conn->size < most) {
        size_t size = conn->size ? conn->size * 2 : BUFFER_FIRST_BYTES;
        char *wider = realloc(conn->buffer, size < most ? size : most);
        if (wider) {
            conn->buffer = wider;
            conn->size = size < most ? size : most;
        }
    }
    /* Without room libuv reports UV_ENOBUFS. */
    *buf = uv_buf_init(conn->buffer + conn->n, (unsigned)(conn->size - conn->n));
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    struct policy_conn *conn = stream->data;
    (void)buf;
    if (n == UV_ENOBUFS) {
        conn_out_of_memory(conn);
        return;
    }
    if (n < 0 && n != UV_EOF) {
        conn_close(conn);
        return;
    }
    if (n == UV_EOF)
        conn->no_more = true;
    else
        conn->n += (size_t)n;
    conn_serve(conn);
    conn_read_on(conn);
}

/* Reads only while nothing waits to be sent. */
static void conn_read_on(struct policy_conn *conn)
{
    bool read_on = !conn->no_more && conn->unsent == 0;
    if (conn->closing || read_on == conn->reading)
        return;
    conn->reading = read_on;
    if (!read_on)
        (void)uv_read_stop(&conn->handle.stream);
    else if (uv_read_start(&conn->handle.stream, on_alloc, on_read) < 0)
        conn_close(conn);
}

/* Taking connections. */

static bool is_allowed(const struct policy_server *server, const struct policy_conn *conn)
{
    char peer[PEER_TEXT_SIZE];
    struct ip_addr addr;
    if (conn->is_unix)
        return true;
    describe_peer(conn, peer);
    if (!ip_parse(str_of(peer), &addr))
        return false;
    for (size_t i = 0; i < server->n_allowed; i++)
        if (block_holds(&server->allowed[i], &addr))
            return true;
    return false;
}

/* A few descriptors are kept for the database. Without this libuv would close what it cannot take without a word. */
static bool is_last_descriptor(const struct policy_conn *conn)
{
    uv_os_fd_t fd;
    struct rlimit limit;
    if (uv_fileno((const uv_handle_t *)&conn->handle.stream, &fd) < 0 || getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return true;
    return (rlim_t)fd + KEPT_DESCRIPTORS >= limit.rlim_cur;
}

static bool is_welcome(struct policy_server *server, const struct policy_conn *conn)
{
    char peer[PEER_TEXT_SIZE];
    if (server->stopping)
        return false;
    if (server->n_conns > server->max_connections) {
        log_warning_limited(&server->refused_limit, "a connection is closed: max_connections = %u are open",
                            server->max_connections);
        return false;
    }
    if (is_last_descriptor(conn)) {
        log_warning_limited(&server->descriptor_limit,
                            "a connection is closed: too few descriptors are left; those that "
                            "are open are served");
        return false;
    }
    if (!is_allowed(server, conn)) {
        describe_peer(conn, peer);
        log_warning_limited(&server->refused_limit, "a connection from %s is closed: listen_allow does not have it",
                            peer);
        return false;
    }
    return true;
}

int policy_server_accept(uv_stream_t *stream, bool is_unix, void *context)
{
    struct policy_server *server = context;
    struct policy_conn *conn = calloc(1, sizeof *conn);
    if (!conn)
        return -ENOMEM;
    conn->server = server;
    conn->is_unix = is_unix;
    int r = is_unix ? uv_pipe_init(server->loop, &conn->handle.pipe, 0) : uv_tcp_init(server->loop, &conn->handle.tcp);
    if (r < 0) {
        free(conn);
        return r;
    }
    conn->handle.stream.data = conn;
    conn->next = server->conns;
    if (conn->next)
        conn->next->prev = conn;
    server->conns = conn;
    server->n_conns++;
    if (uv_accept(stream, &conn->handle.stream) < 0 || !is_welcome(server, conn)) {
        conn_close(conn);
        return 0;
    }
    if (!is_unix)
        (void)uv_tcp_nodelay(&conn->handle.tcp, 1);
    conn_read_on(conn);
    return 0;
}

/* Beginning and end. */

static int read_allowed(struct policy_server *server, const struct config *config, struct error *error)
{
    const struct config_value *value = &config->value[CONFIG_LISTEN_ALLOW];
    server->allowed = calloc(value->n, sizeof *server->allowed);
    if (!server->allowed)
        return error_set(error, -ENOMEM, "out of memory");
    for (; server->n_allowed < value->n; server->n_allowed++)
        if (block_parse(str_of(value->texts[server->n_allowed]), &server->allowed[server->n_allowed], error) < 0)
            return error_prefix(error, -EINVAL, "listen_allow");
    return 0;
}

int policy_server_new(struct policy_server **out, uv_loop_t *loop, const struct config *config,
                      const struct rule_watch *watch, struct error *error)
{
    struct policy_server *server = calloc(1, sizeof *server);
    if (!server)
        return error_set(error, -ENOMEM, "out of memory");
    server->loop = loop;
    server->watch = watch;
    server->max_connections = config_number(config, CONFIG_MAX_CONNECTIONS);
    server->max_request_bytes = config_number(config, CONFIG_MAX_REQUEST_BYTES);
    server->log_decisions = config_number(config, CONFIG_LOG_DECISIONS);
    server->fault_limit = (struct log_limit){ .burst = 20, .interval_s = 60 };
    server->refused_limit = (struct log_limit){ .burst = 5, .interval_s = 60 };
    server->descriptor_limit = (struct log_limit){ .burst = 1, .interval_s = 60 };
    server->memory_limit = (struct log_limit){ .burst = 1, .interval_s = 60 };
    int r = read_allowed(server, config, error);
    if (r == 0 && (r = uv_timer_init(loop, &server->deadline)) < 0)
        error_set(error, r, "a timer: %s", uv_strerror(r));
    if (r < 0) {
        policy_server_free(server);
        return r;
    }
    server->deadline.data = server;
    *out = server;
    return 0;
}

static void on_deadline(uv_timer_t *timer)
{
    struct policy_server *server = timer->data;
    if (server->n_conns > 0)
        log_warning("%zu connections did not take their answers and are closed", server->n_conns);
    while (server->conns)
        conn_close(server->conns);
}

void policy_server_stop(struct policy_server *server, uint64_t wait_ms)
{
    struct policy_conn *next;
    server->stopping = true;
    (void)uv_timer_start(&server->deadline, on_deadline, wait_ms, 0);
    for (struct policy_conn *conn = server->conns; conn; conn = next) {
        next = conn->next;
        conn->no_more = true;
        conn_serve(conn);
        conn_read_on(conn);
    }
    end_if_idle(server);
}

void policy_server_free(struct policy_server *server)
{
    if (!server)
        return;
    free(server->allowed);
    free(server);
}
