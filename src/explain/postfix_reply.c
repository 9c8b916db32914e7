#include "explain/postfix_reply.h"

/* Of an action: its verb or code, the enhanced code, and the text. */
struct refusal {
    struct str code, status, text;
};

static struct str next_word(struct str *rest)
{
    struct str word = str_first(*rest, str_find(*rest, ' '));
    *rest = str_from(*rest, word.n < rest->n ? word.n + 1 : word.n);
    return word;
}

/* Postfix makes 554 of REJECT and 450 of DEFER (access_map_reject_code, access_map_defer_code), and keeps a code. */
static struct refusal read_refusal(struct str action)
{
    struct refusal refusal;
    refusal.code = next_word(&action);
    refusal.status = next_word(&action);
    refusal.text = action;
    if (str_is(refusal.code, "REJECT"))
        refusal.code = str_of("554");
    else if (str_is(refusal.code, "DEFER"))
        refusal.code = str_of("450");
    return refusal;
}

static bool is_about_sender(struct str status)
{
    return status.n > 4 && memcmp(status.p + status.n - 4, ".1.7", 4) == 0;
}

/* At RCPT Postfix turns a status about the sender into one about a recipient. */
static void put_status(FILE *out, struct str status, bool is_recipient)
{
    if (is_recipient && is_about_sender(status)) {
        (void)fwrite(status.p, 1, status.n - 1, out);
        fputc('3', out);
    } else {
        explained_put_text(out, status);
    }
}

static void put_refusal(FILE *out, const struct explained *x, struct str subject, const char *what, bool is_recipient)
{
    struct refusal refusal = read_refusal(x->explanation->field[EXPLANATION_ACTION]);
    explained_put_text(out, refusal.code);
    fputc(' ', out);
    put_status(out, refusal.status, is_recipient);
    fputs(" <", out);
    explained_put_text(out, subject);
    fprintf(out, ">: %s rejected: ", what);
    explained_put_text(out, refusal.text);
}

static bool ends_session(const struct explained *x)
{
    struct str action = x->explanation->field[EXPLANATION_ACTION];
    return str_is(next_word(&action), "521");
}

/* Where gatepost has to stand for being asked in this state, beside smtpd_delay_reject = no. */
static const char *early_restrictions(const struct explained *x)
{
    return explained_is_state(x, "MAIL") ? "smtpd_sender_restrictions" : "smtpd_client_restrictions";
}

/* Whatever smtpd_delay_reject is. */
static bool is_asked_late(const struct explained *x)
{
    return explained_is_state(x, "RCPT") || explained_is_state(x, "VRFY") || explained_is_state(x, "ETRN");
}

static bool is_after_message(const struct explained *x)
{
    return explained_is_state(x, "DATA") || explained_is_state(x, "END-OF-MESSAGE");
}

static void write_refused(FILE *out, const struct explained *x)
{
    static const char recipient[] = "Recipient address";
    fputs("answers ", out);
    if (explained_is_state(x, "DATA"))
        put_refusal(out, x, str_of("DATA"), "Data command", false);
    else if (explained_is_state(x, "END-OF-MESSAGE"))
        put_refusal(out, x, str_of("END-OF-MESSAGE"), "End-of-data", false);
    else if (explained_is_state(x, "ETRN"))
        put_refusal(out, x, str_of("the domain"), "Etrn command", false);
    else if (explained_is_state(x, "RCPT") || explained_is_state(x, "VRFY"))
        put_refusal(out, x, mail_trim(x->request->attr[ATTR_RECIPIENT]), recipient, true);
    else
        put_refusal(out, x, str_of("the recipient"), recipient, true);
    if (!is_asked_late(x) && !is_after_message(x))
        fprintf(out, " to each RCPT, and here already with gatepost in %s and smtpd_delay_reject = no",
                early_restrictions(x));
    if (ends_session(x))
        fputs(", and closes the session", out);
}

static void put_relay_denied(FILE *out, const struct explained *x)
{
    fputs("554 5.7.1 <", out);
    explained_put_recipient(out, x);
    fputs(">: Relay access denied", out);
}

static void write_left(FILE *out, const struct explained *x)
{
    if (explained_is_routed(x) && str_is(x->explanation->field[EXPLANATION_ACTION], "OK")) {
        fputs("drops the OK, since check_recipient_access permits no routed recipient at such a domain: ", out);
        put_relay_denied(out, x);
        fputs("; with check_policy_service directly in smtpd_relay_restrictions it counts", out);
        return;
    }
    fputs("refuses it by reject_unauth_destination, ", out);
    put_relay_denied(out, x);
    fputs(explained_is_routed(x) ? "" : ", unless the domain is in mydestination, relay_domains or its like", out);
}

static void write_recipient(FILE *out, const struct explained *x, enum outcome outcome)
{
    if (explained_is_postmaster(x))
        fputs("takes mail to <postmaster> without asking", out);
    else if (outcome == OUTCOME_LEFT)
        write_left(out, x);
    else if (outcome == OUTCOME_RELAYED)
        fputs("permits relaying; smtpd_recipient_restrictions still apply", out);
    else if (str_is(x->explanation->field[EXPLANATION_ACTION], "OK"))
        fputs("permits it; smtpd_recipient_restrictions and the look-up of the recipient still apply", out);
    else
        fputs("goes on: reject_unauth_destination lets its own domains pass, and the recipient is looked up", out);
}

static void write_passed(FILE *out, const struct explained *x)
{
    struct str archive;
    if (explained_is_copied(x, &archive)) {
        fputs("takes the message, with a copy to ", out);
        explained_put_text(out, archive);
    } else if (is_after_message(x)) {
        fputs("takes the message", out);
    } else if (is_asked_late(x)) {
        fputs("goes on", out);
    } else {
        fprintf(out, "goes on; it asks here only with gatepost in %s and smtpd_delay_reject = no",
                early_restrictions(x));
    }
}

void postfix_reply_write(FILE *out, const struct explained *x)
{
    enum outcome outcome = explained_outcome(x);
    bool refused = outcome == OUTCOME_REFUSED || outcome == OUTCOME_DEFERRED;
    if (refused && !explained_is_postmaster(x))
        write_refused(out, x);
    else if (explained_is_state(x, "RCPT") && outcome != OUTCOME_OPEN)
        write_recipient(out, x, outcome);
    else
        write_passed(out, x);
}
