#include "daemon/control.h"

#include "core/explanation.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { WAITING_AT_ONCE = 1000 };

/* A request to the store, which may outlive its connection. */
struct control_ask {
    struct login_request request; /* first: the store hands it back */
    struct server_conn *conn;     /* NULL: gone */
    size_t n_forgotten;           /* logins that waited */
    char address[IP_TEXT_SIZE];
    char cursor[LOGIN_CURSOR_SIZE];
    struct time_limits *limits;
    struct time_limit limit;
};

struct control_state {
    struct login_report_state login; /* first, as login_report.h wants it */
    struct login_wait wait;
    struct control_ask *ask; /* under way, or NULL */
};

/* Replies. */

/* Values may come from the store or the network: no control character of theirs can end a line. */
static void put_text(FILE *out, struct str value)
{
    for (size_t i = 0; i < value.n; i++)
        putc_unlocked(ascii_is_control(value.p[i]) ? '?' : value.p[i], out);
}

static void put_value(FILE *out, struct str value)
{
    put_text(out, value);
    putc_unlocked('\n', out);
}

static void put_pair(void *out, const char *name, struct str value)
{
    fprintf(out, "%s=", name);
    put_value(out, value);
}

static void put_login(FILE *out, const char *name, struct str address, int64_t ends_at, struct str user)
{
    fprintf(out, "%s=", name);
    put_text(out, address);
    fprintf(out, " %" PRId64 " ", ends_at);
    put_value(out, user);
}

/* Ends the reply that was written to the stream, whose memory is at *text, and sends it. */
static int finish(struct server_conn *conn, FILE *out, char **text, const size_t *n)
{
    fputc('\n', out);
    bool failed = ferror(out) != 0;
    failed = fclose(out) != 0 || failed || !*text; /* which says nothing of its last allocation */
    if (!failed)
        server_reply(conn, *text, *n);
    free(*text);
    return failed ? -ENOMEM : 0;
}

static int reply_line(struct server_conn *conn, const char *action, const char *why)
{
    char *text = NULL;
    size_t n = 0;
    FILE *out = open_memstream(&text, &n);
    if (!out)
        return -ENOMEM;
    fprintf(out, "action=%s ", action);
    put_value(out, str_of(why));
    return finish(conn, out, &text, &n);
}

/* explain: the attributes of a policy request beside the command. */

static void on_logins(struct login_wait *wait);

static int explain_with(struct server_conn *conn, const struct login_facts *facts)
{
    struct login_desk *desk = server_context(conn);
    struct control_state *state = server_state(conn);
    struct decide_query query = {
        .rules = rule_watch_rules(desk->watch), .request = server_request(conn), .logins = *facts, .now = time(NULL)
    };
    struct decision decision;
    struct explanation explanation;
    char *text = NULL;
    size_t n = 0;
    int r = decide(&query, &decision);
    if (r < 0)
        return r;
    if (decision.needs_login) {
        state->login.conn = conn;
        state->wait.context = state;
        state->wait.answered = on_logins;
        return logins_look_up(desk->logins, &decision.login_addr, query.now, &state->wait);
    }
    FILE *out = open_memstream(&text, &n);
    if (!out)
        return -ENOMEM;
    explanation_make(&explanation, &decision, &query);
    explanation_each(&explanation, put_pair, out);
    return finish(conn, out, &text, &n);
}

static void on_logins(struct login_wait *wait)
{
    struct control_state *state = wait->context;
    if (explain_with(state->login.conn, &wait->facts) < 0)
        server_out_of_memory(state->login.conn);
}

static int explain(struct server_conn *conn, const struct request *request)
{
    struct login_facts nothing = { .state = LOGIN_NOT_ASKED };
    (void)request;
    return explain_with(conn, &nothing);
}

/* status */

static int status(struct server_conn *conn, const struct request *request)
{
    const struct control_desk *desk = server_context(conn);
    char *text = NULL;
    size_t n = 0;
    FILE *out = open_memstream(&text, &n);
    (void)request;
    if (!out)
        return -ENOMEM;
    status_each(&desk->status, put_pair, out);
    return finish(conn, out, &text, &n);
}

/* login_list: a part of the logins at a time; those of the store, or with cursor=waiting those that wait for it. */

static const struct str waiting = STR("waiting");

static bool is_waiting(struct str cursor, unsigned long *after)
{
    *after = 0;
    if (str_is(cursor, waiting.p))
        return true;
    return cursor.n > waiting.n && str_equal(str_first(cursor, waiting.n), waiting) && cursor.p[waiting.n] == ':' &&
           str_to_number(str_from(cursor, waiting.n + 1), ULONG_MAX, after);
}

static int reply_waiting(struct server_conn *conn, unsigned long after)
{
    struct login_desk *desk = server_context(conn);
    const struct queued_login *login = logins_waiting(desk->logins);
    char *text = NULL, cursor[64] = "";
    size_t n = 0;
    FILE *out = open_memstream(&text, &n);
    if (!out)
        return -ENOMEM;
    fputs("action=OK\n", out);
    while (login && login->number <= after)
        login = login->next;
    for (int i = 0; login && i < WAITING_AT_ONCE; i++, login = login->next) {
        put_login(out, waiting.p, login->request.address, login->request.ends_at, login->request.user);
        (void)snprintf(cursor, sizeof cursor, "%s:%" PRIu64, waiting.p, login->number);
    }
    put_pair(out, "cursor", str_of(login ? cursor : ""));
    return finish(conn, out, &text, &n);
}

static int reply_done(struct control_ask *ask)
{
    const struct login_request *request = &ask->request;
    char *text = NULL;
    size_t n = 0;
    if (request->outcome != LOGIN_DONE)
        return reply_line(ask->conn, "DEFER", request->why);
    FILE *out = open_memstream(&text, &n);
    if (!out)
        return -ENOMEM;
    fputs("action=OK\n", out);
    if (request->verb == LOGIN_REMOVE) {
        fprintf(out, "removed=%zu\n", request->n_removed + ask->n_forgotten);
    } else {
        for (size_t i = 0; i < request->n_entries; i++)
            put_login(out, "login", request->entries[i].address, request->entries[i].ends_at, request->entries[i].user);
        put_pair(out, "cursor", str_of(ask->cursor));
    }
    return finish(ask->conn, out, &text, &n);
}

/* The connection goes on without the store's answer, or with it. */
static struct server_conn *leave(struct control_ask *ask)
{
    struct server_conn *conn = ask->conn;
    if (conn)
        ((struct control_state *)server_state(conn))->ask = NULL;
    return conn;
}

static void on_done(struct login_request *request)
{
    struct control_ask *ask = (struct control_ask *)request;
    struct server_conn *conn = leave(ask);
    (void)time_limit_end(ask->limits, &ask->limit);
    if (conn && reply_done(ask) < 0)
        server_out_of_memory(conn);
    free(ask);
}

/* The store keeps what it was asked until it is done with it, and may yet do it. */
static void on_late(struct time_limit *limit)
{
    struct control_ask *ask = (struct control_ask *)((char *)limit - offsetof(struct control_ask, limit));
    struct server_conn *conn = leave(ask);
    ask->conn = NULL;
    if (conn && reply_line(conn, "DEFER",
                           ask->request.verb == LOGIN_REMOVE
                               ? "the login store does not answer in time; it may still remove the logins"
                               : "the login store does not answer in time") < 0)
        server_out_of_memory(conn);
}

static int submit(struct server_conn *conn, struct control_ask *ask)
{
    struct login_desk *desk = server_context(conn);
    struct control_state *state = server_state(conn);
    ask->conn = conn;
    ask->request.now = time(NULL);
    ask->request.done = on_done;
    int r = logins_submit(desk->logins, &ask->request);
    if (r == 0) {
        state->ask = ask;
        ask->limits = logins_limits(desk->logins);
        time_limit_begin(ask->limits, &ask->limit, on_late);
        return 0;
    }
    free(ask);
    if (r == -EINVAL)
        return reply_line(conn, "REJECT", "a cursor that is none");
    return r == -ENOMEM ? r : reply_line(conn, "DEFER", "the login store cannot be asked");
}

static int login_list(struct server_conn *conn, const struct request *request)
{
    struct str cursor = request->attr[ATTR_CURSOR];
    unsigned long after;
    if (is_waiting(cursor, &after))
        return reply_waiting(conn, after);
    if (cursor.n >= LOGIN_CURSOR_SIZE)
        return reply_line(conn, "REJECT", "a cursor that is none");
    struct control_ask *ask = calloc(1, sizeof *ask);
    if (!ask)
        return -ENOMEM;
    ask->request.verb = LOGIN_LIST;
    ask->request.cursor = ask->cursor;
    memcpy(ask->cursor, cursor.p, cursor.n);
    return submit(conn, ask);
}

static int login_remove(struct server_conn *conn, const struct request *request)
{
    struct login_desk *desk = server_context(conn);
    struct ip_addr addr;
    if (!ip_parse(request->attr[ATTR_CLIENT_ADDRESS], &addr))
        return reply_line(conn, "REJECT", "client_address is no IP address");
    struct control_ask *ask = calloc(1, sizeof *ask);
    if (!ask)
        return -ENOMEM;
    addr = settings_login_addr(rules_settings(rule_watch_rules(desk->watch)), &addr);
    ip_format(&addr, ask->address);
    ask->request.verb = LOGIN_REMOVE;
    ask->request.address = str_of(ask->address);
    ask->n_forgotten = logins_forget(desk->logins, ask->request.address);
    return submit(conn, ask);
}

static int control_answer(struct server_conn *conn, const struct request *request)
{
    static const struct {
        const char *name;
        int (*run)(struct server_conn *conn, const struct request *request);
    } commands[] = {
        { "explain", explain },       { "login_add", login_report_answer },
        { "login_list", login_list }, { "login_remove", login_remove },
        { "status", status },
    };
    const char *fault = request_check(request, &control_form);
    if (fault)
        return reply_line(conn, "REJECT", fault);
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
        if (str_is(request->attr[ATTR_COMMAND], commands[i].name))
            return commands[i].run(conn, request);
    return reply_line(conn, "REJECT", "an unknown command");
}

static void control_abandon(struct server_conn *conn)
{
    struct control_state *state = server_state(conn);
    login_report_abandon(conn);
    login_wait_cancel(&state->wait);
    if (state->ask)
        state->ask->conn = NULL;
    state->ask = NULL;
}

const struct server_protocol control_protocol = {
    .name = "control",
    .form = &control_form,
    .state_bytes = sizeof(struct control_state),
    .says_fault = true,
    .answer = control_answer,
    .abandon = control_abandon,
};
