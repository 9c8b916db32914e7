/*
 * gatepost explain: decides one request, or a pretended session, and says how.
 */
#include "cli/command.h"
#include "console/shell_word.h"
#include "core/login_event.h"
#include "explain/change.h"
#include "explain/explain_session.h"

#include <stdlib.h>

enum {
    OPTION_CLIENT = 0x100,
    OPTION_NAME,
    OPTION_REVERSE_NAME,
    OPTION_FROM,
    OPTION_TO,
    OPTION_SASL,
    OPTION_PORT,
    OPTION_LOGIN,
    OPTION_LIVE
};

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
        if (session->n_to == SESSION_MAX_TO)
            return cli_usage("more than %d recipients", SESSION_MAX_TO);
        session->to[session->n_to++] = str_of(optarg);
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
    if (session->request.attr[ATTR_PROTOCOL_STATE].n == 0)
        session->request.attr[ATTR_PROTOCOL_STATE] = str_of("RCPT");
    for (int a = ATTR_CLIENT_NAME; a <= ATTR_REVERSE_CLIENT_NAME && session->pretended; a++)
        if (session->request.attr[a].n == 0)
            session->request.attr[a] = str_of("unknown"); /* as Postfix calls a client without a name */
    return status;
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

/* The daemon decides, and by the database changes are tried; where it cannot be read, they are offered untried. */
static int open_daemon(struct cli *cli, struct session *session)
{
    enum { BUSY_MS = 500 };
    struct rule_db *db = NULL;
    int status = control_open(cli, &session->control);
    if (status == STATUS_DONE)
        status = cli_find_database(cli);
    if (status == STATUS_DONE && rule_db_open(&db, cli->database, DATABASE_EXPECT, BUSY_MS, NULL) == 0)
        (void)cli_load_rules(db, &session->rules);
    rule_db_close(db);
    return status;
}

/* A command that is offered is for the same database. */
static char *write_program(const struct cli *cli)
{
    char *text = NULL;
    size_t n = 0;
    FILE *out = open_memstream(&text, &n);
    if (!out)
        return NULL;
    fputs("gatepost", out);
    if (cli->config_file) {
        fputs(" -c ", out);
        shell_word_put(out, str_of(cli->config_file));
    }
    if (cli->database) {
        fputs(" --database ", out);
        shell_word_put(out, str_of(cli->database));
    }
    return fclose(out) == 0 ? text : NULL;
}

static int run_explain(struct cli *cli, int argc, char **argv, const struct option *all_options)
{
    struct session session = { .login = { "", 0 } };
    int status = read_session(cli, &session, argc, argv, all_options);
    if (status == STATUS_DONE && !(session.program = write_program(cli)))
        status = cli_fail(EX_OSERR, "out of memory");
    if (status == STATUS_DONE)
        status = session.live ? open_daemon(cli, &session) : open_rules(cli, &session);
    if (status == STATUS_DONE)
        status = explain_session_run(&session);
    conclusion_fini(&session.conclusion);
    rules_free(session.rules);
    control_close(session.control);
    free(session.program);
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
    "Decides a request or a session, and says why, step by step.",
    "gatepost explain --client 203.0.113.9 --from a@example.net --to x@example.org",
    explain_options,
    run_explain,
};
