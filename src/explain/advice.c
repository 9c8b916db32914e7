#include "explain/advice.h"

static struct str attr_of(const struct explained *x, enum attribute attribute)
{
    return x->request->attr[attribute];
}

static struct str field_of(const struct explained *x, enum explanation_field field)
{
    return x->explanation->field[field];
}

/* The client as a user knows it. */
static void put_client(FILE *out, const struct explained *x)
{
    struct ip_addr addr;
    if (ip_parse(attr_of(x, ATTR_CLIENT_ADDRESS), &addr))
        explained_put_client(out, x);
    else
        fputs("the computer that sends it", out);
}

/* A mailbox login would do as well. */
static bool would_login_help(const struct explained *x)
{
    return field_of(x, EXPLANATION_LOGINS).n > 0 && field_of(x, EXPLANATION_TOO_MANY_ACCOUNTS).n == 0;
}

static void put_log_in(FILE *out, const struct explained *x)
{
    if (field_of(x, EXPLANATION_TOO_MANY_ACCOUNTS).n > 0) {
        fputs("; reading mail first does not help, since more people than we allow read theirs from there", out);
        fputs("; log in with your mailbox password (SMTP AUTH), then send", out);
        return;
    }
    fputs("; log in with your mailbox password (SMTP AUTH)", out);
    fputs(would_login_help(x) ? " or read your mail first, then send" : ", then send", out);
}

/* The causes: each the words that follow "because". */

struct cause {
    const struct explained *x;
    const struct str *note; /* of the step that refused */
};

static void access_cause(FILE *out, const struct cause *cause)
{
    fputs("our server takes no connection from ", out);
    put_client(out, cause->x);
    fputs("; send it by another network, or ask us to let that address in", out);
}

static void submission_cause(FILE *out, const struct cause *cause)
{
    fputs("port ", out);
    explained_put_text(out, attr_of(cause->x, ATTR_SERVER_PORT));
    fputs(" of our server is only for those who log in; switch on authentication (SMTP AUTH) with your mailbox password"
          " in your mail program, then send",
          out);
}

static void vrfy_cause(FILE *out, const struct cause *cause)
{
    if (explained_is_state(cause->x, "ETRN")) {
        put_client(out, cause->x);
        fputs(" is not among those that may fetch waiting mail here; ask us to let it", out);
    } else {
        fputs("our server does not tell strangers which addresses there are; just send your mail", out);
    }
}

static void kill_cause(FILE *out, const struct cause *cause)
{
    fputs("we take no mail from the sender ", out);
    explained_put_sender(out, cause->x);
    fputs("; if you think that is a mistake, tell us from another address or by telephone", out);
}

static void null_sender_cause(FILE *out, const struct cause *cause)
{
    bool known = str_is(cause->note[NOTE_SETTING_VALUE], "authenticated");
    fputs("it has no sender address, as only automatic reports have", out);
    fputs(known ? ", and you are logged in" : "", out);
    fputs("; set your own address as the sender in your mail program, then send", out);
}

static void invalid_sender_cause(FILE *out, const struct cause *cause)
{
    fputs("its sender address \"", out);
    explained_put_sender(out, cause->x);
    fputs("\" is not a whole one; write it as name@domain in the settings of your mail program, then send", out);
}

static void local_sender_cause(FILE *out, const struct cause *cause)
{
    fputs("its sender ", out);
    explained_put_sender(out, cause->x);
    fputs(" is one of our own addresses, and whoever sent it from ", out);
    put_client(out, cause->x);
    fputs(" had not logged in", out);
    put_log_in(out, cause->x);
}

static void routed_cause(FILE *out, const struct cause *cause)
{
    explained_put_recipient(out, cause->x);
    fputs(" asks our server to send it on to somewhere else, which we do not; write to the address it is meant for",
          out);
}

static void list_cause(FILE *out, const struct cause *cause)
{
    explained_put_recipient(out, cause->x);
    fputs(" is a list to which only our own users may write", out);
    put_log_in(out, cause->x);
}

static void relay_cause(FILE *out, const struct cause *cause)
{
    put_client(out, cause->x);
    fputs(" is not allowed to send to other domains through this server", out);
    put_log_in(out, cause->x);
}

static void unverified_cause(FILE *out, const struct cause *cause)
{
    fputs("the host name of ", out);
    put_client(out, cause->x);
    fputs(" could not be checked just now; it is tried again by itself, and if that does not help, whoever runs that"
          " host must make its name and its address point to each other in DNS",
          out);
}

static void recipients_cause(FILE *out, const struct cause *cause)
{
    fputs("it has ", out);
    explained_put_text(out, attr_of(cause->x, ATTR_RECIPIENT_COUNT));
    fputs(" recipients, and we send on no more than ", out);
    explained_put_text(out, cause->note[NOTE_SETTING_VALUE]);
    fputs(" at once; send it to fewer at a time", out);
}

static void unavailable_cause(FILE *out, const struct cause *cause)
{
    fputs("our server cannot find out just now whether mail was read from ", out);
    put_client(out, cause->x);
    fputs(" before; try again in a few minutes, or log in with your mailbox password (SMTP AUTH)", out);
}

static void put_cause(FILE *out, const struct explained *x, enum reason reason, const struct str *note)
{
    static void (*const causes[REASON_COUNT])(FILE *, const struct cause *) = {
        [REASON_ACCESS] = access_cause,
        [REASON_SUBMISSION] = submission_cause,
        [REASON_VRFY] = vrfy_cause,
        [REASON_KILL] = kill_cause,
        [REASON_NULL_SENDER] = null_sender_cause,
        [REASON_INVALID_SENDER] = invalid_sender_cause,
        [REASON_LOCAL_SENDER] = local_sender_cause,
        [REASON_ROUTED] = routed_cause,
        [REASON_LIST] = list_cause,
        [REASON_RELAY] = relay_cause,
        [REASON_UNVERIFIED] = unverified_cause,
        [REASON_RECIPIENTS] = recipients_cause,
        [REASON_UNAVAILABLE] = unavailable_cause,
    };
    causes[reason](out, &(struct cause){ x, note });
}

/* Why it may be sent on, after "since". */
static void put_right(FILE *out, const struct explained *x, const struct str *note)
{
    if (attr_of(x, ATTR_SASL_USERNAME).n > 0) {
        fputs("you logged in with your mailbox password", out);
    } else if (field_of(x, EXPLANATION_LOGIN).n > 0) {
        explained_put_text(out, field_of(x, EXPLANATION_LOGIN));
        fputs(" has read mail from ", out);
        put_client(out, x);
        fputs(" not long ago", out);
    } else if (str_is(note[NOTE_TABLE], rule_tables[RULE_RELAY_GRANT].name)) {
        put_client(out, x);
        fputs(" is allowed to send to other domains through this server", out);
    } else if (note[NOTE_TABLE].n > 0) {
        fputs("mail from ", out);
        explained_put_sender(out, x);
        fputs(" is allowed to go to other domains through this server", out);
    } else {
        fputs("anybody may send to other domains through this server", out);
    }
}

static void put_left(FILE *out, const struct explained *x)
{
    if (explained_is_routed(x)) {
        fputs(
            "is most likely refused with \"Relay access denied\", because the address asks our server to send it on to"
            " somewhere else; write to the address it is meant for",
            out);
        return;
    }
    fputs("is taken only if that domain is one of ours, and else refused with \"Relay access denied\", because ", out);
    if (field_of(x, EXPLANATION_OBSERVE_ALL).n > 0) {
        fputs("our rules permit nothing while we try them out", out);
        put_log_in(out, x);
    } else {
        relay_cause(out, &(struct cause){ x, NULL });
    }
}

static void put_taken(FILE *out, const struct explained *x)
{
    struct str archive;
    if (explained_is_copied(x, &archive))
        fputs("is taken, and a copy of it is kept in our archive", out);
    else
        fputs(explained_is_state(x, "DATA") ? "is taken" : "is taken, provided that there is such an address", out);
}

static void put_outcome(FILE *out, const struct explained *x, const struct str *answer)
{
    switch (explained_outcome(x)) {
    case OUTCOME_OPEN:
        fputs(advice_subject(x) ? "was not refused" : "meets with no objection so far", out);
        break;
    case OUTCOME_TAKEN:
        put_taken(out, x);
        break;
    case OUTCOME_RELAYED:
        fputs("is taken and sent on, since ", out);
        put_right(out, x, answer);
        break;
    case OUTCOME_LEFT:
        put_left(out, x);
        break;
    case OUTCOME_DEFERRED:
        fputs("is put off, and not lost, because ", out);
        put_cause(out, x, explained_reason(x), answer);
        break;
    case OUTCOME_REFUSED:
        fputs("was refused because ", out);
        put_cause(out, x, explained_reason(x), answer);
        break;
    }
}

/* It will be refused once the rule is in force, and not so already by Postfix itself. */
static bool is_threatened(const struct explained *x, enum reason observed)
{
    enum outcome outcome = explained_outcome(x);
    if (outcome == OUTCOME_LEFT)
        return observed != REASON_RELAY && observed != REASON_ROUTED;
    return outcome < OUTCOME_LEFT;
}

void advice_write(FILE *out, const struct explained *x)
{
    const struct str *answer = explained_answer(x), *observed = explained_observed(x);
    if (!answer)
        return;
    put_outcome(out, x, answer);
    enum reason reason = observed ? reason_by_name(observed[NOTE_REASON]) : REASON_NONE;
    if (reason != REASON_NONE && is_threatened(x, reason)) {
        fputs("; but once a rule that we still try out is in force, it will be refused because ", out);
        put_cause(out, x, reason, observed);
    }
    fputc('.', out);
}

const char *advice_subject(const struct explained *x)
{
    return explained_is_state(x, "VRFY")   ? "Your question for an address"
           : explained_is_state(x, "ETRN") ? "Your request for waiting mail"
                                           : NULL;
}

void advice_write_recipients(FILE *out, const struct str *recipients, size_t n)
{
    enum { NAMED_MAX = 5 };
    size_t named = n <= NAMED_MAX ? n : NAMED_MAX - 1;
    for (size_t i = 0; i < named; i++) {
        fputs(i == 0 ? "" : i + 1 < n ? ", " : " and ", out);
        explained_put_text(out, mail_trim(recipients[i]));
    }
    if (named < n)
        fprintf(out, " and %zu others", n - named);
}
