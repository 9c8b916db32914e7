#include "daemon/server_conn.h"

#include <stdio.h>
#include <stdlib.h>

enum { BUFFER_FIRST_BYTES = 2048 /* a request of Postfix has some 600 */ };

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
    if (!server->stopping || server->n_conns > 0 || uv_is_closing((uv_handle_t *)&server->deadline))
        return;
    uv_close((uv_handle_t *)&server->round, NULL);
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
    conn->entrance->n_conns--;
    server_end_if_idle(server);
    uv_close((uv_handle_t *)&conn->handle.stream, on_closed);
}

void server_out_of_memory(struct server_conn *conn)
{
    log_warning_limited(&conn->server->memory_limit, "out of memory for a request; its connection is closed");
    conn_close(conn);
}

/* Requests. */

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
    server_send_gathered(conn->server);
    conn_send(conn, reply, n);
    conn_serve(conn);
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

static void conn_fault(struct server_conn *conn)
{
    struct server *server = conn->server;
    char peer[PEER_TEXT_SIZE], reply[128];
    server->counters->protocol_errors++;
    conn_describe_peer(conn, peer);
    log_warning_limited(&server->fault_limit, "a malformed request from %s: %s; the connection is closed", peer,
                        conn->fault);
    if (server->protocol->says_fault) {
        int n = snprintf(reply, sizeof reply, "action=REJECT %s\n\n", conn->fault);
        conn_gather(conn, reply, (size_t)n);
    }
    conn->fault = NULL;
    conn->no_more = true;
    conn->n = conn->at = 0;
}

/* Takes the next request, if it is there whole and nothing is in the way: answers come one by one, and as long as the
 * client does not take one, the others wait. */
static bool conn_take(struct server_conn *conn)
{
    struct server *server = conn->server;
    if (conn->closing || conn->in_hand || conn->unsent > 0 || conn->fault || conn->at == conn->n)
        return false;
    if (conn->taken)
        return true;
    enum request_progress progress =
        request_parse(&conn->parser, server->protocol->form, conn->buffer + conn->at, conn->n - conn->at,
                      server->max_request_bytes, &conn->request, &conn->length, &conn->fault);
    /* What says its faults answers a request of another kind itself. */
    if (progress == REQUEST_COMPLETE && !server->protocol->says_fault)
        conn->fault = request_check(&conn->request, server->protocol->form);
    conn->taken = progress == REQUEST_COMPLETE && !conn->fault;
    return conn->taken;
}

static void conn_answer(struct server_conn *conn)
{
    struct server *server = conn->server;
    struct server_conn *outer = server->serving;
    server->serving = conn;
    while (conn_take(conn)) {
        conn->taken = false;
        conn->in_hand = true;
        if (server->protocol->answer(conn, &conn->request) < 0)
            server_out_of_memory(conn);
    }
    if (conn->fault)
        conn_fault(conn);
    server->serving = outer;
}

/* What has been answered is sent. What is left in the buffer once nothing more comes is no request. */
static void conn_go_on(struct server_conn *conn)
{
    if (!conn->closing && !conn->in_hand) {
        conn_consume(conn);
        if (conn->no_more && conn->unsent == 0)
            conn_close(conn);
    }
    conn_read_on(conn);
}

void conn_serve(struct server_conn *conn)
{
    conn_answer(conn);
    server_send_gathered(conn->server);
    conn_go_on(conn);
}

void conn_sent(struct server_conn *conn, int status)
{
    if (status == UV_ENOMEM)
        server_out_of_memory(conn);
    else if (status < 0)
        conn_close(conn);
    else
        conn_serve(conn);
}

void server_serve_ready(struct server *server)
{
    const struct server_protocol *protocol = server->protocol;
    struct server_conn *taken[ROUND_MAX];
    size_t n = server->n_ready, n_taken = 0;
    server->n_ready = server->ready_bytes = 0;
    for (size_t i = 0; i < n && protocol->foresee; i++)
        if (conn_take(server->ready[i]))
            taken[n_taken++] = server->ready[i];
    if (n_taken > 0)
        protocol->foresee(server->context, taken, n_taken);
    for (size_t i = 0; i < n; i++) {
        server->ready[i]->ready = false;
        conn_answer(server->ready[i]);
    }
    server_send_gathered(server);
    for (size_t i = 0; i < n; i++)
        conn_go_on(server->ready[i]);
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
    struct server *server = conn->server;
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
    if (!conn->ready)
        server->ready[server->n_ready++] = conn;
    conn->ready = true;
    server->ready_bytes += n > 0 ? (size_t)n : 0;
    /* A full buffer is emptied at once, since libuv may go on reading. */
    if (server->n_ready == ROUND_MAX || server->ready_bytes >= ROUND_BYTES || conn->n == conn->size)
        server_serve_ready(server);
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

struct str server_request_bytes(const struct server_conn *conn)
{
    return str_make(conn->buffer + conn->at, conn->length);
}
