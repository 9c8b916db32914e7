#include "conf/endpoint.h"

#include "core/str.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>

enum { PORT_MAX = 65535 };

static int parse_unix(struct str path, struct endpoint *endpoint, struct error *error)
{
    struct sockaddr_un *local = &endpoint->addr.local;
    if (path.n == 0 || path.p[0] != '/')
        return error_set(error, -EINVAL, "\"unix:%.*s\": the path of a socket begins with /", STR_ARGS(path));
    if (path.n >= sizeof local->sun_path)
        return error_set(error, -EINVAL, "\"unix:%.*s\": the path is longer than the %zu bytes that a socket can have",
                         STR_ARGS(path), sizeof local->sun_path - 1);
    endpoint->is_unix = true;
    local->sun_family = AF_UNIX;
    memcpy(local->sun_path, path.p, path.n);
    endpoint->addr_n = sizeof *local;
    return 0;
}

static int resolve(const char *host, const char *port, struct endpoint *endpoint, struct error *error)
{
    struct addrinfo hints = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV };
    struct addrinfo *found = NULL;
    int code = getaddrinfo(host, port, &hints, &found);
    if (code != 0)
        return error_set(error, -EINVAL, "host \"%s\": %s", host, gai_strerror(code));
    memcpy(&endpoint->addr, found->ai_addr, found->ai_addrlen);
    endpoint->addr_n = found->ai_addrlen;
    freeaddrinfo(found);
    return 0;
}

static int parse_inet(struct str rest, struct endpoint *endpoint, struct error *error)
{
    size_t colon = str_find_last(rest, ':');
    struct str host = str_first(rest, colon), port = colon < rest.n ? str_from(rest, colon + 1) : str_make("", 0);
    unsigned long number;
    char host_text[256], port_text[8];
    if (host.n >= 2 && host.p[0] == '[' && host.p[host.n - 1] == ']')
        host = str_make(host.p + 1, host.n - 2);
    else if (str_find(host, ':') != host.n)
        host.n = 0;
    if (host.n == 0 || host.n >= sizeof host_text || !str_to_number(port, PORT_MAX, &number) || number == 0)
        return error_set(error, -EINVAL,
                         "\"inet:%.*s\" is not inet:host:port or inet:[IPv6 address]:port with a port from "
                         "1 to %d",
                         STR_ARGS(rest), PORT_MAX);
    (void)snprintf(host_text, sizeof host_text, "%.*s", STR_ARGS(host));
    (void)snprintf(port_text, sizeof port_text, "%lu", number);
    return resolve(host_text, port_text, endpoint, error);
}

int endpoint_parse(const char *text, struct endpoint *endpoint, struct error *error)
{
    static const struct str inet = STR("inet:"), local = STR("unix:");
    struct str all = str_of(text);
    *endpoint = (struct endpoint){ 0 };
    if (all.n > local.n && str_equal(str_first(all, local.n), local))
        return parse_unix(str_from(all, local.n), endpoint, error);
    if (all.n > inet.n && str_equal(str_first(all, inet.n), inet))
        return parse_inet(str_from(all, inet.n), endpoint, error);
    return error_set(error, -EINVAL,
                     "\"%s\" is no endpoint: write inet:host:port, inet:[IPv6 address]:port or unix:/path", text);
}

void endpoint_format(const struct endpoint *endpoint, char text[ENDPOINT_TEXT_SIZE])
{
    char host[64] = "?", port[8] = "?";
    if (endpoint->is_unix) {
        (void)snprintf(text, ENDPOINT_TEXT_SIZE, "unix:%s", endpoint->addr.local.sun_path);
        return;
    }
    (void)getnameinfo(&endpoint->addr.any, endpoint->addr_n, host, sizeof host, port, sizeof port,
                      NI_NUMERICHOST | NI_NUMERICSERV);
    (void)snprintf(text, ENDPOINT_TEXT_SIZE, endpoint->addr.any.sa_family == AF_INET6 ? "inet:[%s]:%s" : "inet:%s:%s",
                   host, port);
}
