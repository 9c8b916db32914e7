#include "daemon/login_report.h"

#include "daemon/log.h"

#include <stdio.h>
#include <time.h>

enum { ANSWER_MAX_BYTES = 512 };

static struct log_limit rejected_limit = { .burst = 20, .interval_s = 60 };

static void answer(struct server_conn *conn, const char *action, const char *why)
{
    char text[ANSWER_MAX_BYTES];
    int n = snprintf(text, sizeof text - 2, "action=%s%s%s", action, why ? " " : "", why ? why : "");
    size_t length = n < (int)sizeof text - 2 ? (size_t)n : sizeof text - 3;
    memcpy(text + length, "\n\n", 2);
    server_reply(conn, text, length + 2);
}

/* One line a login, as the request in hand has it. */
static void log_login(const struct server_conn *conn, const char *result, const char *why)
{
    const struct request *request = server_request(conn);
    struct log_line line;
    if (!log_wants(LEVEL_INFO))
        return;
    log_begin(&line, LEVEL_INFO);
    log_add(&line, "login", str_of(result));
    log_add(&line, "user", request->attr[ATTR_USER]);
    log_add(&line, "client", request->attr[ATTR_CLIENT_ADDRESS]);
    if (request->attr[ATTR_SERVICE].n > 0)
        log_add(&line, "service", request->attr[ATTR_SERVICE]);
    if (why)
        log_add(&line, "why", str_of(why));
    log_end(&line);
}

static void on_recorded(struct login_report *report, const char *why_it_waits)
{
    struct login_report_state *state = report->context;
    log_login(state->conn, why_it_waits ? "waits" : "stored", why_it_waits);
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
        log_login(conn, "not-recorded", event.why);
        answer(conn, "OK", "not recorded");
    } else if (r == 0) {
        log_warning_limited(&rejected_limit, "a login is rejected: %s", event.why);
        answer(conn, "REJECT", event.why);
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
    log_warning_limited(&rejected_limit, "a login is rejected: %s", fault);
    answer(conn, "REJECT", fault);
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
