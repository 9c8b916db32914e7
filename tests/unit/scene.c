#include "scene.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

enum { WORDS = 4 };

static char *copy_of(const char *text)
{
    char *copy = strdup(text);
    ck_assert_ptr_nonnull(copy);
    return copy;
}

/* Cuts the text into words at blanks, in place; what is left over stands unparted in the last one. */
static int split(char *text, char *words[], int max)
{
    int n = 0;
    while (n < max && *(text += strspn(text, " ")) != '\0') {
        words[n++] = text;
        text += strcspn(text, " ");
        if (*text != '\0')
            *text++ = '\0';
    }
    ck_assert_msg(*text == '\0', "too many words: %s", text);
    return n;
}

static void put(struct rules *rules, const struct rule_row *row, const char *statement)
{
    struct error error;
    int r = rules_put(rules, row, &error);
    ck_assert_msg(r == 0, "\"%s\": %s", statement, error.text);
}

static void put_setting(struct rules *rules, const char *statement)
{
    size_t name_n = strcspn(statement, "=");
    struct rule_row row = { .table = RULE_SETTING,
                            .key = str_make(statement, name_n),
                            .value = str_of(statement + name_n + 1) };
    put(rules, &row, statement);
}

/* Of a statement `VERB KEY [MORE] [until SECONDS]`. */
static void put_rule(struct rules *rules, char *words[], int n, const char *statement)
{
    static const struct {
        const char *verb;
        enum rule_table table;
        const char *value; /* NULL: the word after the key, where there is one */
    } verbs[] = {
        { "deny", RULE_ACCESS_BLOCK, "deny" },    { "allow", RULE_ACCESS_BLOCK, "grant" },
        { "grant", RULE_RELAY_GRANT, "grant" },   { "refuse", RULE_RELAY_GRANT, "refuse" },
        { "kill", RULE_KILL_ENTRY, "" },          { "accept", RULE_ACCEPT_ENTRY, "" },
        { "domain", RULE_LOCAL_DOMAIN, "local" }, { "relay", RULE_LOCAL_DOMAIN, "relay" },
        { "user", RULE_LOCAL_USER, NULL },        { "list", RULE_LOCAL_LIST, NULL },
    };
    struct rule_row row = { .key = str_of(words[1]), .expires_at = RULE_NEVER_EXPIRES };
    size_t v = 0;
    if (n >= 4 && strcmp(words[n - 2], "until") == 0) {
        row.expires_at = strtoll(words[n - 1], NULL, 10);
        n -= 2;
    }
    while (v < sizeof verbs / sizeof *verbs && strcmp(words[0], verbs[v].verb) != 0)
        v++;
    ck_assert_msg(v < sizeof verbs / sizeof *verbs && n >= 2 && n <= 3, "no statement: \"%s\"", statement);
    row.table = verbs[v].table;
    row.value = str_of(verbs[v].value ? verbs[v].value : n == 3 ? words[2] : "");
    row.client = str_of(row.table == RULE_ACCEPT_ENTRY && n == 3 ? words[2] : "");
    put(rules, &row, statement);
}

struct rules *scene_rules(const char *text)
{
    struct rules *rules = rules_new();
    ck_assert_ptr_nonnull(rules);
    char *copy = copy_of(text), *rest = copy, *statement;
    while ((statement = strsep(&rest, ";")) != NULL) {
        char *words[WORDS + 1], *whole;
        statement += strspn(statement, " ");
        if (*statement == '\0')
            continue;
        whole = copy_of(statement);
        size_t name_n = strspn(statement, "abcdefghijklmnopqrstuvwxyz_0123456789");
        if (statement[name_n] == '=') {
            put_setting(rules, statement);
        } else {
            int n = split(statement, words, WORDS + 1);
            put_rule(rules, words, n, whole);
        }
        free(whole);
    }
    free(copy);
    ck_assert_int_eq(rules_seal(rules), 0);
    return rules;
}

enum { WIRE_BYTES = 8192 };

struct scene_attr {
    const char *shorthand, *name, *value;
};

/* A client that nobody knows, with mail from elsewhere for us. */
static const struct scene_attr scene_request[] = {
    { "client", "client_address", "192.0.2.10" },
    { "name", "client_name", "client.example.net" },
    { "reverse", "reverse_client_name", "client.example.net" },
    { "port", "server_port", "25" },
    { "from", "sender", "fred@example.net" },
    { "to", "recipient", "bob@example.com" },
    { "count", "recipient_count", "0" },
    { "sasl", "sasl_username", "" },
    { "context", "policy_context", "" },
};

char *scene_wire(const char *text)
{
    enum { ATTRS = sizeof scene_request / sizeof *scene_request };
    char *copy = copy_of(text), *words[ATTRS + 1], *wire = malloc(WIRE_BYTES);
    ck_assert_ptr_nonnull(wire);
    int n = split(copy, words, ATTRS + 1);
    ck_assert_msg(n > 0 && !strchr(words[0], '='), "no state in \"%s\"", text);
    int used = snprintf(wire, WIRE_BYTES, "request=smtpd_access_policy\nprotocol_state=%s\n", words[0]), taken = 1;
    for (size_t a = 0; a < ATTRS; a++) {
        const char *value = scene_request[a].value;
        for (int w = 1; w < n; w++) {
            size_t name_n = strcspn(words[w], "=");
            if (strncmp(words[w], scene_request[a].shorthand, name_n) == 0 &&
                scene_request[a].shorthand[name_n] == '\0') {
                value = words[w] + name_n + 1;
                taken++;
                for (char *p = words[w] + name_n + 1; *p; p++)
                    *p = *p == '~' ? ' ' : *p;
            }
        }
        used += snprintf(wire + used, (size_t)(WIRE_BYTES - used), "%s=%s\n", scene_request[a].name, value);
    }
    ck_assert_msg(taken == n, "an attribute that is not known in \"%s\"", text);
    ck_assert_int_lt(used, WIRE_BYTES - 2);
    memcpy(wire + used, "\n", 2);
    free(copy);
    return wire;
}

void scene_parse(const char *wire, struct request *request)
{
    struct request_parser parser = { 0 };
    size_t n = strlen(wire), length = 0;
    const char *fault = "";
    ck_assert_int_eq(request_parse(&parser, &policy_form, wire, n, n, request, &length, &fault), REQUEST_COMPLETE);
    ck_assert_uint_eq(length, n);
    ck_assert_ptr_null(request_check(request, &policy_form));
}

static void read_logins(struct scene *scene, const char *text, struct login_facts *facts)
{
    *facts = (struct login_facts){ .state = LOGIN_NOT_ASKED };
    if (!text)
        return;
    char *words[SCENE_LOGINS];
    scene->login_words = copy_of(text);
    int n = split(scene->login_words, words, SCENE_LOGINS), first = 1;
    facts->state = LOGIN_KNOWN;
    if (strcmp(words[0], "away") == 0)
        facts->state = LOGIN_UNAVAILABLE;
    else if (strcmp(words[0], "more") == 0)
        facts->more = true;
    else if (strcmp(words[0], "none") != 0)
        first = 0;
    for (int i = first; i < n; i++)
        scene->logins[facts->n_names++] = str_of(words[i]);
    facts->names = scene->logins;
}

void scene_decide(struct scene *scene, const char *rules, const char *request, const char *logins, int64_t now)
{
    *scene = (struct scene){ .rules = scene_rules(rules), .wire = scene_wire(request) };
    scene_parse(scene->wire, &scene->request);
    struct decide_query query = { .rules = scene->rules, .request = &scene->request, .now = now };
    read_logins(scene, logins, &scene->facts);
    query.logins = scene->facts;
    ck_assert_int_eq(decide(&query, &scene->decision), 0);
    size_t n = 0;
    if (!scene->decision.needs_login)
        n = reply_action(&scene->decision, &scene->request, rules_settings(scene->rules), scene->action,
                         REPLY_MAX_BYTES);
    scene->action[n] = '\0';
}

void scene_fini(struct scene *scene)
{
    rules_free(scene->rules);
    free(scene->wire);
    free(scene->login_words);
}

/* SPEC 8, once more. */
static const struct {
    const char *name, *verb, *text;
} spec_reasons[] = {
    { "access", "REJECT 5.7.1", "access denied" },
    { "submission", "REJECT 5.7.0", "authentication required" },
    { "vrfy", "REJECT 5.7.1", "command not available" },
    { "kill", "REJECT 5.7.1", "unacceptable mail address" },
    { "null-sender", "REJECT 5.7.1", "null sender not accepted" },
    { "invalid-sender", "REJECT 5.1.7", "sender must be user@host" },
    { "local-sender", "REJECT 5.7.1", "local sender not authorized" },
    { "routed", "REJECT 5.7.1", "routed recipient, not a gateway" },
    { "list", "REJECT 5.7.1", "remote mail to this list is not accepted" },
    { "relay", "REJECT 5.7.1", "unknown local host %s, not a gateway" },
    { "unverified", "DEFER 4.7.25", "client host name not verified, try again later" },
    { "recipients", "REJECT 5.5.3", "too many recipients" },
    { "unavailable", "DEFER 4.3.0", "login records unavailable, try again later" },
};

/* The action that is meant by `REASON[:DOMAIN]`; false where it is no reason. */
static bool expand_reason(const char *text, char *action, size_t size, const char **reason)
{
    size_t name_n = strcspn(text, ":");
    for (size_t i = 0; i < sizeof spec_reasons / sizeof *spec_reasons; i++) {
        if (strncmp(text, spec_reasons[i].name, name_n) != 0 || spec_reasons[i].name[name_n] != '\0')
            continue;
        const char *rest = spec_reasons[i].text, *hole = strstr(rest, "%s");
        size_t before = hole ? (size_t)(hole - rest) : strlen(rest);
        (void)snprintf(action, size, "%s %.*s%s%s", spec_reasons[i].verb, (int)before, rest,
                       text[name_n] == ':' ? text + name_n + 1 : "", hole ? hole + 2 : "");
        *reason = spec_reasons[i].name;
        return true;
    }
    return false;
}

static const char *reason_of(const struct decision *decision)
{
    return decision->reason == REASON_NONE ? "" : reasons[decision->reason].name;
}

static void would_of(const struct decision *decision, char *text)
{
    *text = '\0';
    for (size_t i = 0; i < sizeof spec_reasons / sizeof *spec_reasons; i++) {
        if ((decision->would & 1U << reason_by_name(str_of(spec_reasons[i].name))) == 0)
            continue;
        if (*text)
            strcat(text, ",");
        strcat(text, spec_reasons[i].name);
    }
}

static void same(const char *what, const char *got, const char *expected)
{
    ck_assert_msg(strcmp(got, expected) == 0, "%s: got \"%s\", expected \"%s\"", what, got, expected);
}

static void expect_lookup(const struct scene *scene, const char *what, const char *addr)
{
    char text[IP_TEXT_SIZE];
    ck_assert_msg(scene->decision.needs_login, "%s: got \"%s\", expected a look-up", what, scene->action);
    ip_format(&scene->decision.login_addr, text);
    same(what, text, addr);
}

/* Cuts the text off where the mark begins; what follows the mark, or NULL. */
static const char *cut_off(char *text, const char *mark)
{
    char *at = strstr(text, mark);
    if (!at)
        return NULL;
    *at = '\0';
    return at + strlen(mark);
}

void scene_expect(const struct scene *scene, const char *what, const char *expected)
{
    static const char *const actions[] = {
        [ACTION_DUNNO] = "DUNNO", [ACTION_OK] = "OK", [ACTION_REFUSE] = "refuse", [ACTION_BCC] = "BCC"
    };
    const struct decision *decision = &scene->decision;
    char *answer = copy_of(expected), action[512], would[256];
    const char *wanted_do = cut_off(answer, " do="), *wanted_would = cut_off(answer, " would="), *wanted_reason = "";
    if (strncmp(answer, "? ", 2) == 0) {
        expect_lookup(scene, what, answer + 2);
    } else {
        if (!expand_reason(answer, action, sizeof action, &wanted_reason))
            (void)snprintf(action, sizeof action, "%s", answer);
        ck_assert_msg(!decision->needs_login, "%s: got a look-up, expected \"%s\"", what, answer);
        would_of(decision, would);
        same(what, scene->action, action);
        same(what, reason_of(decision), wanted_reason);
        same(what, would, wanted_would ? wanted_would : "");
        same(what, actions[decision->would_do], wanted_do ? wanted_do : actions[decision->action]);
    }
    free(answer);
}

void scene_check(const struct scene_case *row)
{
    struct scene scene;
    scene_decide(&scene, row->rules, row->request, row->logins, SCENE_NOW);
    scene_expect(&scene, row->what, row->expected);
    scene_fini(&scene);
}
