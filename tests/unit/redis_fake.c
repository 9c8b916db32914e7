#include "redis_fake.h"

#include "suite.h"

#include <arpa/inet.h>
#include <hiredis/hiredis.h>
#include <stdio.h>
#include <unistd.h>

enum { READ_BYTES = 64 * 1024, PATH_SIZE = 128 };

struct fake_conn {
    union {
        uv_stream_t stream;
        uv_pipe_t pipe;
        uv_tcp_t tcp;
    } handle;
    struct fake *fake;
    unsigned index;
    redisReader *reader;
    char *held; /* answers */
    size_t n_held;
    char in[READ_BYTES];
};

static void on_closed(uv_handle_t *handle)
{
    struct fake_conn *conn = handle->data;
    redisReaderFree(conn->reader);
    free(conn->held);
    free(conn);
}

static void conn_close(struct fake_conn *conn)
{
    conn->fake->conns[conn->index] = NULL;
    if (!uv_is_closing((uv_handle_t *)&conn->handle.stream))
        uv_close((uv_handle_t *)&conn->handle.stream, on_closed);
}

static void on_written(uv_write_t *write, int status)
{
    (void)status;
    free(write->data);
    free(write);
}

static void conn_send(struct fake_conn *conn, const char *bytes, size_t n)
{
    uv_write_t *write = malloc(sizeof *write);
    uv_buf_t buf = uv_buf_init(malloc(n), (unsigned)n);
    memcpy(buf.base, bytes, n);
    write->data = buf.base;
    if (uv_write(write, &conn->handle.stream, &buf, 1, on_written) < 0)
        on_written(write, 0);
}

static void conn_answer(struct fake_conn *conn, const char *bytes)
{
    size_t n = bytes ? strlen(bytes) : 0;
    if (n == 0)
        return;
    conn->held = realloc(conn->held, conn->n_held + n);
    memcpy(conn->held + conn->n_held, bytes, n);
    conn->n_held += n;
}

static void conn_release(struct fake_conn *conn)
{
    if (conn->n_held > 0)
        conn_send(conn, conn->held, conn->n_held);
    conn->n_held = 0;
}

static const char *answer(struct fake *fake, const char *command)
{
    fake->n_pings += strcmp(command, "PING") == 0;
    fake->n_roles += strcmp(command, "ROLE") == 0;
    fake->n_look_ups += strcmp(command, "ZRANGEBYSCORE") == 0;
    fake->n_scripts += strcmp(command, "EVAL") == 0;
    const struct {
        const char *command, *answer;
    } answers[] = { { "AUTH", fake->auth },         { "PING", fake->ping },  { "ROLE", fake->role },
                    { "SENTINEL", fake->sentinel }, { "SELECT", "+OK\r\n" }, { "ZRANGEBYSCORE", fake->look_up },
                    { "EVAL", fake->script },       { "SCAN", fake->scan } };
    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++)
        if (strcmp(command, answers[i].command) == 0)
            return answers[i].answer;
    return "-NOPERM this user has no permission\r\n";
}

static bool is_trial(const redisReply *command)
{
    return command->elements > 2 && strcmp(command->element[0]->str, "ZRANGEBYSCORE") == 0 &&
           strcmp(command->element[2]->str, "+inf") == 0;
}

static void conn_serve(struct fake_conn *conn, const redisReply *command)
{
    struct fake *fake = conn->fake;
    ck_assert_int_eq(command->type, REDIS_REPLY_ARRAY);
    const char *name = command->element[0]->str;
    if (is_trial(command)) {
        conn_answer(conn, fake->trial);
        return;
    }
    if (strcmp(name, "INFO") != 0) {
        fake->command[0] = '\0';
        for (size_t i = 0, n = 0; i < command->elements; i++, n = strlen(fake->command))
            (void)snprintf(fake->command + n, sizeof fake->command - n, "%s%s", i ? " " : "", command->element[i]->str);
    }
    conn_answer(conn, answer(fake, name));
    if (fake->resets && strcmp(name, "ZRANGEBYSCORE") == 0) {
        fake->conns[conn->index] = NULL;
        ck_assert_int_eq(uv_tcp_close_reset(&conn->handle.tcp, on_closed), 0);
    } else if (fake->closes && strcmp(name, "ZRANGEBYSCORE") == 0) {
        conn_release(conn);
        conn_close(conn);
    }
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    struct fake_conn *conn = handle->data;
    (void)suggested;
    *buf = uv_buf_init(conn->in, sizeof conn->in);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    struct fake_conn *conn = stream->data;
    void *command = NULL;
    if (n < 0) {
        conn_close(conn);
        return;
    }
    conn->fake->n_reads++;
    ck_assert_int_eq(redisReaderFeed(conn->reader, buf->base, (size_t)n), REDIS_OK);
    while (!uv_is_closing((uv_handle_t *)stream)) {
        ck_assert_int_eq(redisReaderGetReply(conn->reader, &command), REDIS_OK);
        if (!command)
            break;
        conn_serve(conn, command);
        freeReplyObject(command);
    }
    if (!conn->fake->holds && !uv_is_closing((uv_handle_t *)stream))
        conn_release(conn);
}

static void on_connection(uv_stream_t *listener, int status)
{
    struct fake *fake = listener->data;
    struct fake_conn *conn = calloc(1, sizeof *conn);
    ck_assert_int_eq(status, 0);
    ck_assert_uint_lt(fake->n_conns, FAKE_CONNS_MAX);
    conn->fake = fake;
    conn->index = fake->n_conns++;
    fake->conns[conn->index] = conn;
    conn->reader = redisReaderCreate();
    ck_assert_int_eq(fake->is_tcp ? uv_tcp_init(listener->loop, &conn->handle.tcp)
                                  : uv_pipe_init(listener->loop, &conn->handle.pipe, 0),
                     0);
    conn->handle.stream.data = conn;
    ck_assert_int_eq(uv_accept(listener, &conn->handle.stream), 0);
    ck_assert_int_eq(uv_read_start(&conn->handle.stream, on_alloc, on_read), 0);
}

static void listen_tcp(struct fake *fake)
{
    struct sockaddr_in addr;
    int n = sizeof addr;
    ck_assert_int_eq(uv_tcp_init(&fake->rig->loop, &fake->listener.tcp), 0);
    ck_assert_int_eq(uv_ip4_addr("127.0.0.1", 0, &addr), 0);
    ck_assert_int_eq(uv_tcp_bind(&fake->listener.tcp, (struct sockaddr *)&addr, 0), 0);
    ck_assert_int_eq(uv_tcp_getsockname(&fake->listener.tcp, (struct sockaddr *)&addr, &n), 0);
    fake->port = ntohs(addr.sin_port);
}

static void listen_unix(struct fake *fake, const char *name)
{
    char path[PATH_SIZE];
    (void)snprintf(path, sizeof path, "%s/%s", rig_folder, name);
    (void)unlink(path);
    ck_assert_int_eq(uv_pipe_init(&fake->rig->loop, &fake->listener.pipe, 0), 0);
    ck_assert_int_eq(uv_pipe_bind(&fake->listener.pipe, path), 0);
}

void fake_start(struct fake *fake, struct rig *rig, const char *name)
{
    memset(fake, 0, sizeof *fake);
    fake->rig = rig;
    fake->auth = "+OK\r\n";
    fake->ping = "+PONG\r\n";
    fake->role = "*3\r\n$6\r\nmaster\r\n:0\r\n*0\r\n";
    fake->look_up = "*0\r\n";
    fake->trial = "*0\r\n";
    fake->script = ":1\r\n";
    fake->scan = "*2\r\n$1\r\n0\r\n*0\r\n";
    fake->is_tcp = !name;
    if (name)
        listen_unix(fake, name);
    else
        listen_tcp(fake);
    fake->listener.stream.data = fake;
    ck_assert_int_eq(uv_listen(&fake->listener.stream, 16, on_connection), 0);
}

void fake_send(struct fake *fake, const char *bytes)
{
    for (unsigned i = 0; i < fake->n_conns; i++)
        if (fake->conns[i])
            conn_send(fake->conns[i], bytes, strlen(bytes));
}

void fake_release(struct fake *fake)
{
    fake->holds = false;
    for (unsigned i = 0; i < fake->n_conns; i++)
        if (fake->conns[i])
            conn_release(fake->conns[i]);
}

void fake_stop(struct fake *fake)
{
    for (unsigned i = 0; i < fake->n_conns; i++)
        if (fake->conns[i])
            conn_close(fake->conns[i]);
    uv_close((uv_handle_t *)&fake->listener.stream, NULL);
}
