#include "console/control.h"

#include "conf/endpoint.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/time.h>
#include <unistd.h>

enum {
    WAIT_S = 20,                  /* for the daemon, which itself waits for its store */
    REPLY_MAX = 256 * 1024 * 1024 /* bytes of one reply: a part of a list, or an explanation */
};

struct control {
    int fd;
    char *request, *reply;
    size_t request_n, reply_n, reply_size;
    size_t at; /* in the reply, what comes next */
    FILE *out; /* writes the request */
    char endpoint[ENDPOINT_TEXT_SIZE];
};

static int fail(const struct control *control, const char *what, int code, struct error *error)
{
    return error_set(error, EX_UNAVAILABLE, "%s: %s: %s; is gatepostd running?", control->endpoint, what,
                     code == EAGAIN ? "no answer" : strerror(code));
}

/* Prints what has gone wrong, if anything. */
static int say(int status, const struct error *error)
{
    return status == STATUS_DONE ? STATUS_DONE : cli_fail(status, "%s", error->text);
}

static int connect_to(struct control *control, const struct endpoint *endpoint, struct error *error)
{
    struct timeval wait = { .tv_sec = WAIT_S };
    control->fd = socket(endpoint->addr.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (control->fd < 0 || setsockopt(control->fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait) < 0 ||
        setsockopt(control->fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof wait) < 0 ||
        connect(control->fd, &endpoint->addr.any, endpoint->addr_n) < 0)
        return fail(control, "cannot be reached", errno, error);
    return STATUS_DONE;
}

int control_try_open(struct cli *cli, struct control **out, struct error *error)
{
    struct endpoint endpoint;
    if (endpoint_parse(cli->control, &endpoint, error) < 0)
        return EX_CONFIG;
    struct control *control = calloc(1, sizeof *control);
    if (!control)
        return error_set(error, EX_OSERR, "out of memory");
    control->fd = -1;
    endpoint_format(&endpoint, control->endpoint);
    int status = connect_to(control, &endpoint, error);
    if (status != STATUS_DONE) {
        control_close(control);
        return status;
    }
    *out = control;
    return STATUS_DONE;
}

int control_open(struct cli *cli, struct control **out)
{
    struct error error;
    int status = cli_find_control(cli);
    return status == STATUS_DONE ? say(control_try_open(cli, out, &error), &error) : status;
}

void control_close(struct control *control)
{
    if (!control)
        return;
    if (control->out)
        (void)fclose(control->out);
    if (control->fd >= 0)
        (void)close(control->fd);
    free(control->request);
    free(control->reply);
    free(control);
}

static bool begin_request(struct control *control)
{
    if (control->out)
        return true;
    free(control->request);
    control->request = NULL;
    control->out = open_memstream(&control->request, &control->request_n);
    return control->out && fputs("request=gatepost_control\n", control->out) >= 0;
}

int control_put(struct control *control, const char *name, struct str value)
{
    for (size_t i = 0; i < value.n; i++)
        if (value.p[i] == '\n' || value.p[i] == '\r' || value.p[i] == '\0')
            return cli_fail(EX_DATAERR, "%s: a line end cannot be asked about", name);
    if (!begin_request(control))
        return cli_fail(EX_OSERR, "out of memory");
    fprintf(control->out, "%s=%.*s\n", name, STR_ARGS(value));
    return STATUS_DONE;
}

static int send_request(struct control *control, struct error *error)
{
    size_t sent = 0;
    fputc('\n', control->out);
    bool failed = ferror(control->out) != 0;
    failed = fclose(control->out) != 0 || failed || !control->request;
    control->out = NULL;
    if (failed)
        return error_set(error, EX_OSERR, "out of memory");
    while (sent < control->request_n) {
        ssize_t n = send(control->fd, control->request + sent, control->request_n - sent, MSG_NOSIGNAL);
        if (n < 0 && errno != EINTR)
            return fail(control, "cannot be asked", errno, error);
        sent += n > 0 ? (size_t)n : 0;
    }
    return STATUS_DONE;
}

static bool is_whole(const struct control *control)
{
    return control->reply_n >= 2 && memcmp(control->reply + control->reply_n - 2, "\n\n", 2) == 0;
}

static int read_reply(struct control *control, struct error *error)
{
    control->reply_n = control->at = 0;
    while (!is_whole(control)) {
        if (control->reply_n == control->reply_size) {
            size_t size = control->reply_size ? control->reply_size * 2 : 16384;
            char *wider = size <= REPLY_MAX ? realloc(control->reply, size) : NULL;
            if (!wider)
                return error_set(error, EX_OSERR, "the reply is too long");
            control->reply = wider;
            control->reply_size = size;
        }
        ssize_t n = recv(control->fd, control->reply + control->reply_n, control->reply_size - control->reply_n, 0);
        if (n == 0)
            return error_set(error, EX_UNAVAILABLE, "%s: the daemon has closed the connection", control->endpoint);
        if (n < 0 && errno != EINTR)
            return fail(control, "does not answer", errno, error);
        control->reply_n += n > 0 ? (size_t)n : 0;
    }
    return STATUS_DONE;
}

int control_try_ask(struct control *control, struct error *error)
{
    int status = send_request(control, error);
    return status == STATUS_DONE ? read_reply(control, error) : status;
}

int control_ask(struct control *control)
{
    struct error error;
    return say(control_try_ask(control, &error), &error);
}

bool control_next(struct control *control, struct str *name, struct str *value)
{
    struct str rest = str_make(control->reply + control->at, control->reply_n - control->at);
    struct str line = str_first(rest, str_find(rest, '\n'));
    if (line.n == 0)
        return false;
    size_t equals = str_find(line, '=');
    *name = str_first(line, equals);
    *value = equals < line.n ? str_from(line, equals + 1) : str_make("", 0);
    control->at += line.n + 1;
    return true;
}
