/*
 * gatepost explain: decides one request, or a pretended session, and says how.
 */
#include "cli/cli.h"
#include "core/decide.h"
#include "core/reply.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    OPTION_CLIENT = 0x100,
    OPTION_NAME,
    OPTION_REVERSE_NAME,
    OPTION_FROM,
    OPTION_TO,
    OPTION_SASL,
    OPTION_PORT,
    OPTION_LOGIN,
    MAX_TO = 100
};

struct session {
    struct request request; /* what all requests of the session have in common */
    bool pretended;         /* made by options, not by NAME=VALUE */
    const char *to[MAX_TO];
    int n_to;
    struct str login;
    bool json;
    size_t n_printed;
};

static const char *const step_names[STEP_COUNT + 1] = {
    [STEP_CLIENT] = "client",
    [STEP_STATE] = "state",
    [STEP_SUBMISSION] = "submission",
    [STEP_VRFY] = "vrfy",
    [STEP_KILL] = "kill",
    [STEP_NULL_SENDER] = "null-sender",
    [STEP_INVALID_SENDER] = "invalid-sender",
    [STEP_LOCAL_SENDER] = "local-sender",
    [STEP_MAIL] = "mail",
    [STEP_RCPT] = "recipient",
    [STEP_DATA] = "data",
    [STEP_END] = "end",
};

/* Reading. */

/* What Postfix sends beside the attributes that count (SMTPD_POLICY_README). */
static bool is_known_to_postfix(struct str name)
{
    static const char *const names[] = {
        "protocol_name",
        "client_port",
        "server_address",
        "helo_name",
        "queue_id",
        "size",
        "etrn_domain",
        "stress",
        "sasl_method",
        "sasl_sender",
        "ccert_subject",
        "ccert_issuer",
        "ccert_fingerprint",
        "ccert_pubkey_fingerprint",
        "encryption_protocol",
        "encryption_cipher",
        "encryption_keysize",
        "compatibility_level",
        "mail_version",
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (str_is(name, names[i]))
            return true;
    return false;
}

static int take_pair(struct session *session, const char *text)
{
    struct str pair = str_of(text);
    size_t equals = str_find(pair, '=');
    if (equals == pair.n)
        return cli_usage("\"%s\" is not NAME=VALUE", text);
    struct str name = str_first(pair, equals);
    enum attribute attribute = attribute_by_name(&policy_form, name);
    if (attribute == ATTR_COUNT)
        return is_known_to_postfix(name)
                   ? STATUS_DONE
                   : cli_fail(EX_DATAERR, "\"%.*s\" is no attribute that Postfix sends", STR_ARGS(name));
    if (session->request.attr[attribute].n == 0)
        session->request.attr[attribute] = str_from(pair, equals + 1);
    return STATUS_DONE;
}

static int take_option(struct session *session, int c)
{
    static const struct {
        int option;
        enum attribute attribute;
    } attributes[] = {
        { OPTION_CLIENT, ATTR_CLIENT_ADDRESS },
        { OPTION_NAME, ATTR_CLIENT_NAME },
        { OPTION_REVERSE_NAME, ATTR_REVERSE_CLIENT_NAME },
        { OPTION_FROM, ATTR_SENDER },
        { OPTION_SASL, ATTR_SASL_USERNAME },
        { OPTION_PORT, ATTR_SERVER_PORT },
    };
    if (c == OPTION_LOGIN) {
        session->login = str_of(optarg);
        return STATUS_DONE;
    }
    session->pretended = true;
    if (c == OPTION_TO) {
        if (session->n_to == MAX_TO)
            return cli_usage("more than %d recipients", MAX_TO);
        session->to[session->n_to++] = optarg;
        return STATUS_DONE;
    }
    for (size_t i = 0; i < sizeof attributes / sizeof *attributes; i++) {
        if (attributes[i].option == c) {
            session->request.attr[attributes[i].attribute] = str_of(optarg);
            return STATUS_DONE;
        }
    }
    return STATUS_USAGE;
}

static int read_session(struct cli *cli, struct session *session, int argc, char **argv,
                        const struct option *all_options)
{
    int status = STATUS_DONE;
    for (int a = 0; a < ATTR_COUNT; a++)
        session->request.attr[a] = str_make("", 0);
    for (int c; status == STATUS_DONE && (c = cli_next_option(cli, argc, argv, all_options)) != -1;)
        status = take_option(session, c);
    if (status != STATUS_DONE)
        return status;
    session->json = cli->json;
    if (session->pretended && optind < argc)
        return cli_usage("either NAME=VALUE or --client and its like, not both");
    if (session->pretended && session->request.attr[ATTR_CLIENT_ADDRESS].n == 0)
        return cli_usage("a pretended session needs --client");
    if (!session->pretended && optind == argc)
        return cli_usage("explain what? Give NAME=VALUE, or --client, --from and --to");
    for (int i = optind; i < argc && status == STATUS_DONE; i++)
        status = take_pair(session, argv[i]);
    for (int a = ATTR_CLIENT_NAME; a <= ATTR_REVERSE_CLIENT_NAME && session->pretended; a++)
        if (session->request.attr[a].n == 0)
            session->request.attr[a] = str_of("unknown"); /* as Postfix calls a client without a name */
    return status;
}

/* Printing. */

static void put_str(struct str text)
{
    for (size_t i = 0; i < text.n; i++)
        fputc(ascii_is_control(text.p[i]) ? '?' : text.p[i], stdout);
}

static void print_row(const struct rule *rule, enum setting setting, const struct settings *settings)
{
    if (rule) {
        const char *column = rule_tables[rule->table].value;
        printf("  [%s ", rule_tables[rule->table].name);
        cli_put(stdout, rule_key(rule));
        if (rule->client_n)
            printf(" from %s", rule_client(rule));
        if (column && rule->value_n) {
            printf(", %s ", column);
            cli_put(stdout, rule_value_text(rule));
        }
        fputs("]", stdout);
    }
    if (setting != SETTING_NONE) {
        printf("  [setting %s = \"", setting_info(setting)->name);
        put_str(settings_text(settings, setting));
        fputs("\"]", stdout);
    }
}

static void print_note(const struct decide_note *note, const struct settings *settings)
{
    printf("  %2d %-14s  %s", (int)note->step, step_names[note->step], note->why);
    print_row(note->rule, note->setting, settings);
    if (note->outcome == NOTE_OBSERVED)
        printf("\n%20s would refuse: %s (observed, so the next step decides)", "", reasons[note->reason].name);
    else if (note->outcome == NOTE_DECIDED && note->reason != REASON_NONE)
        printf("\n%20s %s", "", reasons[note->reason].name);
    fputc('\n', stdout);
}

static void print_head(const struct request *request)
{
    static const struct {
        enum attribute attribute;
        const char *label;
    } shown[] = {
        { ATTR_CLIENT_ADDRESS, " from client " }, { ATTR_CLIENT_NAME, " named " },
        { ATTR_SASL_USERNAME, ", SASL user " },   { ATTR_SENDER, ", sender " },
        { ATTR_RECIPIENT, ", recipient " },
    };
    put_str(request->attr[ATTR_PROTOCOL_STATE]);
    for (size_t i = 0; i < sizeof shown / sizeof *shown; i++) {
        if (request->attr[shown[i].attribute].n > 0) {
            fputs(shown[i].label, stdout);
            put_str(request->attr[shown[i].attribute]);
        }
    }
    fputc('\n', stdout);
}

static void print_text(struct session *session, const struct request *request, const struct decision *decision,
                       const struct settings *settings)
{
    char reply[REPLY_MAX_BYTES];
    size_t n = reply_action(decision, request, settings, reply, sizeof reply);
    if (session->n_printed++)
        fputc('\n', stdout);
    print_head(request);
    for (size_t i = 0; i < decision->n_notes; i++)
        print_note(&decision->notes[i], settings);
    if ((settings->number[SETTING_OBSERVE] & OBSERVE_ALL) != 0)
        printf("  observe = all: whatever was found, the answer is DUNNO\n");
    if (decision->needs_login)
        printf(
            "  The answer depends on a recent mailbox login from this address: none is assumed; --login USER pretends "
            "one.\n");
    printf("  action=");
    put_str(str_make(reply, n));
    fputc('\n', stdout);
}

static void put_json_str(struct str text)
{
    char *copy = strndup(text.p, text.n);
    cli_put_json(stdout, copy);
    free(copy);
}

static void print_note_json(const struct decide_note *note)
{
    static const char *const outcomes[] = { "passed", "observed", "decided" };
    printf("{\"step\": %d, \"name\": \"%s\", \"outcome\": \"%s\", \"why\": ", (int)note->step, step_names[note->step],
           outcomes[note->outcome]);
    cli_put_json(stdout, note->why);
    printf(", \"reason\": ");
    cli_put_json(stdout, note->reason == REASON_NONE ? NULL : reasons[note->reason].name);
    printf(", \"table\": ");
    cli_put_json(stdout, note->rule ? rule_tables[note->rule->table].name : NULL);
    printf(", \"key\": ");
    cli_put_json(stdout, note->rule ? rule_key(note->rule) : NULL);
    printf(", \"setting\": ");
    cli_put_json(stdout, note->setting == SETTING_NONE ? NULL : setting_info(note->setting)->name);
    fputs("}", stdout);
}

static void print_json(struct session *session, const struct request *request, const struct decision *decision,
                       const struct settings *settings)
{
    char reply[REPLY_MAX_BYTES];
    size_t n = reply_action(decision, request, settings, reply, sizeof reply);
    fputs(session->n_printed++ ? ",\n {\"state\": " : " {\"state\": ", stdout);
    put_json_str(request->attr[ATTR_PROTOCOL_STATE]);
    fputs(", \"recipient\": ", stdout);
    put_json_str(request->attr[ATTR_RECIPIENT]);
    fputs(", \"action\": ", stdout);
    put_json_str(str_make(reply, n));
    fputs(", \"reason\": ", stdout);
    cli_put_json(stdout, decision->reason == REASON_NONE ? NULL : reasons[decision->reason].name);
    printf(", \"needs_login\": %s, \"steps\": [", decision->needs_login ? "true" : "false");
    for (size_t i = 0; i < decision->n_notes; i++) {
        fputs(i ? ",\n  " : "\n  ", stdout);
        print_note_json(&decision->notes[i]);
    }
    fputs("]}", stdout);
}

/* Deciding. */

static int explain_request(struct session *session, const struct rules *rules, const struct request *request,
                           bool *goes_on)
{
    struct decide_query query = { .rules = rules, .request = request, .now = (int64_t)time(NULL) };
    struct decision decision;
    if (session->login.n > 0)
        query.logins = (struct login_facts){ .state = LOGIN_KNOWN, .names = &session->login, .n_names = 1 };
    int r = decide(&query, &decision);
    bool needs_login = r == 0 && decision.needs_login;
    if (needs_login) {
        query.logins.state = LOGIN_KNOWN;
        r = decide(&query, &decision);
        decision.needs_login = true;
    }
    if (r < 0)
        return cli_fail(EX_OSERR, "out of memory");
    if (session->json)
        print_json(session, request, &decision, rules_settings(rules));
    else
        print_text(session, request, &decision, rules_settings(rules));
    *goes_on = decision.action != ACTION_REFUSE;
    return STATUS_DONE;
}

static int explain_state(struct session *session, const struct rules *rules, struct request *request, const char *state,
                         bool *goes_on)
{
    request->attr[ATTR_PROTOCOL_STATE] = str_of(state);
    return explain_request(session, rules, request, goes_on);
}

/* As Postfix asks with smtpd_delay_reject = no; DATA follows where a recipient was not refused. */
static int explain_session(struct session *session, const struct rules *rules)
{
    struct request request = session->request;
    struct str sender = request.attr[ATTR_SENDER];
    char count[16];
    bool goes_on = true;
    int accepted = 0;
    request.attr[ATTR_SENDER] = str_make("", 0);
    int status = explain_state(session, rules, &request, "CONNECT", &goes_on);
    request.attr[ATTR_SENDER] = sender;
    if (status == STATUS_DONE && goes_on)
        status = explain_state(session, rules, &request, "MAIL", &goes_on);
    bool mail_taken = goes_on;
    struct str recipient = str_make("", 0);
    for (int i = 0; i < session->n_to && status == STATUS_DONE && mail_taken; i++) {
        request.attr[ATTR_RECIPIENT] = str_of(session->to[i]);
        status = explain_state(session, rules, &request, "RCPT", &goes_on);
        if (goes_on && ++accepted == 1)
            recipient = request.attr[ATTR_RECIPIENT];
    }
    if (accepted == 0 || status != STATUS_DONE)
        return status;
    /* Postfix names the recipient at DATA where there is one only. */
    request.attr[ATTR_RECIPIENT] = accepted == 1 ? recipient : str_make("", 0);
    int n = snprintf(count, sizeof count, "%d", accepted);
    request.attr[ATTR_RECIPIENT_COUNT] = str_make(count, (size_t)n);
    return explain_state(session, rules, &request, "DATA", &goes_on);
}

static void report_skipped(void *context, const struct rule_row *row, const struct error *why)
{
    (void)context;
    (void)cli_fail(0, "a row of %s is skipped: %s", rule_tables[row->table].name, why->text);
}

static int run_explain(struct cli *cli, int argc, char **argv, const struct option *all_options)
{
    struct session session = { .login = { "", 0 } };
    struct rule_db *db = NULL;
    struct rules *rules = NULL;
    struct error error;
    bool goes_on;
    int status = read_session(cli, &session, argc, argv, all_options);
    if (status == STATUS_DONE)
        status = cli_open(cli, RULE_DB_EXPECT, &db);
    if (status == STATUS_DONE && rule_db_load(db, &rules, report_skipped, NULL, &error) < 0)
        status = cli_fail(EX_UNAVAILABLE, "%s", error.text);
    if (session.json && status == STATUS_DONE)
        fputs("[\n", stdout);
    if (session.request.attr[ATTR_PROTOCOL_STATE].n == 0)
        session.request.attr[ATTR_PROTOCOL_STATE] = str_of("RCPT");
    if (status == STATUS_DONE)
        status = session.pretended ? explain_session(&session, rules)
                                   : explain_request(&session, rules, &session.request, &goes_on);
    if (session.json && status == STATUS_DONE)
        fputs("\n]\n", stdout);
    rules_free(rules);
    rule_db_close(db);
    return status;
}

static const struct option explain_options[] = {
    { "client", required_argument, NULL, OPTION_CLIENT },
    { "name", required_argument, NULL, OPTION_NAME },
    { "reverse-name", required_argument, NULL, OPTION_REVERSE_NAME },
    { "from", required_argument, NULL, OPTION_FROM },
    { "to", required_argument, NULL, OPTION_TO },
    { "sasl", required_argument, NULL, OPTION_SASL },
    { "port", required_argument, NULL, OPTION_PORT },
    { "login", required_argument, NULL, OPTION_LOGIN },
    { NULL, 0, NULL, 0 },
};

const struct command explain_command = {
    "explain",
    "NAME=VALUE... | --client A [--name N] [--reverse-name N] [--from S] [--to R]... [--sasl U] [--port N] [--login U]",
    "Decides a request, or a pretended session, and prints each step with the row that mattered.",
    "gatepost explain --client 203.0.113.9 --from fred@example.net --to bob@example.org",
    explain_options,
    run_explain,
};
