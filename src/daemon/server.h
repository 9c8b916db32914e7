/*
 * server: connections on which requests of the form name=value are answered, in order.
 *
 * What is asked and answered is the business of a struct server_protocol: Postfix's policy requests, login events, the
 * command line's requests. A connection is created in one place, closed in one place, and freed when libuv says that it
 * is closed. It owns one buffer, in which requests are parsed and which max_request_bytes bounds. One request at a time
 * is in hand; until it is answered, and as long as an answer waits to be sent, little more is read, so that the request
 * stays where it lies and nothing piles up.
 */
#ifndef GATEPOST_DAEMON_SERVER_H
#define GATEPOST_DAEMON_SERVER_H

#include "conf/config.h"
#include "core/request.h"
#include "daemon/counters.h"

#include <uv.h>

struct server;
struct server_conn;

struct server_protocol {
    const char *name; /* in warnings */
    const struct request_form *form;
    size_t state_bytes; /* what server_state gives for each connection, zeros at first */
    bool says_fault;    /* a request that cannot be parsed gets action=REJECT, and not nothing, before the end */

    /* Answers the request with server_reply, at once or later. -ENOMEM costs the connection. */
    int (*answer)(struct server_conn *conn, const struct request *request);

    /* Requests of several connections, n of them, for each of which `answer` is called next: for what is cheaper done
     * for all at once. May be NULL. */
    void (*foresee)(void *context, struct server_conn *const *conns, size_t n);

    /* The connection ends while its request is not answered: it is not to be touched any more. May be NULL. */
    void (*abandon)(struct server_conn *conn);
};

/* An endpoint on which a server takes connections. */
struct server_entrance {
    struct server *server;
    const char *endpoint; /* as configured */
    size_t n_conns;
};

/* Connections of all servers that share it. */
struct server_budget {
    size_t n_conns;
    uint32_t max;
};

struct server_limits {
    struct server_budget *budget; /* must outlive the server, as must the next */
    struct counters *counters;
    uint32_t reserved; /* connections of this server beyond the budget */
    uint32_t max_request_bytes;
    const struct config_value *allow; /* the blocks from which TCP connections are taken; NULL: none */
};

/* The protocol must outlive the server. Returns 0, or a negative errno with the fault in *error. */
int server_new(struct server **server, uv_loop_t *loop, const struct server_protocol *protocol, void *context,
               const struct server_limits *limits, struct error *error);

/* A listener_accept with a struct server_entrance for its context, which must outlive the connections. */
int server_accept(uv_stream_t *stream, bool is_unix, void *entrance);

/* What the server speaks, for people. */
const char *server_name(const struct server *server);

/* Answers the request in hand with the n bytes at reply, which are copied. */
void server_reply(struct server_conn *conn, const char *reply, size_t n);

/* Closes the connection without an answer: for a request that a failed allocation has cost. */
void server_out_of_memory(struct server_conn *conn);

/* What the server was given, what belongs to the connection, and the request in hand. */
void *server_context(struct server_conn *conn);
void *server_state(struct server_conn *conn);
const struct request *server_request(const struct server_conn *conn);

/* The request in hand as it came, with its empty line. */
struct str server_request_bytes(const struct server_conn *conn);

/* Closes every connection that waits for nothing, and each other one once what has been read is answered and sent, or
 * after wait_ms. Calls ended when the last one is gone, if need be at once. */
void server_stop(struct server *server, uint64_t wait_ms, void (*ended)(void *context), void *context);

/* After the loop has ended. NULL is fine. */
void server_free(struct server *server);

#endif
