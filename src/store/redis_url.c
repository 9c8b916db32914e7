#include "store/redis_url.h"

#include "core/block.h"

#include <errno.h>
#include <stdio.h>

enum { REDIS_PORT = 6379, SENTINEL_PORT = 26379, PORT_MAX = 65535 };

static const char forms[] = "redis://[user:password@]host[:port][/db], redis+unix:///path[?db=N], "
                            "redis+sentinel://[user:password@]host:port[,host:port...]/name[/db] or sqlite:/path";

static int hex_digit(char c)
{
    if (ascii_is_digit(c))
        return c - '0';
    c = ascii_lower(c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Decodes %XX into a text of less than `size` bytes without NUL. */
static int decode(struct str from, char *to, size_t size, const char *what, struct error *error)
{
    size_t n = 0;
    for (size_t i = 0; i < from.n; i++) {
        char c = from.p[i];
        if (c == '%') {
            int high = i + 2 < from.n ? hex_digit(from.p[i + 1]) : -1;
            int low = i + 2 < from.n ? hex_digit(from.p[i + 2]) : -1;
            if (high < 0 || low < 0)
                return error_set(error, -EINVAL,
                                 "logins: in %s, %% stands before two hexadecimal digits; write %%25 "
                                 "for the character itself",
                                 what);
            c = (char)(high * 16 + low);
            i += 2;
        }
        if (c == '\0' || n + 1 >= size)
            return error_set(error, -EINVAL, c ? "logins: %s is longer than %zu bytes" : "logins: %s holds a NUL", what,
                             size - 1);
        to[n++] = c;
    }
    to[n] = '\0';
    return 0;
}

static bool has_control(const char *text)
{
    for (; *text; text++)
        if (ascii_is_control(*text))
            return true;
    return false;
}

static int parse_credentials(struct str info, struct redis_url *url, struct error *error)
{
    size_t colon = str_find(info, ':');
    if (colon == info.n)
        return error_set(error, -EINVAL, "logins: what stands before @ is user:password or :password");
    url->has_password = true;
    int r = decode(str_first(info, colon), url->user, sizeof url->user, "the user", error);
    if (r == 0)
        r = decode(str_from(info, colon + 1), url->password, sizeof url->password, "the password", error);
    return r;
}

static bool is_host(struct str host)
{
    for (size_t i = 0; i < host.n; i++) {
        char c = ascii_lower(host.p[i]);
        if (!ascii_is_digit(c) && !(c >= 'a' && c <= 'z') && c != '-' && c != '.' && c != '_')
            return false;
    }
    return host.n > 0 && host.n < REDIS_HOST_SIZE;
}

/* Cuts the host off *text, which then begins with the colon of the port or is empty. */
static bool cut_host(struct str *text, struct str *host)
{
    struct ip_addr addr;
    if (text->n > 0 && text->p[0] == '[') {
        size_t end = str_find(*text, ']');
        *host = str_make(text->p + 1, end - 1);
        if (end == text->n || !ip_parse(*host, &addr) || str_find(*host, ':') == host->n)
            return false;
        *text = str_from(*text, end + 1);
    } else {
        *host = str_first(*text, str_find(*text, ':'));
        if (!is_host(*host))
            return false;
        *text = str_from(*text, host->n);
    }
    return text->n == 0 || text->p[0] == ':';
}

static int parse_host(struct str text, uint16_t default_port, struct redis_host *out, struct error *error)
{
    struct str host;
    unsigned long port = default_port;
    if (!cut_host(&text, &host))
        return error_set(error, -EINVAL,
                         "logins: a host is missing or wrong: it is a name, an IPv4 address or an IPv6 "
                         "address in brackets; in user and password, @ / : and %% are written %%40 %%2F "
                         "%%3A and %%25");
    if (text.n > 0 && (!str_to_number(str_from(text, 1), PORT_MAX, &port) || port == 0))
        return error_set(error, -EINVAL, "logins: a port is a number from 1 to %d", PORT_MAX);
    memcpy(out->name, host.p, host.n);
    out->name[host.n] = '\0';
    out->port = (uint16_t)port;
    return 0;
}

static int parse_hosts(struct str list, struct redis_url *url, struct error *error)
{
    for (bool more = true; more; url->n_hosts++) {
        size_t comma = str_find(list, ',');
        if (url->n_hosts == REDIS_HOSTS_MAX)
            return error_set(error, -EINVAL, "logins: more than %d sentinels", REDIS_HOSTS_MAX);
        int r = parse_host(str_first(list, comma), SENTINEL_PORT, &url->hosts[url->n_hosts], error);
        if (r < 0)
            return r;
        more = comma < list.n;
        if (more)
            list = str_from(list, comma + 1);
    }
    return 0;
}

static int parse_db(struct str text, struct redis_url *url, struct error *error)
{
    unsigned long db;
    if (!str_to_number(text, INT32_MAX, &db))
        return error_set(error, -EINVAL, "logins: the database of Redis is a number");
    url->db = (uint32_t)db;
    return 0;
}

/* Cuts "user:password@" off the front of *text, as far as the first slash. *text begins with the host then. */
static int cut_credentials(struct str *text, struct redis_url *url, struct error *error)
{
    struct str authority = str_first(*text, str_find(*text, '/'));
    size_t at = str_find_last(authority, '@');
    if (at == authority.n)
        return 0;
    *text = str_from(*text, at + 1);
    return parse_credentials(str_first(authority, at), url, error);
}

static int parse_tcp(struct str rest, struct redis_url *url, struct error *error)
{
    size_t slash = str_find(rest, '/');
    url->n_hosts = 1;
    int r = parse_host(str_first(rest, slash), REDIS_PORT, &url->hosts[0], error);
    if (r == 0 && slash + 1 < rest.n)
        r = parse_db(str_from(rest, slash + 1), url, error);
    return r;
}

static int parse_unix(struct str rest, struct redis_url *url, struct error *error)
{
    static const struct str db = STR("?db=");
    size_t question = str_find(rest, '?');
    struct str query = str_from(rest, question);
    if (rest.n == 0 || rest.p[0] != '/')
        return error_set(error, -EINVAL, "logins: the path of a socket begins with /, as in redis+unix:///path");
    int r = decode(str_first(rest, question), url->path, sizeof url->path, "the path", error);
    if (r < 0 || query.n == 0)
        return r;
    if (query.n < db.n || !str_equal(str_first(query, db.n), db))
        return error_set(error, -EINVAL, "logins: what follows the path of a socket is ?db=N");
    return parse_db(str_from(query, db.n), url, error);
}

static int parse_sentinel(struct str rest, struct redis_url *url, struct error *error)
{
    size_t slash = str_find(rest, '/');
    struct str name = slash < rest.n ? str_from(rest, slash + 1) : str_make("", 0), db = str_make("", 0);
    int r = parse_hosts(str_first(rest, slash), url, error);
    if (r < 0)
        return r;
    slash = str_find(name, '/');
    if (slash < name.n)
        db = str_from(name, slash + 1);
    r = decode(str_first(name, slash), url->master, sizeof url->master, "the name of the master", error);
    if (r == 0 && (url->master[0] == '\0' || has_control(url->master)))
        r = error_set(error, -EINVAL,
                      "logins: the sentinels are followed by the name of the master they watch, as in "
                      "redis+sentinel://host:port/name");
    if (r == 0 && db.n > 0)
        r = parse_db(db, url, error);
    return r;
}

static bool cut_scheme(struct str *text, const char *scheme)
{
    struct str start = str_of(scheme);
    if (text->n < start.n || !str_equal(str_first(*text, start.n), start))
        return false;
    *text = str_from(*text, start.n);
    return true;
}

int redis_url_parse(const char *text, struct redis_url *url, struct error *error)
{
    struct str rest = str_of(text);
    int (*parse)(struct str, struct redis_url *, struct error *);
    *url = (struct redis_url){ 0 };
    if (cut_scheme(&rest, "redis://")) {
        url->kind = REDIS_URL_TCP;
        parse = parse_tcp;
    } else if (cut_scheme(&rest, "redis+unix://")) {
        url->kind = REDIS_URL_UNIX;
        parse = parse_unix;
    } else if (cut_scheme(&rest, "redis+sentinel://")) {
        url->kind = REDIS_URL_SENTINEL;
        parse = parse_sentinel;
    } else if (cut_scheme(&rest, "rediss://")) {
        return error_set(error, -EINVAL,
                         "logins: rediss:// needs TLS, which this build does not have; keep Redis on "
                         "this machine or behind a tunnel, and write redis://");
    } else {
        return error_set(error, -EINVAL, "logins: not one of %s", forms);
    }
    int r = cut_credentials(&rest, url, error);
    return r < 0 ? r : parse(rest, url, error);
}

void redis_host_format(const struct redis_host *host, char text[REDIS_ENDPOINT_SIZE])
{
    bool v6 = strchr(host->name, ':') != NULL;
    (void)snprintf(text, REDIS_ENDPOINT_SIZE, "%s%s%s:%u", v6 ? "[" : "", host->name, v6 ? "]" : "",
                   (unsigned)host->port);
}
