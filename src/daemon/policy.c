#include "daemon/policy.h"

#include "core/reply.h"
#include "daemon/decision_log.h"

#include <time.h>

/* Of the request in hand. */
struct policy_state {
    struct login_wait wait;
    struct server_conn *conn;
    uint64_t begin_ns;
};

static void on_logins(struct login_wait *wait);

/* Decides with what is known of logins. Where it takes more, the login is asked for, and this called again. */
static int decide_with(struct server_conn *conn, const struct login_facts *facts)
{
    struct policy *policy = server_context(conn);
    struct policy_state *state = server_state(conn);
    const struct request *request = server_request(conn);
    const struct rules *rules = rule_watch_rules(policy->watch);
    struct decide_query query = { .rules = rules, .request = request, .logins = *facts, .now = time(NULL) };
    struct decision decision;
    int r = decide(&query, &decision);
    if (r < 0)
        return r;
    if (decision.needs_login) {
        state->conn = conn;
        state->wait.answered = on_logins;
        return logins_look_up(policy->logins, &decision.login_addr, query.now, &state->wait);
    }
    char reply[REPLY_MAX_BYTES];
    size_t n = reply_write(&decision, request, rules_settings(rules), reply);
    if (decision_log_wants(policy->log_decisions, &decision))
        decision_log(&decision, request, rules_settings(rules), (uv_hrtime() - state->begin_ns) / 1000);
    server_reply(conn, reply, n);
    return 0;
}

static void on_logins(struct login_wait *wait)
{
    struct policy_state *state = wait->context;
    if (decide_with(state->conn, &wait->facts) < 0)
        server_out_of_memory(state->conn);
}

static int policy_answer(struct server_conn *conn, const struct request *request)
{
    struct login_facts nothing = { .state = LOGIN_NOT_ASKED };
    struct policy_state *state = server_state(conn);
    (void)request;
    state->begin_ns = uv_hrtime();
    state->wait.context = state;
    return decide_with(conn, &nothing);
}

static void policy_abandon(struct server_conn *conn)
{
    struct policy_state *state = server_state(conn);
    login_wait_cancel(&state->wait);
}

const struct server_protocol policy_protocol = {
    .name = "policy",
    .form = &policy_form,
    .state_bytes = sizeof(struct policy_state),
    .answer = policy_answer,
    .abandon = policy_abandon,
};
