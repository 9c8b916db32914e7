#include "daemon/login_report.h"

#include "daemon/log.h"

#include <stdio.h>
#include <time.h>

enum { ANSWER_MAX_BYTES = 512 };

static void answer(struct server_conn *conn, const char *action, const char *why)
{
    char text[ANSWER_MAX_BYTES];
    int n = snprintf(text, sizeof text - 2, "action=%s%s%s", action, why ? " " : "", why ? why : "");
    size_t length = n < (int)sizeof text - 2 ? (size_t)n : sizeof text - 3;
    memcpy(text + length, "\n\n", 2);
    server_reply(conn, text, length + 2);
}

/* One line a login, as the request in hand has it. */
static void log_login(const struct server_conn *conn, int level, const char *result, const char *why,
                      unsigned long suppressed)
{
    const struct request *request = server_request(conn);
    struct log_line line;
    if (!log_wants(level))
        return;
    log_begin(&line, level);
    log_add(&line, "msg", str_of("login"));
    log_add(&line, "result", str_of(result));
    log_add(&line, "user", request->attr[ATTR_USER]);
    log_add(&line, "client", request->attr[ATTR_CLIENT_ADDRESS]);
    if (request->attr[ATTR_SERVICE].n > 0)
        log_add(&line, "service", request->attr[ATTR_SERVICE]);
    if (why)
        log_add(&line, "why", str_of(why));
    if (suppressed > 0)
        log_add_number(&line, "suppressed", suppressed);
    log_end(&line);
}

/* What is wrong can come at any rate. */
static void reject(struct server_conn *conn, const char *why)
{
    static struct log_limit limit = { .burst = 20, .interval_s = 60 };
    unsigned long suppressed;
    if (log_limit_take(&limit, &suppressed))
        log_login(conn, LEVEL_WARNING, "rejected", why, suppressed);
    answer(conn, "REJECT", why);
}

static void on_recorded(struct login_report *report, const char *why_it_waits)
{
    struct login_report_state *state = report->context;
    log_login(state->conn, LEVEL_INFO, why_it_waits ? "waits" : "stored", why_it_waits, 0);
    answer(state->conn, why_it_waits ? "DEFER" : "OK", why_it_waits);
}

int login_report_answer(struct server_conn *conn, const struct request *request)
{
    struct login_desk *desk = server_context(conn);
    struct login_report_state *state = server_state(conn);
    struct login_event event;
    enum login_verdict verdict;
    int64_t now = time(NULL);
    int r = login_event_judge(&event, &verdict, rule_watch_rules(desk->watch), request->attr[ATTR_USER],
                              request->attr[ATTR_CLIENT_ADDRESS], now);
    if (r == 0 && verdict == LOGIN_EVENT_RECORD) {
        state->conn = conn;
        state->report.context = state;
        state->report.answered = on_recorded;
        r = logins_record(desk->logins, &event, now, &state->report);
    } else if (r == 0 && verdict == LOGIN_EVENT_PASSED_OVER) {
        log_login(conn, LEVEL_INFO, "not-recorded", event.why, 0);
        answer(conn, "OK", "not recorded");
    } else if (r == 0) {
        reject(conn, event.why);
    }
    login_event_fini(&event);
    return r;
}

void login_report_abandon(struct server_conn *conn)
{
    struct login_report_state *state = server_state(conn);
    login_report_cancel(&state->report);
}

static int login_answer(struct server_conn *conn, const struct request *request)
{
    const char *fault = request_check(request, &login_form);
    if (!fault)
        return login_report_answer(conn, request);
    reject(conn, fault);
    return 0;
}

const struct server_protocol login_protocol = {
    .name = "login",
    .form = &login_form,
    .state_bytes = sizeof(struct login_report_state),
    .says_fault = true,
    .answer = login_answer,
    .abandon = login_report_abandon,
};
