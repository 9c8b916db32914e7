/*
 * empty: a libuv server that decides nothing, as the mark that gatepostd is measured against.
 *
 *   empty HOST PORT     or     empty unix:PATH
 *
 * Reads what comes, and answers DUNNO to each empty line. It does only what no policy server on libuv can leave out:
 * one read and one write a request.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

enum { READ_BYTES = 64 * 1024, BACKLOG = 1024, ANSWERS_AT_ONCE = 64 };

#define ANSWER "action=DUNNO\n\n"

union stream {
    uv_handle_t handle;
    uv_stream_t stream;
    uv_tcp_t tcp;
    uv_pipe_t pipe;
};

struct conn {
    union stream peer;
    char last; /* byte of what came before */
};

static char in[READ_BYTES];

static void die(const char *what, int code)
{
    fprintf(stderr, "empty: %s: %s\n", what, uv_strerror(code));
    exit(1);
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    (void)handle;
    (void)suggested;
    *buf = uv_buf_init(in, sizeof in);
}

static void on_closed(uv_handle_t *handle)
{
    free(handle->data);
}

static unsigned count_requests(struct conn *conn, const char *bytes, size_t n)
{
    unsigned requests = 0;
    for (const char *at = bytes; (at = memchr(at, '\n', n - (size_t)(at - bytes))) != NULL; at++)
        requests += (at > bytes ? at[-1] : conn->last) == '\n';
    conn->last = bytes[n - 1];
    return requests;
}

/* Clients read their answers: what does not go out at once is a fault. */
static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    struct conn *conn = stream->data;
    uv_buf_t answers[ANSWERS_AT_ONCE];
    if (n <= 0) {
        if (n < 0)
            uv_close(&conn->peer.handle, on_closed);
        return;
    }
    for (unsigned left = count_requests(conn, buf->base, (size_t)n); left > 0;) {
        unsigned now = left < ANSWERS_AT_ONCE ? left : ANSWERS_AT_ONCE;
        for (unsigned i = 0; i < now; i++)
            answers[i] = uv_buf_init((char *)ANSWER, sizeof ANSWER - 1);
        int written = uv_try_write(stream, answers, now);
        if (written != (int)(now * (sizeof ANSWER - 1))) {
            uv_close(&conn->peer.handle, on_closed);
            return;
        }
        left -= now;
    }
}

static void on_connection(uv_stream_t *server, int status)
{
    struct conn *conn = status == 0 ? calloc(1, sizeof *conn) : NULL;
    if (!conn)
        return;
    conn->peer.handle.data = conn;
    if (server->type == UV_TCP)
        (void)uv_tcp_init(server->loop, &conn->peer.tcp);
    else
        (void)uv_pipe_init(server->loop, &conn->peer.pipe, 0);
    if (uv_accept(server, &conn->peer.stream) < 0 || uv_read_start(&conn->peer.stream, on_alloc, on_read) < 0)
        uv_close(&conn->peer.handle, on_closed);
    else if (server->type == UV_TCP)
        (void)uv_tcp_nodelay(&conn->peer.tcp, 1);
}

static void open_tcp(union stream *server, uv_loop_t *loop, const char *host, const char *port)
{
    struct sockaddr_in addr;
    int r = uv_ip4_addr(host, atoi(port), &addr);
    if (r == 0)
        r = uv_tcp_init(loop, &server->tcp);
    if (r == 0)
        r = uv_tcp_bind(&server->tcp, (const struct sockaddr *)&addr, 0);
    if (r < 0)
        die(host, r);
}

static void open_pipe(union stream *server, uv_loop_t *loop, const char *path)
{
    int r = uv_pipe_init(loop, &server->pipe, 0);
    if (r == 0)
        r = uv_pipe_bind(&server->pipe, path);
    if (r < 0)
        die(path, r);
}

int main(int argc, char **argv)
{
    static union stream server;
    uv_loop_t *loop = uv_default_loop();
    if (argc == 3)
        open_tcp(&server, loop, argv[1], argv[2]);
    else if (argc == 2 && strncmp(argv[1], "unix:", 5) == 0)
        open_pipe(&server, loop, argv[1] + 5);
    else {
        fprintf(stderr, "usage: empty HOST PORT | empty unix:PATH\n");
        return 2;
    }
    int r = uv_listen(&server.stream, BACKLOG, on_connection);
    if (r < 0)
        die("listen", r);
    return uv_run(loop, UV_RUN_DEFAULT);
}
