#include "daemon/server_conn.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/resource.h>

enum { KEPT_DESCRIPTORS = 8 };

/* Taking connections. */

static bool is_allowed(const struct server *server, const struct server_conn *conn)
{
    char peer[PEER_TEXT_SIZE];
    struct ip_addr addr;
    if (conn->is_unix)
        return true;
    conn_describe_peer(conn, peer);
    if (!ip_parse(str_of(peer), &addr))
        return false;
    for (size_t i = 0; i < server->n_allowed; i++)
        if (block_holds(&server->allowed[i], &addr))
            return true;
    return false;
}

/* A few descriptors are kept for the databases. Without this libuv would close what it cannot take without a word. */
static bool is_last_descriptor(const struct server_conn *conn)
{
    uv_os_fd_t fd;
    struct rlimit limit;
    if (uv_fileno((const uv_handle_t *)&conn->handle.stream, &fd) < 0 || getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return true;
    return (rlim_t)fd + KEPT_DESCRIPTORS >= limit.rlim_cur;
}

static bool is_welcome(struct server *server, const struct server_conn *conn)
{
    char peer[PEER_TEXT_SIZE];
    if (server->stopping)
        return false;
    if (server->budget->n_conns > (size_t)server->budget->max + server->reserved) {
        log_warning_limited(&server->refused_limit, "a connection is closed: max_connections = %u are open",
                            server->budget->max);
        return false;
    }
    if (is_last_descriptor(conn)) {
        log_warning_limited(&server->descriptor_limit,
                            "a connection is closed: too few descriptors are left; those that "
                            "are open are served");
        return false;
    }
    if (!is_allowed(server, conn)) {
        conn_describe_peer(conn, peer);
        log_warning_limited(&server->refused_limit, "a connection from %s is closed: listen_allow does not have it",
                            peer);
        return false;
    }
    return true;
}

int server_accept(uv_stream_t *stream, bool is_unix, void *context)
{
    struct server_entrance *entrance = context;
    struct server *server = entrance->server;
    struct server_conn *conn = calloc(1, sizeof *conn + server->protocol->state_bytes);
    if (!conn)
        return -ENOMEM;
    conn->server = server;
    conn->entrance = entrance;
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
    server->budget->n_conns++;
    entrance->n_conns++;
    bool taken = uv_accept(stream, &conn->handle.stream) == 0;
    if (!taken || !is_welcome(server, conn)) {
        server->counters->connections_refused += taken;
        conn_close(conn);
        return 0;
    }
    if (!is_unix)
        (void)uv_tcp_nodelay(&conn->handle.tcp, 1);
    conn_read_on(conn);
    return 0;
}

/* Beginning and end. */

static int read_allowed(struct server *server, const struct config_value *allow, struct error *error)
{
    if (!allow)
        return 0;
    server->allowed = calloc(allow->n, sizeof *server->allowed);
    if (!server->allowed)
        return error_set(error, -ENOMEM, "out of memory");
    for (; server->n_allowed < allow->n; server->n_allowed++)
        if (block_parse(str_of(allow->texts[server->n_allowed]), &server->allowed[server->n_allowed], error) < 0)
            return error_prefix(error, -EINVAL, "listen_allow");
    return 0;
}

static void on_round(uv_check_t *round)
{
    server_serve_ready(round->data);
}

static int init_handles(struct server *server)
{
    int r = uv_timer_init(server->loop, &server->deadline);
    if (r == 0)
        r = uv_check_init(server->loop, &server->round);
    if (r == 0)
        r = uv_check_start(&server->round, on_round);
    server->deadline.data = server->round.data = server;
    return r;
}

int server_new(struct server **out, uv_loop_t *loop, const struct server_protocol *protocol, void *context,
               const struct server_limits *limits, struct error *error)
{
    struct server *server = calloc(1, sizeof *server);
    if (!server)
        return error_set(error, -ENOMEM, "out of memory");
    server->loop = loop;
    server->sent = conn_sent;
    server->protocol = protocol;
    server->context = context;
    server->budget = limits->budget;
    server->counters = limits->counters;
    server->reserved = limits->reserved;
    server->max_request_bytes = limits->max_request_bytes;
    server->fault_limit = (struct log_limit){ .burst = 20, .interval_s = 60 };
    server->refused_limit = (struct log_limit){ .burst = 5, .interval_s = 60 };
    server->descriptor_limit = (struct log_limit){ .burst = 1, .interval_s = 60 };
    server->memory_limit = (struct log_limit){ .burst = 1, .interval_s = 60 };
    int r = read_allowed(server, limits->allow, error);
    if (r == 0 && (r = init_handles(server)) < 0)
        error_set(error, r, "the server's handles: %s", uv_strerror(r));
    if (r < 0) {
        server_free(server);
        return r;
    }
    *out = server;
    return 0;
}

const char *server_name(const struct server *server)
{
    return server->protocol->name;
}

static void on_deadline(uv_timer_t *timer)
{
    struct server *server = timer->data;
    if (server->n_conns > 0)
        log_warning("%zu connections are closed before they have got or taken their answers", server->n_conns);
    while (server->conns)
        conn_close(server->conns);
}

void server_stop(struct server *server, uint64_t wait_ms, void (*ended)(void *context), void *context)
{
    struct server_conn *next;
    server->stopping = true;
    server->ended = ended;
    server->ended_context = context;
    (void)uv_timer_start(&server->deadline, on_deadline, wait_ms, 0);
    for (struct server_conn *conn = server->conns; conn; conn = next) {
        next = conn->next;
        conn->no_more = true;
        conn_serve(conn);
    }
    server_end_if_idle(server);
}

void server_free(struct server *server)
{
    if (!server)
        return;
    free(server->allowed);
    free(server);
}
