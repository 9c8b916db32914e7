#include "explain/explained.h"

#include "console/cli.h"
#include "core/text.h"

#include <stdlib.h>

enum { SHOWN_MAX_BYTES = 256 };

int explained_decide(struct decide_query *query, const struct login_facts *logins, struct decision *decision)
{
    query->logins = (struct login_facts){ .state = LOGIN_NOT_ASKED };
    int r = decide(query, decision);
    if (r < 0 || !decision->needs_login)
        return r;
    query->logins = *logins;
    return decide(query, decision);
}

bool explained_is_state(const struct explained *x, const char *state)
{
    return str_is(x->request->attr[ATTR_PROTOCOL_STATE], state);
}

enum reason explained_reason(const struct explained *x)
{
    return reason_by_name(x->explanation->field[EXPLANATION_REASON]);
}

static const struct str *last_note(const struct explained *x, const char *outcome)
{
    for (size_t i = x->explanation->n_notes; i > 0; i--)
        if (str_is(x->explanation->note[i - 1][NOTE_OUTCOME], outcome))
            return x->explanation->note[i - 1];
    return NULL;
}

const struct str *explained_answer(const struct explained *x)
{
    return last_note(x, "decided");
}

const struct str *explained_observed(const struct explained *x)
{
    return last_note(x, "observed");
}

bool explained_is_routed(const struct explained *x)
{
    struct str recipient = mail_trim(x->request->attr[ATTR_RECIPIENT]);
    return mail_is_routed(str_first(recipient, str_find_last(recipient, '@')));
}

bool explained_is_postmaster(const struct explained *x)
{
    static const char name[] = "postmaster";
    struct str recipient = mail_trim(x->request->attr[ATTR_RECIPIENT]);
    size_t i = 0;
    while (i < recipient.n && i < sizeof name - 1 && ascii_lower(recipient.p[i]) == name[i])
        i++;
    return explained_is_state(x, "RCPT") && i == recipient.n && i == sizeof name - 1;
}

bool explained_is_copied(const struct explained *x, struct str *to)
{
    static const struct str verb = STR("BCC ");
    struct str action = x->explanation->field[EXPLANATION_ACTION];
    if (action.n <= verb.n || !str_equal(str_first(action, verb.n), verb))
        return false;
    *to = str_from(action, verb.n);
    return true;
}

/* After an OK, or where permit_sasl_authenticated comes next, Postfix sends on a routed recipient at a domain that it
 * delivers itself. At any other check_recipient_access drops the OK, and without one reject_unauth_destination refuses.
 */
static enum outcome outcome_of_recipient(const struct explained *x, bool ok)
{
    struct str recipient_is = x->explanation->field[EXPLANATION_RECIPIENT_IS];
    bool sasl = x->request->attr[ATTR_SASL_USERNAME].n > 0;
    if (explained_is_routed(x))
        return sasl || (ok && str_is(recipient_is, "local")) ? OUTCOME_RELAYED : OUTCOME_LEFT;
    if (!str_is(recipient_is, "foreign"))
        return OUTCOME_TAKEN;
    return ok || sasl ? OUTCOME_RELAYED : OUTCOME_LEFT;
}

enum outcome explained_outcome(const struct explained *x)
{
    enum reason reason = explained_reason(x);
    struct str action = x->explanation->field[EXPLANATION_ACTION];
    if (explained_is_postmaster(x))
        return OUTCOME_TAKEN;
    if (reason != REASON_NONE)
        return reason == REASON_UNVERIFIED || reason == REASON_UNAVAILABLE ? OUTCOME_DEFERRED : OUTCOME_REFUSED;
    if (str_is(x->request->attr[ATTR_POLICY_CONTEXT], "client"))
        return OUTCOME_OPEN;
    if (explained_is_state(x, "RCPT"))
        return outcome_of_recipient(x, str_is(action, "OK"));
    return explained_is_state(x, "DATA") ? OUTCOME_TAKEN : OUTCOME_OPEN;
}

void explained_put_text(FILE *out, struct str text)
{
    size_t n = 0;
    while (n < text.n && n < SHOWN_MAX_BYTES) {
        size_t wide = text_harmless_length(str_from(text, n));
        n += wide ? wide : 1;
    }
    if (n > 0)
        (void)fwrite(text.p, 1, n, out);
    if (n < text.n)
        fputs("...", out);
}

void explained_put_client(FILE *out, const struct explained *x)
{
    struct str text = x->request->attr[ATTR_CLIENT_ADDRESS];
    struct ip_addr addr;
    char canonical[IP_TEXT_SIZE];
    if (ip_parse(text, &addr)) {
        ip_format(&addr, canonical);
        fputs(canonical, out);
    } else {
        explained_put_text(out, text);
    }
}

void explained_put_sender(FILE *out, const struct explained *x)
{
    explained_put_text(out, mail_trim(x->request->attr[ATTR_SENDER]));
}

void explained_put_recipient(FILE *out, const struct explained *x)
{
    explained_put_text(out, mail_trim(x->request->attr[ATTR_RECIPIENT]));
}

void explained_put_row(FILE *out, const struct str *note)
{
    if (note[NOTE_TABLE].n > 0) {
        fprintf(out, "  [%.*s ", STR_ARGS(note[NOTE_TABLE]));
        cli_put_str(out, note[NOTE_KEY]);
        if (note[NOTE_CLIENT].n > 0) {
            fputs(" from ", out);
            cli_put_str(out, note[NOTE_CLIENT]);
        }
        if (note[NOTE_COLUMN].n > 0 && note[NOTE_VALUE].n > 0) {
            fprintf(out, ", %.*s ", STR_ARGS(note[NOTE_COLUMN]));
            cli_put_str(out, note[NOTE_VALUE]);
        }
        fputs("]", out);
    }
    if (note[NOTE_SETTING].n > 0) {
        fprintf(out, "  [setting %.*s = \"", STR_ARGS(note[NOTE_SETTING]));
        cli_put_str(out, note[NOTE_SETTING_VALUE]);
        fputs("\"]", out);
    }
}

char *explained_text(explained_write *write, const struct explained *x)
{
    char *text = NULL;
    size_t n = 0;
    FILE *out = open_memstream(&text, &n);
    if (!out)
        return NULL;
    write(out, x);
    bool failed = ferror(out) != 0;
    if (fclose(out) != 0 || failed) {
        free(text);
        return NULL;
    }
    return text;
}
