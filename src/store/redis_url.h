/*
 * redis_url: which Redis keeps the logins, as the configuration key `logins` says it.
 *
 *   redis://[user:password@]host[:port][/db]
 *   redis+unix://[user:password@]/path[?db=N]
 *   redis+sentinel://[user:password@]host:port[,host:port...]/name[/db]
 *
 * User, password, path and name are percent-decoded; without a user the password is that of the default user. An IPv6
 * host stands in brackets. No fault that is reported shows any part of the URL, as a password can be anywhere in one
 * that is malformed.
 */
#ifndef GATEPOST_STORE_REDIS_URL_H
#define GATEPOST_STORE_REDIS_URL_H

#include "core/error.h"
#include "core/str.h"

#include <stdint.h>
#include <sys/un.h>

enum {
    REDIS_HOSTS_MAX = 16,        /* sentinels */
    REDIS_HOST_SIZE = 256,       /* a host name has at most 253 bytes */
    REDIS_CREDENTIAL_SIZE = 513, /* Redis' own generator makes passwords of 64 */
    REDIS_NAME_SIZE = 256,       /* what Sentinel calls a master */
    REDIS_PATH_SIZE = sizeof((struct sockaddr_un *)0)->sun_path,
    REDIS_ENDPOINT_SIZE = REDIS_HOST_SIZE + 16 /* for people: host:port, [address]:port or the path of a socket */
};

enum redis_url_kind { REDIS_URL_TCP, REDIS_URL_UNIX, REDIS_URL_SENTINEL };

struct redis_host {
    char name[REDIS_HOST_SIZE]; /* or an address, without brackets */
    uint16_t port;
};

struct redis_url {
    enum redis_url_kind kind;
    bool has_password;
    char user[REDIS_CREDENTIAL_SIZE]; /* "" is none */
    char password[REDIS_CREDENTIAL_SIZE];
    struct redis_host hosts[REDIS_HOSTS_MAX]; /* one server, or the sentinels */
    size_t n_hosts;
    char path[REDIS_PATH_SIZE];
    char master[REDIS_NAME_SIZE];
    uint32_t db;
};

/* Returns 0, or -EINVAL with what is wrong, and what would be right, in *error. */
int redis_url_parse(const char *text, struct redis_url *url, struct error *error);

/* host:port, an IPv6 address in brackets. */
void redis_host_format(const struct redis_host *host, char text[REDIS_ENDPOINT_SIZE]);

#endif
