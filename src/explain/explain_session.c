#include "explain/explain_session.h"

#include "explain/explain_print.h"

#include <time.h>

static int take(struct session *session, const struct request *request, const struct explanation *explanation,
                bool *goes_on)
{
    struct explained x = {
        .request = request,
        .explanation = explanation,
        .source = session->control       ? LOGIN_OF_DAEMON
                  : session->login.n > 0 ? LOGIN_PRETENDED
                                         : LOGIN_ASSUMED_NONE,
        .login = session->login,
        .rules = session->rules,
        .now = (int64_t)time(NULL),
        .program = session->program,
    };
    bool first = session->n_printed++ == 0;
    *goes_on = explained_reason(&x) == REASON_NONE || explained_is_postmaster(&x);
    if (session->json) {
        fputs(first ? "" : ",\n", stdout);
        explain_print_json(&x);
        return STATUS_DONE;
    }
    fputs(first ? "" : "\n", stdout);
    explain_print_text(&x);
    return conclusion_add(&session->conclusion, &x) < 0 ? cli_fail(EX_OSERR, "out of memory") : STATUS_DONE;
}

static int explain_here(struct session *session, const struct request *request, bool *goes_on)
{
    static struct explanation explanation;
    struct login_facts logins = { .state = LOGIN_KNOWN,
                                  .names = &session->login,
                                  .n_names = session->login.n > 0 ? 1 : 0 };
    struct decide_query query = { .rules = session->rules, .request = request, .now = (int64_t)time(NULL) };
    struct decision decision;
    if (explained_decide(&query, &logins, &decision) < 0)
        return cli_fail(EX_OSERR, "out of memory");
    explanation_make(&explanation, &decision, &query);
    return take(session, request, &explanation, goes_on);
}

/* The same by the daemon, with its rules and its store. */
static int explain_live(struct session *session, const struct request *request, bool *goes_on)
{
    static struct explanation explanation;
    struct str name, value;
    int status = control_put(session->control, "command", str_of("explain"));
    for (int a = ATTR_PROTOCOL_STATE; a <= ATTR_POLICY_CONTEXT && status == STATUS_DONE; a++)
        status = control_put(session->control, attribute_name((enum attribute)a), request->attr[a]);
    if (status == STATUS_DONE)
        status = control_ask(session->control);
    if (status != STATUS_DONE)
        return status;
    explanation = (struct explanation){ .n_notes = 0 };
    while (control_next(session->control, &name, &value))
        explanation_take(&explanation, name, value);
    if (explanation.n_notes == 0)
        return cli_fail(EX_DATAERR, "the daemon does not explain: %.*s",
                        STR_ARGS(explanation.field[EXPLANATION_ACTION]));
    return take(session, request, &explanation, goes_on);
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

/* Each recipient, and DATA where one of them was not refused. */
static int explain_message(struct session *session, struct request *request)
{
    struct str recipient = str_make("", 0);
    char count[16];
    int accepted = 0, status = STATUS_DONE;
    bool goes_on;
    for (size_t i = 0; i < session->n_to && status == STATUS_DONE; i++) {
        request->attr[ATTR_RECIPIENT] = session->to[i];
        status = explain_state(session, request, "RCPT", &goes_on);
        if (status == STATUS_DONE && goes_on && ++accepted == 1)
            recipient = request->attr[ATTR_RECIPIENT];
    }
    if (accepted == 0 || status != STATUS_DONE)
        return status;
    /* Postfix names the recipient at DATA where there is one only. */
    request->attr[ATTR_RECIPIENT] = accepted == 1 ? recipient : str_make("", 0);
    int n = snprintf(count, sizeof count, "%d", accepted);
    request->attr[ATTR_RECIPIENT_COUNT] = str_make(count, (size_t)n);
    return explain_state(session, request, "DATA", &goes_on);
}

/* As Postfix asks with smtpd_delay_reject = no. What it would be answered at EHLO is the same as at CONNECT, and what
 * after the message, that it be taken. */
static int explain_all(struct session *session)
{
    struct request request = session->request;
    struct str sender = request.attr[ATTR_SENDER];
    bool goes_on = true;
    request.attr[ATTR_SENDER] = str_make("", 0);
    int status = explain_state(session, &request, "CONNECT", &goes_on);
    request.attr[ATTR_SENDER] = sender;
    if (status == STATUS_DONE && goes_on)
        status = explain_state(session, &request, "MAIL", &goes_on);
    return status == STATUS_DONE && goes_on ? explain_message(session, &request) : status;
}

int explain_session_run(struct session *session)
{
    bool goes_on;
    fputs(session->json ? "[\n" : "", stdout);
    int status = session->pretended ? explain_all(session) : explain_request(session, &session->request, &goes_on);
    if (session->json)
        fputs("\n]\n", stdout);
    else if (status == STATUS_DONE)
        conclusion_print(&session->conclusion, session->to, session->n_to);
    return status;
}
