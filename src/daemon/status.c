#include "config.h"

#include "daemon/status.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

enum { VALUE_BYTES = 1024 };

static const uint64_t second_ns = 1000000000;

/* Where the pairs go. */
struct teller {
    const struct status_source *source;
    status_visit *visit;
    void *context;
    uint64_t now_ns;
};

__attribute__((format(printf, 3, 4))) static void tell(const struct teller *teller, const char *name,
                                                       const char *format, ...)
{
    char text[VALUE_BYTES];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    teller->visit(teller->context, name, str_make(text, n < 0 ? 0 : n < VALUE_BYTES ? (size_t)n : VALUE_BYTES - 1));
}

static void tell_start(const struct teller *teller)
{
    const struct counters *counters = teller->source->counters;
    tell(teller, "version", "%s", PACKAGE_VERSION);
    tell(teller, "started", "%" PRId64, counters->started_at);
    tell(teller, "uptime", "%" PRIu64, (teller->now_ns - counters->begin_ns) / second_ns);
}

static void tell_listeners(const struct teller *teller)
{
    const struct status_source *source = teller->source;
    for (size_t i = 0; i < source->n_entrances; i++)
        tell(teller, "listener", "%s %zu %s", server_name(source->entrances[i].server), source->entrances[i].n_conns,
             source->entrances[i].endpoint);
}

/* Kinds of rules, in the words of gatepost(1); a table with verdicts has two. */
static const struct {
    const char *name;
    enum rule_table table;
    enum { ALL, REFUSING, GRANTING } which;
} kinds[] = {
    { "deny", RULE_ACCESS_BLOCK, REFUSING }, { "allow", RULE_ACCESS_BLOCK, GRANTING },
    { "grant", RULE_RELAY_GRANT, GRANTING }, { "refuse", RULE_RELAY_GRANT, REFUSING },
    { "kill", RULE_KILL_ENTRY, ALL },        { "accept", RULE_ACCEPT_ENTRY, ALL },
    { "domain", RULE_LOCAL_DOMAIN, ALL },    { "user", RULE_LOCAL_USER, ALL },
    { "list", RULE_LOCAL_LIST, ALL },        { "setting", RULE_SETTING, ALL },
};

static void tell_rules(const struct teller *teller)
{
    const struct rules *rules = rule_watch_rules(teller->source->watch);
    struct rule_watch_state state;
    rule_watch_describe(teller->source->watch, &state);
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        size_t all = rules_count(rules, kinds[i].table), refusing = rules_count_refusing(rules, kinds[i].table);
        tell(teller, "rules", "%s %zu", kinds[i].name,
             kinds[i].which == ALL        ? all
             : kinds[i].which == REFUSING ? refusing
                                          : all - refusing);
    }
    tell(teller, "rules_skipped", "%zu", state.n_skipped);
    tell(teller, "generation", "%" PRIu64, state.generation);
    tell(teller, "generation_age", "%" PRIu64, state.age_ms / 1000);
    if (state.stale)
        tell(teller, "stale", "%" PRIu64 " %s", state.stale_ms / 1000, state.why.text);
}

static void tell_logins(const struct teller *teller)
{
    static const char *const states[] = {
        [LOGIN_STORE_OPENING] = "opening", [LOGIN_STORE_UP] = "up", [LOGIN_STORE_DOWN] = "down"
    };
    struct str url = str_of(teller->source->logins_url), scheme = str_first(url, str_find(url, ':'));
    tell(teller, "login_store", "%.*s %s", STR_ARGS(scheme), states[logins_state(teller->source->logins)]);
    tell(teller, "logins_waiting", "%zu", logins_n_waiting(teller->source->logins));
}

static void tell_count(const struct teller *teller, const char *name, const char *what, struct count count)
{
    tell(teller, name, "%s %" PRIu64 " %" PRIu64, what, count.all, count.minute);
}

static void tell_requests(const struct teller *teller)
{
    struct counters *counters = teller->source->counters;
    for (int a = 0; a < COUNTED_ACTIONS; a++)
        tell_count(teller, "requests", counted_action_name((enum counted_action)a),
                   counters_of_action(counters, (enum counted_action)a, teller->now_ns));
    for (int r = 0; r < REASON_COUNT; r++)
        tell_count(teller, "refusals", reasons[r].name,
                   counters_of_outcome(counters, (enum outcome)(OUTCOME_REFUSED + r), teller->now_ns));
    tell(teller, "protocol_errors", "%" PRIu64, counters->protocol_errors);
    tell(teller, "connections_refused", "%" PRIu64, counters->connections_refused);
}

static void tell_granted(const struct teller *teller)
{
    struct busiest_top top;
    char address[IP_TEXT_SIZE];
    busiest_find(&teller->source->counters->granted, teller->now_ns / second_ns, &top);
    tell(teller, "granted", "%" PRIu64 " %" PRIu64, top.n, top.seconds);
    for (size_t i = 0; i < top.n_clients; i++) {
        ip_format(&top.clients[i].addr, address);
        tell(teller, "granted_client", "%s %" PRIu64, address, top.clients[i].n);
    }
}

void status_each(const struct status_source *source, status_visit *visit, void *context)
{
    struct teller teller = { source, visit, context, uv_hrtime() };
    tell_start(&teller);
    tell_listeners(&teller);
    tell_rules(&teller);
    tell_logins(&teller);
    tell_requests(&teller);
    tell_granted(&teller);
}
