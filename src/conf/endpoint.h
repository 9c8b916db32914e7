/*
 * endpoint: where a server listens, in Postfix's syntax.
 */
#ifndef GATEPOST_CONF_ENDPOINT_H
#define GATEPOST_CONF_ENDPOINT_H

#include "core/error.h"

#include <stdbool.h>
#include <sys/socket.h>
#include <sys/un.h>

struct endpoint {
    bool is_unix;
    union {
        struct sockaddr any;
        struct sockaddr_storage inet; /* IPv4 or IPv6 */
        struct sockaddr_un local;
    } addr;
    socklen_t addr_n;
};

enum { ENDPOINT_TEXT_SIZE = 128 };

/* Parses inet:host:port, inet:[address]:port or unix:/path. A host that is a name is looked up, which may take its
 * time. Returns 0, or -EINVAL with what is wrong in *error. */
int endpoint_parse(const char *text, struct endpoint *endpoint, struct error *error);

/* In the same syntax, with the address as a number. */
void endpoint_format(const struct endpoint *endpoint, char text[ENDPOINT_TEXT_SIZE]);

#endif
