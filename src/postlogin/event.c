#include "postlogin/event.h"

#include "core/str.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum {
    EVENT_MAX_BYTES = 4096, /* the daemon takes login names of up to 255 bytes */
    REPLY_MAX_BYTES = 1024,
    ANSWER_MAX_BYTES = 256, /* of a reply, in the log */
    BACKLOG_PAUSE_MS = 5    /* between attempts to connect; the daemon empties its backlog far faster */
};

/* A value is one line, so that nobody can add attributes with his login name. */
static int check_value(const char *name, const char *value, struct error *error)
{
    if (!value || !*value)
        return error_set(error, -EINVAL, "%s is missing", name);
    for (const char *c = value; *c; c++)
        if (ascii_is_control(*c))
            return error_set(error, -EINVAL, "%s holds a control character", name);
    return 0;
}

/* Writes the request as it goes out. Returns its length, or -EINVAL. */
static int write_request(const struct event *event, char *text, size_t size, struct error *error)
{
    int r = check_value("USER", event->user, error);
    if (r == 0)
        r = check_value("IP", event->client_address, error);
    if (r == 0 && event->service)
        r = check_value("the service", event->service, error);
    if (r < 0)
        return r;
    int n = snprintf(text, size, "request=gatepost_login\nuser=%s\nclient_address=%s\n%s%s%s\n", event->user,
                     event->client_address, event->service ? "service=" : "", event->service ? event->service : "",
                     event->service ? "\n" : "");
    if (n < 0 || (size_t)n >= size)
        return error_set(error, -EINVAL, "the event is longer than %zu bytes", size - 1);
    return n;
}

/* A unix socket whose backlog is full says EAGAIN, and nothing tells when there is room: so it is tried again. */
static int open_connection(int fd, const char *path, const struct deadline *deadline)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    size_t n = strlen(path);
    if (n >= sizeof address.sun_path)
        return -ENAMETOOLONG;
    memcpy(address.sun_path, path, n + 1);
    while (connect(fd, (const struct sockaddr *)&address, sizeof address) < 0) {
        if (errno != EAGAIN && errno != EINTR)
            return -errno;
        int r = deadline_pause(deadline, BACKLOG_PAUSE_MS);
        if (r < 0)
            return r;
    }
    return 0;
}

static int send_all(int fd, const char *bytes, size_t n, const struct deadline *deadline)
{
    while (n > 0) {
        int r = deadline_wait(deadline, fd, POLLOUT);
        if (r < 0)
            return r;
        ssize_t sent = send(fd, bytes, n, MSG_NOSIGNAL);
        if (sent > 0) {
            bytes += sent;
            n -= (size_t)sent;
        } else if (sent < 0 && errno != EAGAIN && errno != EINTR) {
            return -errno;
        }
    }
    return 0;
}

/* Reads until the empty line; *reply is then what stands before it. -EPIPE: closed before, -EMSGSIZE: too much. */
static int read_reply(int fd, char *buffer, size_t size, struct str *reply, const struct deadline *deadline)
{
    for (size_t n = 0; n < size;) {
        int r = deadline_wait(deadline, fd, POLLIN);
        if (r < 0)
            return r;
        ssize_t got = recv(fd, buffer + n, size - n, 0);
        if (got == 0)
            return -EPIPE;
        if (got < 0 && errno != EAGAIN && errno != EINTR)
            return -errno;
        n += got > 0 ? (size_t)got : 0;
        const char *end = memmem(buffer, n, "\n\n", 2);
        if (end) {
            *reply = str_make(buffer, (size_t)(end - buffer));
            return 0;
        }
    }
    return -EMSGSIZE;
}

/* Whether the reply is this action, with or without a text. */
static bool action_is(struct str reply, const char *action)
{
    size_t n = strlen(action);
    return reply.n >= n && memcmp(reply.p, action, n) == 0 && (reply.n == n || reply.p[n] == ' ');
}

static enum event_result judge(struct str reply, struct error *error)
{
    if (action_is(reply, "action=OK"))
        return EVENT_TAKEN;
    int n = (int)(reply.n < ANSWER_MAX_BYTES ? reply.n : ANSWER_MAX_BYTES);
    (void)error_set(error, 0, "gatepostd answers \"%.*s\"", n, reply.p);
    return action_is(reply, "action=DEFER") ? EVENT_KEPT : EVENT_REFUSED;
}

static const char *cause(int code)
{
    switch (code) {
    case -ETIMEDOUT:
        return "not in time";
    case -EPIPE:
        return "the connection was closed";
    case -EMSGSIZE:
        return "it is too long";
    default:
        return strerror(-code);
    }
}

/* The whole conversation over a fresh socket. Returns 0 with the reply, or a negative errno with the fault. */
static int converse(int fd, const char *path, struct str request, struct str *reply, const struct deadline *deadline,
                    struct error *error)
{
    static char buffer[REPLY_MAX_BYTES];
    const char *step = "connecting";
    int r = open_connection(fd, path, deadline);
    if (r == 0) {
        step = "sending";
        r = send_all(fd, request.p, request.n, deadline);
    }
    if (r == 0) {
        step = "reading the reply";
        r = read_reply(fd, buffer, sizeof buffer, reply, deadline);
    }
    return r == 0 ? 0 : error_set(error, r, "%s: %s: %s", path, step, cause(r));
}

enum event_result event_send(const char *socket_path, const struct event *event, const struct deadline *deadline,
                             struct error *error)
{
    static char request[EVENT_MAX_BYTES];
    int n = write_request(event, request, sizeof request, error);
    if (n < 0)
        return EVENT_REFUSED;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        (void)error_set(error, -errno, "no socket: %s", strerror(errno));
        return EVENT_REFUSED;
    }
    struct str reply = { 0 };
    int r = converse(fd, socket_path, str_make(request, (size_t)n), &reply, deadline, error);
    (void)close(fd);
    return r == 0 ? judge(reply, error) : EVENT_REFUSED;
}
