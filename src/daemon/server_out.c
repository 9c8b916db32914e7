/*
 * What a server sends: replies are gathered while connections are served, and sent together.
 */
#include "daemon/server_conn.h"

#include <stdlib.h>

/* A write that could not be done at once. */
struct pending {
    uv_write_t write;
    struct server_conn *conn;
    size_t n;
    char bytes[];
};

static void on_sent(uv_write_t *write, int status)
{
    struct pending *pending = (struct pending *)write->data;
    struct server_conn *conn = pending->conn;
    conn->unsent -= pending->n;
    free(pending);
    if (!conn->closing && (status < 0 || conn->unsent == 0))
        conn->server->sent(conn, status);
}

/* Queues what could not be sent at once. */
static int conn_queue(struct server_conn *conn, const char *bytes, size_t n)
{
    struct pending *pending = malloc(sizeof *pending + n);
    if (!pending)
        return UV_ENOMEM;
    pending->conn = conn;
    pending->n = n;
    pending->write.data = pending;
    memcpy(pending->bytes, bytes, n);
    uv_buf_t buf = uv_buf_init(pending->bytes, (unsigned)n);
    int r = uv_write(&pending->write, &conn->handle.stream, &buf, 1, on_sent);
    if (r < 0)
        free(pending);
    else
        conn->unsent += n;
    return r;
}

void conn_send(struct server_conn *conn, const char *bytes, size_t n)
{
    if (n == 0 || conn->closing)
        return;
    uv_buf_t buf = uv_buf_init((char *)bytes, (unsigned)n);
    int r = conn->unsent > 0 ? UV_EAGAIN : uv_try_write(&conn->handle.stream, &buf, 1);
    size_t sent = r < 0 ? 0 : (size_t)r;
    if ((r >= 0 || r == UV_EAGAIN) && sent < n)
        r = conn_queue(conn, bytes + sent, n - sent);
    if (r < 0)
        conn->server->sent(conn, r);
}

void server_send_gathered(struct server *server)
{
    const char *bytes = server->out;
    for (size_t i = 0; i < server->n_held; bytes += server->held[i++].n)
        conn_send(server->held[i].conn, bytes, server->held[i].n);
    server->n_held = server->out_n = 0;
}

/* Where the connection's replies are counted: last, since it is being served. NULL where there is no room. */
static struct held *place_for(struct server *server, struct server_conn *conn)
{
    if (server->n_held > 0 && server->held[server->n_held - 1].conn == conn)
        return &server->held[server->n_held - 1];
    if (server->n_held == HELD_MAX)
        return NULL;
    server->held[server->n_held] = (struct held){ conn, 0 };
    return &server->held[server->n_held++];
}

void conn_gather(struct server_conn *conn, const char *reply, size_t n)
{
    struct server *server = conn->server;
    if (n > SERVER_OUT_BYTES - server->out_n)
        server_send_gathered(server);
    if (n > SERVER_OUT_BYTES) {
        conn_send(conn, reply, n);
        return;
    }
    struct held *held = place_for(server, conn);
    if (!held) {
        server_send_gathered(server);
        held = place_for(server, conn);
    }
    memcpy(server->out + server->out_n, reply, n);
    server->out_n += n;
    held->n += n;
}
