/*
 * server_conn: one connection of a server. For server*.c alone.
 */
#ifndef GATEPOST_DAEMON_SERVER_CONN_H
#define GATEPOST_DAEMON_SERVER_CONN_H

#include "core/block.h"
#include "daemon/log.h"
#include "daemon/server.h"

enum {
    SERVER_OUT_BYTES = 64 * 1024, /* replies that are gathered before they are sent */
    ROUND_MAX = 64,               /* connections that are served in one go */
    ROUND_BYTES = 64 * 1024,      /* what these have sent, from which on others wait: some hundred requests */
    HELD_MAX = ROUND_MAX,
    PEER_TEXT_SIZE = IP_TEXT_SIZE + 16
};

struct server_conn {
    union {
        uv_stream_t stream;
        uv_tcp_t tcp;
        uv_pipe_t pipe;
    } handle;
    struct server *server;
    struct server_entrance *entrance;
    struct server_conn *next, *prev;
    char *buffer;
    size_t n, size;
    size_t at; /* where the request in hand begins */
    struct request_parser parser;
    const char *fault;      /* of what was to be the next request */
    struct request request; /* taken or in hand */
    size_t length;          /* its bytes */
    bool taken;             /* it is the next to be answered */
    bool in_hand;           /* it is not answered yet */
    size_t unsent;          /* bytes queued in libuv */
    bool ready;             /* it waits for its turn in this round */
    bool reading;
    bool no_more; /* nothing more is read: the client has closed its side, or made a fault */
    bool closing;
    bool is_unix;
    char state[] __attribute__((aligned(16)));
};

/* Replies of one connection among those that are gathered, n bytes. */
struct held {
    struct server_conn *conn;
    size_t n;
};

struct server {
    uv_loop_t *loop;
    void (*sent)(struct server_conn *conn, int status);
    const struct server_protocol *protocol;
    void *context;
    struct server_budget *budget;
    struct counters *counters;
    uint32_t reserved, max_request_bytes;
    struct block *allowed;
    size_t n_allowed;
    struct server_conn *conns;
    size_t n_conns;
    uv_check_t round;
    struct server_conn *ready[ROUND_MAX]; /* they have read something that is not served yet */
    size_t n_ready, ready_bytes;
    uv_timer_t deadline;
    bool stopping;
    void (*ended)(void *context);
    void *ended_context;
    struct log_limit fault_limit, refused_limit, memory_limit, descriptor_limit;
    struct server_conn *serving; /* whose replies are gathered */
    struct held held[HELD_MAX];  /* in the order of out */
    size_t n_held, out_n;
    char out[SERVER_OUT_BYTES];
};

/* Who is at the other end, for the log. */
void conn_describe_peer(const struct server_conn *conn, char text[PEER_TEXT_SIZE]);

/* Reads, unless an answer waits to be sent, nothing more is to be read, or something has come behind a request in hand:
 * the buffer must not move under that. Until then it is cheaper to go on reading than to stop for each request. */
void conn_read_on(struct server_conn *conn);

/* Answers what is complete in the buffer, as long as answers come at once and the client takes them; then reads on. */
void conn_serve(struct server_conn *conn);

/* All that waited to be sent is, or status is an error: goes on, or ends the connection. */
void conn_sent(struct server_conn *conn, int status);

/* Serves all connections that have read something: decides for all, then sends to all. A client that waits on another
 * processor is so woken once for many answers, and not for each. */
void server_serve_ready(struct server *server);

/* Gathers a reply for the connection that is being served, in front of what comes next. */
void conn_gather(struct server_conn *conn, const char *reply, size_t n);

/* Sends all that is gathered. */
void server_send_gathered(struct server *server);

/* Sends at once; what the client does not take waits, and then the connection goes on when it has. */
void conn_send(struct server_conn *conn, const char *bytes, size_t n);

/* Ends the connection; once is enough. It is freed when libuv has closed it. */
void conn_close(struct server_conn *conn);

/* Ends a server that is stopping and has no connection left. */
void server_end_if_idle(struct server *server);

#endif
