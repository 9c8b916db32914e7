/*
 * gatepost explain: decides one request, or a pretended session, and says how.
 */
#include "cli/cli.h"
#include "cli/control.h"
#include "cli/explain_print.h"
#include "core/login_event.h"

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
    OPTION_LIVE,
    MAX_TO = 100
};

struct session {
    struct request request; /* what all requests of the session have in common */
    bool pretended;         /* made by options, not by NAME=VALUE */
    const char *to[MAX_TO];
    int n_to;
    struct str login;
    bool live;
    bool json;
    struct rules *rules;     /* to decide by, or */
    struct control *control; /* the daemon to ask */
    size_t n_printed;
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
        const char *fault = login_event_user_fault(str_of(optarg));
        session->login = str_of(optarg);
        return fault ? cli_fail(EX_DATAERR, "--login: %s", fault) : STATUS_DONE;
    }
    if (c == OPTION_LIVE) {
        session->live = true;
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
    if (session->live && session->login.n > 0)
        return cli_usage("either --login or --live: the daemon knows who has logged in");
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

/* Deciding. */

static void print(struct session *session, const struct explanation *explanation, const struct request *request)
{
    enum login_source source = session->control       ? LOGIN_OF_DAEMON
                               : session->login.n > 0 ? LOGIN_PRETENDED
                                                      : LOGIN_ASSUMED_NONE;
    bool first = session->n_printed++ == 0;
    if (session->json) {
        fputs(first ? "" : ",\n", stdout);
        explain_print_json(explanation, request);
    } else {
        fputs(first ? "" : "\n", stdout);
        explain_print_text(explanation, request, source);
    }
}

static int explain_here(struct session *session, const struct request *request, bool *goes_on)
{
    struct decide_query query = { .rules = session->rules, .request = request, .now = (int64_t)time(NULL) };
    struct decision decision;
    int r = decide(&query, &decision);
    if (r == 0 && decision.needs_login) {
        query.logins = (struct login_facts){ .state = LOGIN_KNOWN,
                                             .names = &session->login,
                                             .n_names = session->login.n > 0 ? 1 : 0 };
        r = decide(&query, &decision);
    }
    if (r < 0)
        return cli_fail(EX_OSERR, "out of memory");
    static struct explanation explanation;
    explanation_make(&explanation, &decision, &query);
    print(session, &explanation, request);
    *goes_on = decision.action != ACTION_REFUSE;
    return STATUS_DONE;
}

/* The same by the daemon, with its rules and its store. */
static int explain_live(struct session *session, const struct request *request, bool *goes_on)
{
    struct str name, value;
    int status = control_put(session->control, "command", str_of("explain"));
    for (int a = ATTR_PROTOCOL_STATE; a <= ATTR_POLICY_CONTEXT && status == STATUS_DONE; a++)
        status = control_put(session->control, attribute_name((enum attribute)a), request->attr[a]);
    if (status == STATUS_DONE)
        status = control_ask(session->control);
    if (status != STATUS_DONE)
        return status;
    static struct explanation explanation;
    explanation = (struct explanation){ .n_notes = 0 };
    while (control_next(session->control, &name, &value))
        explanation_take(&explanation, name, value);
    if (explanation.n_notes == 0)
        return cli_fail(EX_DATAERR, "the daemon does not explain: %.*s",
                        STR_ARGS(explanation.field[EXPLANATION_ACTION]));
    print(session, &explanation, request);
    *goes_on = explanation.field[EXPLANATION_REASON].n == 0;
    return STATUS_DONE;
}

static int explain_request(struct session *session, const struct request *request, bool *goes_on)
{
    return session->control ? explain_live(session, request, goes_on) : explain_here(session, request, goes_on);
}

static int explain_state(struct session *session, struct request *request, const char *state, bool *goes_on)
{
    request->attr[ATTR_PROTOCOL_STATE] = str_of(state);
    return explain_request(session, request, goes_on);
}

/* As Postfix asks with smtpd_delay_reject = no; DATA follows where a recipient was not refused. */
static int explain_session(struct session *session)
{
    struct request request = session->request;
    struct str sender = request.attr[ATTR_SENDER];
    char count[16];
    bool goes_on = true;
    int accepted = 0;
    request.attr[ATTR_SENDER] = str_make("", 0);
    int status = explain_state(session, &request, "CONNECT", &goes_on);
    request.attr[ATTR_SENDER] = sender;
    if (status == STATUS_DONE && goes_on)
        status = explain_state(session, &request, "MAIL", &goes_on);
    bool mail_taken = goes_on;
    struct str recipient = str_make("", 0);
    for (int i = 0; i < session->n_to && status == STATUS_DONE && mail_taken; i++) {
        request.attr[ATTR_RECIPIENT] = str_of(session->to[i]);
        status = explain_state(session, &request, "RCPT", &goes_on);
        if (goes_on && ++accepted == 1)
            recipient = request.attr[ATTR_RECIPIENT];
    }
    if (accepted == 0 || status != STATUS_DONE)
        return status;
    /* Postfix names the recipient at DATA where there is one only. */
    request.attr[ATTR_RECIPIENT] = accepted == 1 ? recipient : str_make("", 0);
    int n = snprintf(count, sizeof count, "%d", accepted);
    request.attr[ATTR_RECIPIENT_COUNT] = str_make(count, (size_t)n);
    return explain_state(session, &request, "DATA", &goes_on);
}

static int open_rules(struct cli *cli, struct session *session)
{
    struct rule_db *db = NULL;
    int status = cli_open(cli, DATABASE_EXPECT, &db);
    if (status == STATUS_DONE)
        status = cli_load_rules(db, &session->rules);
    rule_db_close(db);
    return status;
}

static int run_explain(struct cli *cli, int argc, char **argv, const struct option *all_options)
{
    struct session session = { .login = { "", 0 } };
    bool goes_on;
    int status = read_session(cli, &session, argc, argv, all_options);
    if (status == STATUS_DONE)
        status = session.live ? control_open(cli, &session.control) : open_rules(cli, &session);
    if (session.request.attr[ATTR_PROTOCOL_STATE].n == 0)
        session.request.attr[ATTR_PROTOCOL_STATE] = str_of("RCPT");
    if (session.json && status == STATUS_DONE)
        fputs("[\n", stdout);
    if (status == STATUS_DONE) {
        status = session.pretended ? explain_session(&session) : explain_request(&session, &session.request, &goes_on);
        if (session.json)
            fputs("\n]\n", stdout);
    }
    rules_free(session.rules);
    control_close(session.control);
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
    { "live", no_argument, NULL, OPTION_LIVE },
    { NULL, 0, NULL, 0 },
};

const struct command explain_command = {
    "explain",
    "NAME=VALUE... | --client A [--name N] [--reverse-name N] [--from S] [--to R]... [--sasl U] [--port N] "
    "[--login U | --live]",
    "Decides a request, or a pretended session, and prints each step with the row that mattered.",
    "gatepost explain --client 203.0.113.9 --from fred@example.net --to bob@example.org",
    explain_options,
    run_explain,
};
