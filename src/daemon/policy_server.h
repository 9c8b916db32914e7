/*
 * policy_server: the connections on which Postfix asks.
 *
 * A connection is created in one place, closed in one place, and freed when libuv says that it is closed. It owns one
 * buffer, in which requests are parsed and which max_request_bytes bounds; what cannot be sent at once is queued, and
 * as long as something waits there the client is not read from. Requests are answered in order.
 */
#ifndef GATEPOST_DAEMON_POLICY_SERVER_H
#define GATEPOST_DAEMON_POLICY_SERVER_H

#include "daemon/rule_watch.h"

struct policy_server;

/* Takes limits and listen_allow from the configuration. Returns 0, or a negative errno with the fault in *error. */
int policy_server_new(struct policy_server **server, uv_loop_t *loop, const struct config *config,
                      const struct rule_watch *watch, struct error *error);

/* A listener_accept with the server for its context. */
int policy_server_accept(uv_stream_t *stream, bool is_unix, void *server);

/* Closes every connection that waits for nothing, and each other one once what has been read is answered and sent, or
 * after wait_ms. */
void policy_server_stop(struct policy_server *server, uint64_t wait_ms);

/* After the loop has ended. NULL is fine. */
void policy_server_free(struct policy_server *server);

#endif
