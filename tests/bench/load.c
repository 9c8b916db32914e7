/*
 * load: asks gatepostd, and tells how fast it answers.
 *
 *   load [-c CONNECTIONS] [-n REQUESTS] [-s SECONDS] [-r RATE] [-f FIRST] [-k ROWS] KIND ENDPOINT
 *
 * A closed loop: each connection sends a request, waits for the answer, and sends the next, so that as many requests as
 * there are connections are under way. With -r the loop is open: RATE requests are due in a second, over whichever
 * connection is free, and the wait counts from when a request was due, whether or not it could be sent then. Ends after
 * REQUESTS answers or SECONDS, whichever comes first. KIND is one of load_request.h, the numbers of whose requests
 * begin with FIRST, and ENDPOINT as in the configuration of gatepostd.
 *
 * Prints one line of name=value: the answers, how long it took, answers a second, the median, the 99th percentile and
 * the longest wait in microseconds, and how many answers began with which word.
 */
#include "conf/endpoint.h"
#include "core/str.h"
#include "latency.h"
#include "load_request.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
    CONNECTIONS_MAX = 10000,
    REPLY_MAX_BYTES = 2048,
    SECONDS_MAX = 600,
    RATE_MAX = 1000000,
    REQUESTS_MAX = 100000000,
    EVENTS_AT_ONCE = 64,
    POOL = 1 << 15 /* requests that are written beforehand, and asked over and over */
};

static const uint64_t second_ns = 1000000000;

enum verb { VERB_OK, VERB_DUNNO, VERB_REJECT, VERB_DEFER, VERB_OTHER, VERB_COUNT };
static const char *const verbs[VERB_COUNT] = { "OK", "DUNNO", "REJECT", "DEFER", "other" };

struct options {
    unsigned long n_conns, n_requests, seconds, first, rows;
    unsigned long rate; /* 0: as fast as it goes */
    enum load_kind kind;
    struct endpoint endpoint;
};

struct conn {
    int fd;
    uint64_t due_ns;
    size_t n;
    char reply[REPLY_MAX_BYTES];
};

struct load {
    const struct options *options;
    int epoll;
    struct conn *conns;
    struct conn **idle; /* those that wait for their turn; the last goes first */
    size_t n_idle;
    char *pool; /* of LOAD_REQUEST_MAX_BYTES each; NULL where each request is to be new */
    size_t *pool_n;
    uint64_t begin_ns, n_sent, n_verbs[VERB_COUNT];
    struct latency latency;
};

__attribute__((noreturn, format(printf, 1, 2))) static void die(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    (void)fputs("load: ", stderr);
    (void)vfprintf(stderr, format, args);
    (void)fputs("\n", stderr);
    va_end(args);
    exit(1);
}

static uint64_t now_ns(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * second_ns + (uint64_t)now.tv_nsec;
}

/* Sending. */

/* When the next request may be sent. */
static uint64_t next_turn_ns(const struct load *load)
{
    unsigned long rate = load->options->rate;
    return rate ? load->begin_ns + load->n_sent * second_ns / rate : 0;
}

/* The socket is blocking, and a request finds it empty. */
static void conn_ask(struct load *load, struct conn *conn)
{
    char space[LOAD_REQUEST_MAX_BYTES], *request = space;
    uint64_t due_ns = next_turn_ns(load);
    size_t number = load->n_sent++ % POOL, n;
    if (load->pool) {
        request = load->pool + number * LOAD_REQUEST_MAX_BYTES;
        n = load->pool_n[number];
    } else {
        n = load_request_write(load->options->kind, load->options->first + load->n_sent - 1, request);
    }
    conn->n = 0;
    conn->due_ns = due_ns ? due_ns : now_ns();
    for (size_t done = 0; done < n;) {
        ssize_t sent = send(conn->fd, request + done, n - done, MSG_NOSIGNAL);
        if (sent < 0 && errno != EINTR)
            die("a connection is lost: %s", strerror(errno));
        done += sent < 0 ? 0 : (size_t)sent;
    }
}

static void ask_in_turn(struct load *load)
{
    while (load->n_idle > 0 && load->n_sent < load->options->n_requests && next_turn_ns(load) <= now_ns())
        conn_ask(load, load->idle[--load->n_idle]);
}

/* Answers. */

static enum verb verb_of(struct str reply)
{
    static const struct str name = STR("action=");
    if (reply.n < name.n || !str_equal(str_first(reply, name.n), name))
        return VERB_OTHER;
    struct str action = str_from(reply, name.n);
    action = str_first(action, str_find(action, '\n'));
    action = str_first(action, str_find(action, ' '));
    for (int verb = 0; verb < VERB_OTHER; verb++)
        if (str_is(action, verbs[verb]))
            return (enum verb)verb;
    return VERB_OTHER;
}

static void conn_read(struct load *load, struct conn *conn)
{
    static const struct str end = STR("\n\n");
    ssize_t n = recv(conn->fd, conn->reply + conn->n, sizeof conn->reply - conn->n, MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0)
        die("a connection is lost: %s", n < 0 ? strerror(errno) : "it was closed");
    conn->n += (size_t)n;
    struct str reply = str_make(conn->reply, conn->n);
    if (!str_ends_with(reply, end)) {
        if (conn->n == sizeof conn->reply)
            die("an answer is longer than %d bytes", REPLY_MAX_BYTES);
        return;
    }
    latency_add(&load->latency, now_ns() - conn->due_ns);
    load->n_verbs[verb_of(reply)]++;
    load->idle[load->n_idle++] = conn;
}

/* The time until something is to be done. */
static struct timespec wait_for(const struct load *load, uint64_t until_ns)
{
    uint64_t now = now_ns(), turn_ns = next_turn_ns(load);
    if (load->n_idle > 0 && load->n_sent < load->options->n_requests && turn_ns < until_ns)
        until_ns = turn_ns;
    uint64_t wait_ns = until_ns > now ? until_ns - now : 0;
    return (struct timespec){ (time_t)(wait_ns / second_ns), (long)(wait_ns % second_ns) };
}

static void load_run(struct load *load)
{
    struct epoll_event events[EVENTS_AT_ONCE];
    load->begin_ns = now_ns();
    uint64_t end_ns = load->begin_ns + load->options->seconds * second_ns;
    while (load->latency.n < load->options->n_requests && now_ns() < end_ns) {
        ask_in_turn(load);
        struct timespec wait = wait_for(load, end_ns);
        int n = epoll_pwait2(load->epoll, events, EVENTS_AT_ONCE, &wait, NULL);
        if (n < 0 && errno != EINTR)
            die("epoll_pwait2: %s", strerror(errno));
        for (int i = 0; i < n; i++) {
            conn_read(load, events[i].data.ptr);
            ask_in_turn(load);
        }
    }
}

/* Beginning and end. */

static void conn_open(struct load *load, struct conn *conn)
{
    const struct endpoint *endpoint = &load->options->endpoint;
    struct epoll_event event = { .events = EPOLLIN, .data.ptr = conn };
    conn->fd = socket(endpoint->addr.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (conn->fd < 0 || connect(conn->fd, &endpoint->addr.any, endpoint->addr_n) < 0 ||
        epoll_ctl(load->epoll, EPOLL_CTL_ADD, conn->fd, &event) < 0)
        die("cannot connect: %s", strerror(errno));
    load->idle[load->n_idle++] = conn;
}

/* Descriptors for all connections. */
static void make_room(unsigned long n_conns)
{
    struct rlimit limit = { n_conns + 64, n_conns + 64 };
    if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
        die("%lu descriptors: %s", n_conns, strerror(errno));
}

static void load_open(struct load *load, const struct options *options)
{
    load->options = options;
    load->epoll = epoll_create1(EPOLL_CLOEXEC);
    load->conns = calloc(options->n_conns, sizeof *load->conns);
    load->idle = calloc(options->n_conns, sizeof *load->idle);
    if (load->epoll < 0 || !load->conns || !load->idle)
        die("%s", strerror(errno));
    for (size_t i = 0; i < options->n_conns; i++)
        conn_open(load, &load->conns[i]);
}

/* Writing requests would cost the load more than asking them. Logins are asked for once each. */
static void make_pool(struct load *load)
{
    if (load->options->kind != LOAD_RULES && load->options->kind != LOAD_NEEDLESS)
        return;
    load->pool = malloc((size_t)POOL * LOAD_REQUEST_MAX_BYTES);
    load->pool_n = calloc(POOL, sizeof *load->pool_n);
    if (!load->pool || !load->pool_n)
        die("out of memory");
    for (size_t i = 0; i < POOL; i++)
        load->pool_n[i] =
            load_request_write(load->options->kind, load->options->first + i, load->pool + i * LOAD_REQUEST_MAX_BYTES);
}

static void load_close(struct load *load)
{
    free(load->pool);
    free(load->pool_n);
    for (size_t i = 0; i < load->options->n_conns; i++)
        (void)close(load->conns[i].fd);
    (void)close(load->epoll);
    free(load->conns);
    free(load->idle);
}

static void load_print(const struct load *load)
{
    const struct latency *latency = &load->latency;
    double seconds = (double)(now_ns() - load->begin_ns) / 1e9;
    printf("answers=%" PRIu64 " seconds=%.3f per_second=%.0f p50_us=%.1f p99_us=%.1f p999_us=%.1f max_us=%.1f",
           latency->n, seconds, (double)latency->n / seconds, (double)latency_quantile_ns(latency, 0.5) / 1e3,
           (double)latency_quantile_ns(latency, 0.99) / 1e3, (double)latency_quantile_ns(latency, 0.999) / 1e3,
           (double)latency->max_ns / 1e3);
    for (int verb = 0; verb < VERB_COUNT; verb++)
        printf(" %s=%" PRIu64, verbs[verb], load->n_verbs[verb]);
    printf("\n");
}

/* Where the number of an option goes, and how great it may be. NULL where there is no such option. */
static unsigned long *option_place(struct options *options, int option, unsigned long *max)
{
    *max = REQUESTS_MAX;
    switch (option) {
    case 'c':
        *max = CONNECTIONS_MAX;
        return &options->n_conns;
    case 's':
        *max = SECONDS_MAX;
        return &options->seconds;
    case 'r':
        *max = RATE_MAX;
        return &options->rate;
    case 'n':
        return &options->n_requests;
    case 'k':
        return &options->rows;
    case 'f':
        return &options->first;
    default:
        return NULL;
    }
}

static void parse_options(struct options *options, int argc, char **argv)
{
    struct error error;
    unsigned long max;
    int option;
    while ((option = getopt(argc, argv, "c:n:s:r:f:k:")) != -1) {
        unsigned long *place = option_place(options, option, &max);
        if (!place)
            exit(2);
        if (!str_to_number(str_of(optarg), max, place))
            die("-%c takes a number up to %lu", option, max);
    }
    if (argc - optind != 2 || !load_kind_parse(argv[optind], &options->kind))
        die("usage: load [-c CONNECTIONS] [-n REQUESTS] [-s SECONDS] [-r RATE] [-k ROWS] "
            "events|known|strangers|needless|rules ENDPOINT");
    if (endpoint_parse(argv[optind + 1], &options->endpoint, &error) < 0)
        die("%s", error.text);
}

int main(int argc, char **argv)
{
    struct options options = { .n_conns = 50, .n_requests = REQUESTS_MAX, .seconds = 10, .rows = 1000 };
    static struct load load;
    parse_options(&options, argc, argv);
    load_rules_rows = options.rows;
    make_room(options.n_conns);
    load_open(&load, &options);
    make_pool(&load);
    load_run(&load);
    load_print(&load);
    load_close(&load);
    return 0;
}
