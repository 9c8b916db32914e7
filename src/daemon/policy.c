#include "daemon/policy.h"

#include "core/reply.h"
#include "daemon/decision_log.h"

#include <time.h>

/* Of the request in hand. */
struct policy_state {
    struct login_wait wait;
    struct server_conn *conn;
    uint64_t begin_ns;
    int place; /* in the batch, from 1; 0: it is in none */
};

static void on_logins(struct login_wait *wait);

/* Answers, or asks for the login that it takes, after which on_logins decides again. */
static int finish(struct server_conn *conn, const struct decision *decision, int64_t now)
{
    struct policy *policy = server_context(conn);
    struct policy_state *state = server_state(conn);
    const struct request *request = server_request(conn);
    const struct settings *settings = rules_settings(rule_watch_rules(policy->watch));
    if (decision->needs_login) {
        state->conn = conn;
        state->wait.context = state;
        state->wait.answered = on_logins;
        return logins_look_up(policy->logins, &decision->login_addr, now, &state->wait);
    }
    char reply[REPLY_MAX_BYTES];
    size_t n = reply_write(decision, request, settings, reply);
    if (decision_log_wants(policy->log_decisions, decision))
        decision_log(decision, request, settings, (uv_hrtime() - state->begin_ns) / 1000);
    counters_add(policy->counters, request, decision, state->begin_ns);
    hits_count(policy->hits, decision, now);
    server_reply(conn, reply, n);
    return 0;
}

static struct decide_query query_of(struct policy *policy, struct server_conn *conn, const struct login_facts *facts)
{
    return (struct decide_query){ rule_watch_rules(policy->watch), server_request(conn), *facts, time(NULL) };
}

static int decide_with(struct server_conn *conn, const struct login_facts *facts)
{
    struct decide_query query = query_of(server_context(conn), conn, facts);
    struct decision decision;
    int r = decide(&query, &decision);
    return r < 0 ? r : finish(conn, &decision, query.now);
}

static void on_logins(struct login_wait *wait)
{
    struct policy_state *state = wait->context;
    if (decide_with(state->conn, &wait->facts) < 0)
        server_out_of_memory(state->conn);
}

static const struct login_facts not_asked = { .state = LOGIN_NOT_ASKED };

/* What cannot be added is decided by itself. */
static void policy_foresee(void *context, struct server_conn *const *conns, size_t n)
{
    struct policy *policy = context;
    uint64_t begin_ns = uv_hrtime();
    decide_batch_clear(policy->batch);
    for (size_t i = 0; i < n; i++) {
        struct policy_state *state = server_state(conns[i]);
        struct decide_query query = query_of(policy, conns[i], &not_asked);
        state->begin_ns = begin_ns;
        state->place = 1 + decide_batch_add(policy->batch, &query);
    }
    decide_batch_look_up(policy->batch);
}

static int policy_answer(struct server_conn *conn, const struct request *request)
{
    struct policy *policy = server_context(conn);
    struct policy_state *state = server_state(conn);
    struct decision decision;
    int place = state->place;
    int64_t now = time(NULL);
    (void)request;
    state->place = 0;
    recorder_put(policy->recorder, server_request_bytes(conn), now);
    if (place <= 0) {
        state->begin_ns = uv_hrtime();
        return decide_with(conn, &not_asked);
    }
    int r = decide_batch_decide(policy->batch, place - 1, &decision);
    return r < 0 ? r : finish(conn, &decision, now);
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
    .foresee = policy_foresee,
    .answer = policy_answer,
    .abandon = policy_abandon,
};
