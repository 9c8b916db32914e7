#include "daemon/listener.h"

#include "daemon/log.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <libgen.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BACKLOG = 1024, RETRY_MS = 100, LOCK_TRIES = 40, LOCK_PAUSE_MS = 50 };

struct listener {
    union {
        uv_handle_t handle;
        uv_stream_t stream;
        uv_tcp_t tcp;
        uv_pipe_t pipe;
    } handle;
    uv_timer_t retry; /* after a failed allocation */
    unsigned open_handles;
    struct endpoint endpoint;
    struct socket_access access;
    struct stat socket; /* of a unix socket, as we made it */
    listener_accept *accept;
    void *context;
};

static struct log_limit accept_limit = { .burst = 1, .interval_s = 60 };

static void on_retry(uv_timer_t *timer);

static void accept_waiting(struct listener *listener)
{
    if (listener->accept(&listener->handle.stream, listener->endpoint.is_unix, listener->context) < 0) {
        log_warning_limited(&accept_limit, "out of memory for a connection; trying again");
        (void)uv_timer_start(&listener->retry, on_retry, RETRY_MS, 0);
    }
}

static void on_retry(uv_timer_t *timer)
{
    accept_waiting(timer->data);
}

static void on_connection(uv_stream_t *stream, int status)
{
    if (status < 0)
        log_warning_limited(&accept_limit, "cannot take connections: %s; those that are open are served",
                            uv_strerror(status));
    else
        accept_waiting(stream->data);
}

static int fail_open(const char *text, int r, struct error *error)
{
    if (r == UV_EADDRINUSE)
        return error_set(error, r, "%s: already in use by a running server", text);
    return error_set(error, r, "%s: %s", text, uv_strerror(r));
}

/* Listens at once: two servers that read their rules for long could both be bound to the address until then. Who
 * connects meanwhile waits. */
static int open_tcp(struct listener *listener, const char *text, struct error *error)
{
    bool v6 = listener->endpoint.addr.any.sa_family == AF_INET6;
    struct sockaddr_storage bound;
    int fd, n = sizeof bound, r;
    r = uv_tcp_bind(&listener->handle.tcp, &listener->endpoint.addr.any, v6 ? UV_TCP_IPV6ONLY : 0);
    if (r == 0) /* libuv tells of an address in use here */
        r = uv_tcp_getsockname(&listener->handle.tcp, (struct sockaddr *)&bound, &n);
    if (r == 0)
        r = uv_fileno(&listener->handle.handle, &fd);
    if (r == 0 && listen(fd, BACKLOG) < 0)
        r = -errno;
    return r < 0 ? fail_open(text, r, error) : 0;
}

/* Whether somebody takes connections there. A socket that nobody listens on refuses them. */
static bool is_live(const struct endpoint *endpoint)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return true;
    bool live = connect(fd, &endpoint->addr.any, endpoint->addr_n) == 0 || (errno != ECONNREFUSED && errno != ENOENT);
    (void)close(fd);
    return live;
}

static int clear_stale(const struct endpoint *endpoint, const char *text, struct error *error)
{
    const char *path = endpoint->addr.local.sun_path;
    struct stat st;
    if (lstat(path, &st) < 0)
        return errno == ENOENT ? 0 : error_set(error, -errno, "%s: %s", text, strerror(errno));
    if (!S_ISSOCK(st.st_mode))
        return error_set(error, -EEXIST, "%s: something that is not a socket is there", text);
    if (is_live(endpoint))
        return error_set(error, -EADDRINUSE, "%s: already in use by a running server", text);
    if (unlink(path) < 0)
        return error_set(error, -errno, "%s: the stale socket cannot be removed: %s", text, strerror(errno));
    return 0;
}

/* Gives the socket to the group of the access. The folder may be another user's, who could put something else in its
 * place: what is not a socket of ours is left alone. */
static int set_group(const char *path, gid_t gid)
{
    struct stat st;
    int fd = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    int r = fd < 0 || fstat(fd, &st) < 0 ? -errno : 0;
    if (r == 0 && (!S_ISSOCK(st.st_mode) || st.st_uid != geteuid() || st.st_nlink != 1))
        r = -EEXIST;
    if (r == 0 && fchownat(fd, "", (uid_t)-1, gid, AT_EMPTY_PATH) < 0)
        r = -errno;
    if (fd >= 0)
        (void)close(fd);
    return r;
}

/* Makes the socket with its mode and group. Root takes the group for as long as that takes; nobody else can. */
static int bind_with_access(const struct endpoint *endpoint, const struct socket_access *access, gid_t gid, int fd)
{
    gid_t own = getegid();
    bool as_group = gid != (gid_t)-1 && geteuid() == 0;
    if (fchmod(fd, access->mode) < 0 || (as_group && setegid(gid) < 0))
        return -errno;
    mode_t before = umask(0); /* Linux takes the mode from the descriptor */
    int r = bind(fd, &endpoint->addr.any, endpoint->addr_n) < 0 ? -errno : 0;
    (void)umask(before);
    if (as_group && setegid(own) < 0 && r == 0)
        r = -errno;
    if (r == 0 && gid != (gid_t)-1 && !as_group)
        r = set_group(endpoint->addr.local.sun_path, gid);
    return r;
}

/* Nobody can connect before the permissions are set: the socket is made with them, and does not listen yet. Nothing is
 * changed by the path, which could lead elsewhere by then. */
static int bind_unix(struct listener *listener, const char *text, int fd, struct error *error)
{
    const char *path = listener->endpoint.addr.local.sun_path;
    const struct group *group = listener->access.group[0] ? getgrnam(listener->access.group) : NULL;
    if (listener->access.group[0] && !group)
        return error_set(error, -EINVAL, "%s: there is no group \"%s\"", text, listener->access.group);
    int r = clear_stale(&listener->endpoint, text, error);
    if (r < 0)
        return r;
    r = bind_with_access(&listener->endpoint, &listener->access, group ? group->gr_gid : (gid_t)-1, fd);
    if (r == 0 && (lstat(path, &listener->socket) < 0 || listen(fd, BACKLOG) < 0))
        r = -errno;
    return r < 0 ? error_set(error, r, "%s: %s", text, strerror(-r)) : 0;
}

/* The lock keeps two servers that start at once from taking each other's socket for a stale one. Anybody who can read
 * the folder can hold it, so it is not waited for without end. */
static void lock_folder(int lock, const char *text)
{
    for (int i = 0; i < LOCK_TRIES && flock(lock, LOCK_EX | LOCK_NB) < 0; i++)
        (void)poll(NULL, 0, LOCK_PAUSE_MS);
    if (flock(lock, LOCK_EX | LOCK_NB) < 0)
        log_warning("%s: somebody holds a lock on the folder; going on without it", text);
}

static int open_unix(struct listener *listener, const char *text, struct error *error)
{
    struct sockaddr_un folder = listener->endpoint.addr.local;
    int lock = open(dirname(folder.sun_path), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (lock < 0)
        return error_set(error, -errno, "%s: the folder: %s", text, strerror(errno));
    lock_folder(lock, text);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int r = fd < 0 ? error_set(error, -errno, "%s: %s", text, strerror(errno)) : 0;
    if (r == 0)
        r = bind_unix(listener, text, fd, error);
    if (r == 0 && (r = uv_pipe_open(&listener->handle.pipe, fd)) < 0)
        error_set(error, r, "%s: %s", text, uv_strerror(r));
    if (r < 0 && fd >= 0)
        (void)close(fd);
    (void)close(lock);
    return r;
}

int listener_open(struct listener **out, uv_loop_t *loop, const char *text, const struct socket_access *access,
                  struct error *error)
{
    struct endpoint endpoint;
    int r = endpoint_parse(text, &endpoint, error);
    if (r < 0)
        return r;
    struct listener *listener = calloc(1, sizeof *listener);
    if (!listener)
        return error_set(error, -ENOMEM, "out of memory");
    listener->endpoint = endpoint;
    listener->access = *access;
    r = endpoint.is_unix ? uv_pipe_init(loop, &listener->handle.pipe, 0) : uv_tcp_init(loop, &listener->handle.tcp);
    if (r == 0)
        r = uv_timer_init(loop, &listener->retry);
    if (r < 0) {
        free(listener);
        return error_set(error, r, "%s: %s", text, uv_strerror(r));
    }
    listener->handle.stream.data = listener->retry.data = listener;
    r = endpoint.is_unix ? open_unix(listener, text, error) : open_tcp(listener, text, error);
    if (r < 0) {
        listener_close(listener);
        return r;
    }
    *out = listener;
    return 0;
}

int listener_start(struct listener *listener, listener_accept *accept, void *context, struct error *error)
{
    char text[ENDPOINT_TEXT_SIZE];
    listener->accept = accept;
    listener->context = context;
    int r = uv_listen(&listener->handle.stream, BACKLOG, on_connection);
    endpoint_format(&listener->endpoint, text);
    if (r < 0)
        return fail_open(text, r, error);
    log_info("listening on %s", text);
    return 0;
}

static void on_closed(uv_handle_t *handle)
{
    struct listener *listener = handle->data;
    if (--listener->open_handles == 0)
        free(listener);
}

/* Not a socket that another server has put in the place of ours. */
static void remove_socket(const struct listener *listener)
{
    struct stat st;
    const char *path = listener->endpoint.addr.local.sun_path;
    if (listener->socket.st_ino != 0 && lstat(path, &st) == 0 && st.st_dev == listener->socket.st_dev &&
        st.st_ino == listener->socket.st_ino && unlink(path) < 0)
        log_warning("%s: cannot be removed: %s", path, strerror(errno));
}

void listener_close(struct listener *listener)
{
    if (!listener)
        return;
    if (listener->endpoint.is_unix)
        remove_socket(listener);
    listener->open_handles = 2;
    uv_close((uv_handle_t *)&listener->handle.stream, on_closed);
    uv_close((uv_handle_t *)&listener->retry, on_closed);
}
