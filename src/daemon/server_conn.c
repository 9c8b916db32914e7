#include "daemon/server_conn.h"

#include <stdio.h>
#include <stdlib.h>

enum { BUFFER_FIRST_BYTES = 2048 /* a request of Postfix has some 600 */ };

/* A write that could not be done at once. */
struct pending {
    uv_write_t write;
    struct server_conn *conn;
    size_t n;
    char bytes[];
};

void conn_describe_peer(const struct server_conn *conn, char text[PEER_TEXT_SIZE])
{
    struct sockaddr_storage addr;
    int n = sizeof addr;
    char host[IP_TEXT_SIZE] = "?";
    if (conn->is_unix) {
        (void)snprintf(text, PEER_TEXT_SIZE, "a unix socket (%s)", conn->server->protocol->name);
        return;
    }
    if (uv_tcp_getpeername(&conn->handle.tcp, (struct sockaddr *)&addr, &n) == 0)
        (void)uv_ip_name((struct sockaddr *)&addr, host, sizeof host);
    (void)snprintf(text, PEER_TEXT_SIZE, "%s", host);
}

/* Closing. */

static void on_closed(uv_handle_t *handle)
{
    struct server_conn *conn = handle->data;
    free(conn->buffer);
    free(conn);
}

static void on_deadline_closed(uv_handle_t *handle)
{
    struct server *server = handle->data;
    if (server->ended)
        server->ended(server->ended_context);
}

void server_end_if_idle(struct server *server)
{
    if (server->stopping && server->n_conns == 0 && !uv_is_closing((uv_handle_t *)&server->deadline))
        uv_close((uv_handle_t *)&server->deadline, on_deadline_closed);
}

void conn_close(struct server_conn *conn)
{
    struct server *server = conn->server;
    if (conn->closing)
        return;
    conn->closing = true;
    if (conn->in_hand && server->protocol->abandon)
        server->protocol->abandon(conn);
    if (conn->next)
        conn->next->prev = conn->prev;
    if (conn->prev)
        conn->prev->next = conn->next;
    else
        server->conns = conn->next;
    server->n_conns--;
    server->budget->n_conns--;
    server_end_if_idle(server);
    uv_close((uv_handle_t *)&conn->handle.stream, on_closed);
}

void server_out_of_memory(struct server_conn *conn)
{
    log_warning_limited(&conn->server->memory_limit, "out of memory for a request; its connection is closed");
    conn_close(conn);
}

/* Replies. */

static void on_sent(uv_write_t *write, int status)
{
    struct pending *pending = (struct pending *)write->data;
    struct server_conn *conn = pending->conn;
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

/* Queues what could not be sent at once. */
static void conn_queue(struct server_conn *conn, const char *bytes, size_t n)
{
    struct pending *pending = malloc(sizeof *pending + n);
    if (!pending) {
        server_out_of_memory(conn);
        return;
    }
    pending->conn = conn;
    pending->n = n;
    pending->write.data = pending;
    memcpy(pending->bytes, bytes, n);
    uv_buf_t buf = uv_buf_init(pending->bytes, (unsigned)n);
    if (uv_write(&pending->write, &conn->handle.stream, &buf, 1, on_sent) < 0) {
        free(pending);
        conn_close(conn);
        return;
    }
    conn->unsent += n;
}

static void conn_send(struct server_conn *conn, const char *bytes, size_t n)
{
    if (n == 0 || conn->closing)
        return;
    uv_buf_t buf = uv_buf_init((char *)bytes, (unsigned)n);
    int done = conn->unsent > 0 ? UV_EAGAIN : uv_try_write(&conn->handle.stream, &buf, 1);
    size_t sent = done < 0 ? 0 : (size_t)done;
    if (done < 0 && done != UV_EAGAIN)
        conn_close(conn);
    else if (sent < n)
        conn_queue(conn, bytes + sent, n - sent);
}

/* Sends what has been gathered for the connection that is being served. */
static void conn_flush(struct server_conn *conn)
{
    size_t n = conn->server->out_n;
    conn->server->out_n = 0;
    conn_send(conn, conn->server->out, n);
}

static void conn_gather(struct server_conn *conn, const char *reply, size_t n)
{
    struct server *server = conn->server;
    if (n > SERVER_OUT_BYTES - server->out_n)
        conn_flush(conn);
    if (n > SERVER_OUT_BYTES) {
        conn_send(conn, reply, n);
    } else {
        memcpy(server->out + server->out_n, reply, n);
        server->out_n += n;
    }
}

/* An answer that comes late finds nobody served, or somebody else: it is sent at once, and its connection goes on. */
void server_reply(struct server_conn *conn, const char *reply, size_t n)
{
    if (conn->closing)
        return;
    conn->in_hand = false;
    conn->at += conn->length;
    if (conn->server->serving == conn) {
        conn_gather(conn, reply, n);
        return;
    }
    conn_send(conn, reply, n);
    if (!conn->closing && conn->unsent == 0)
        conn_serve(conn);
    conn_read_on(conn);
}

/* Keeps what follows the answered requests. A buffer that had to grow is given back once it is empty. */
static void conn_consume(struct server_conn *conn)
{
    conn->n -= conn->at;
    if (conn->at > 0 && conn->n > 0)
        memmove(conn->buffer, conn->buffer + conn->at, conn->n);
    conn->at = 0;
    if (conn->n == 0 && conn->size > BUFFER_FIRST_BYTES) {
        free(conn->buffer);
        conn->buffer = NULL;
        conn->size = 0;
    }
}

static void conn_fault(struct server_conn *conn, const char *fault)
{
    struct server *server = conn->server;
    char peer[PEER_TEXT_SIZE], reply[128];
    conn_describe_peer(conn, peer);
    log_warning_limited(&server->fault_limit, "a malformed request from %s: %s; the connection is closed", peer, fault);
    if (server->protocol->says_fault) {
        int n = snprintf(reply, sizeof reply, "action=REJECT %s\n\n", fault);
        conn_gather(conn, reply, (size_t)n);
    }
    conn->no_more = true;
    conn->n = conn->at = 0;
}

/* Takes the next request in hand and has it answered. False where there is none to go on with. */
static bool conn_take_request(struct server_conn *conn)
{
    struct server *server = conn->server;
    const char *fault = NULL;
    enum request_progress progress =
        request_parse(&conn->parser, server->protocol->form, conn->buffer + conn->at, conn->n - conn->at,
                      server->max_request_bytes, &conn->request, &conn->length, &fault);
    if (progress == REQUEST_INCOMPLETE)
        return false;
    /* What says its faults answers a request of another kind itself. */
    if (progress == REQUEST_COMPLETE && !server->protocol->says_fault)
        fault = request_check(&conn->request, server->protocol->form);
    if (fault) {
        conn_fault(conn, fault);
        return false;
    }
    conn->in_hand = true;
    if (server->protocol->answer(conn, &conn->request) < 0)
        server_out_of_memory(conn);
    return true;
}

void conn_serve(struct server_conn *conn)
{
    struct server *server = conn->server;
    struct server_conn *outer = server->serving;
    bool more = true;
    if (conn->in_hand)
        return;
    if (outer)
        conn_flush(outer);
    server->serving = conn;
    while (more && !conn->closing && !conn->in_hand && conn->unsent == 0 && conn->at < conn->n)
        more = conn_take_request(conn);
    conn_flush(conn);
    server->serving = outer;
    if (conn->closing || conn->in_hand)
        return;
    conn_consume(conn);
    if (conn->no_more && conn->unsent == 0 && (!more || conn->n == 0))
        conn_close(conn);
}

/* Reading. */

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    struct server_conn *conn = handle->data;
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
    struct server_conn *conn = stream->data;
    (void)buf;
    if (n == UV_ENOBUFS) {
        server_out_of_memory(conn);
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

void conn_read_on(struct server_conn *conn)
{
    bool settled = !conn->in_hand || (conn->n == conn->at + conn->length && conn->n < conn->size);
    bool read_on = !conn->no_more && settled && conn->unsent == 0;
    if (conn->closing || read_on == conn->reading)
        return;
    conn->reading = read_on;
    if (!read_on)
        (void)uv_read_stop(&conn->handle.stream);
    else if (uv_read_start(&conn->handle.stream, on_alloc, on_read) < 0)
        conn_close(conn);
}

void *server_context(struct server_conn *conn)
{
    return conn->server->context;
}

void *server_state(struct server_conn *conn)
{
    return conn->state;
}

const struct request *server_request(const struct server_conn *conn)
{
    return &conn->request;
}
