#include "explain/explain_print.h"

#include "console/cli.h"
#include "console/paint.h"
#include "explain/conclusion.h"
#include "explain/postfix_reply.h"
#include "explain/remedy.h"

#include <stdlib.h>

static enum paint paint_of_outcome(enum outcome outcome)
{
    switch (outcome) {
    case OUTCOME_TAKEN:
    case OUTCOME_RELAYED:
        return PAINT_GOOD;
    case OUTCOME_LEFT:
        return PAINT_WARNING;
    case OUTCOME_DEFERRED:
    case OUTCOME_REFUSED:
        return PAINT_BAD;
    case OUTCOME_OPEN:
        break;
    }
    return PAINT_STRONG;
}

static enum paint paint_of_note(const struct str *note, enum outcome outcome)
{
    if (str_is(note[NOTE_OUTCOME], "passed"))
        return PAINT_FAINT;
    return str_is(note[NOTE_OUTCOME], "observed") ? PAINT_WARNING : paint_of_outcome(outcome);
}

/* What follows the step on a line of its own; empty for most. */
static void print_reason(const struct str *note, enum paint color)
{
    if (note[NOTE_REASON].n == 0)
        return;
    printf("%s%20s ", paint(stdout, color), "");
    if (str_is(note[NOTE_OUTCOME], "observed"))
        printf("would refuse: %.*s (observed, so the next step decides)", STR_ARGS(note[NOTE_REASON]));
    else
        printf("%.*s", STR_ARGS(note[NOTE_REASON]));
    printf("%s\n", paint(stdout, PAINT_OFF));
}

static void print_note(const struct str *note, enum outcome outcome)
{
    enum paint color = paint_of_note(note, outcome);
    fputs(paint(stdout, color), stdout);
    printf("  %2.*s %-14.*s  ", STR_ARGS(note[NOTE_STEP]), STR_ARGS(note[NOTE_NAME]));
    cli_put_str(stdout, note[NOTE_WHY]);
    explained_put_row(stdout, note);
    printf("%s\n", paint(stdout, PAINT_OFF));
    print_reason(note, color);
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
    fputs(paint(stdout, PAINT_STRONG), stdout);
    cli_put_str(stdout, request->attr[ATTR_PROTOCOL_STATE]);
    for (size_t i = 0; i < sizeof shown / sizeof *shown; i++) {
        if (request->attr[shown[i].attribute].n > 0) {
            fputs(shown[i].label, stdout);
            cli_put_str(stdout, request->attr[shown[i].attribute]);
        }
    }
    printf("%s\n", paint(stdout, PAINT_OFF));
}

/* How what was sent is read, where that is not as it stands there. */

static void print_client_reading(const struct explained *x)
{
    struct str text = x->request->attr[ATTR_CLIENT_ADDRESS];
    struct ip_addr addr;
    char canonical[IP_TEXT_SIZE];
    if (!ip_parse(text, &addr)) {
        fputs("     the client is no IP address: no block and no login counts for it\n", stdout);
        return;
    }
    ip_format(&addr, canonical);
    if (!str_is(text, canonical))
        printf("     the client is compared as %s\n", canonical);
}

static void print_address_reading(struct str text, enum mail_reading reading, const char *what, const char *when_bare)
{
    struct mail_addr addr;
    if (mail_trim(text).n > 0 && mail_parse(&addr, text, reading) == 0) {
        if (!str_equal(text, addr.whole)) {
            printf("     the %s is compared as ", what);
            cli_put_str(stdout, addr.whole);
            fputc('\n', stdout);
        }
        if (addr.domain.n == 0)
            printf("     the %s has no domain%s\n", what, when_bare);
        mail_fini(&addr);
    }
}

static void print_reading(const struct explained *x)
{
    print_client_reading(x);
    print_address_reading(x->request->attr[ATTR_SENDER], MAIL_AS_REWRITTEN, "sender",
                          ": Postfix appends our own, so it is a local one");
    print_address_reading(x->request->attr[ATTR_RECIPIENT], MAIL_AS_SENT, "recipient", ", and so is one of ours");
}

static void print_logins(const struct explanation *explanation, enum login_source source)
{
    const struct str *field = explanation->field;
    if (field[EXPLANATION_LOGINS].n == 0)
        return;
    fputs("  The answer depends on a recent mailbox login from this address: ", stdout);
    if (field[EXPLANATION_LOGIN].n > 0) {
        fputs("that of ", stdout);
        cli_put_str(stdout, field[EXPLANATION_LOGIN]);
        fputs(source == LOGIN_PRETENDED ? ", pretended, counts.\n" : " counts.\n", stdout);
    } else if (field[EXPLANATION_TOO_MANY_ACCOUNTS].n > 0) {
        printf("%.*s accounts have logged in there, which is too many for any to count.\n",
               STR_ARGS(field[EXPLANATION_TOO_MANY_ACCOUNTS]));
    } else if (str_is(field[EXPLANATION_LOGINS], "unavailable")) {
        fputs("the login records are unavailable.\n", stdout);
    } else if (source == LOGIN_ASSUMED_NONE) {
        fputs("none is assumed; --login USER pretends one, --live asks the daemon.\n", stdout);
    } else {
        fputs(source == LOGIN_PRETENDED ? "the pretended one does not count.\n" : "none that counts is on record.\n",
              stdout);
    }
}

static void print_postfix(const struct explained *x)
{
    char *text = explained_text(postfix_reply_write, x);
    if (text) {
        fputs("  Postfix ", stdout);
        cli_put(stdout, text);
        fputc('\n', stdout);
    }
    free(text);
}

void explain_print_text(const struct explained *x)
{
    const struct explanation *explanation = x->explanation;
    enum outcome outcome = explained_outcome(x);
    print_head(x->request);
    print_reading(x);
    for (size_t i = 0; i < explanation->n_notes; i++)
        print_note(explanation->note[i], outcome);
    if (explanation->field[EXPLANATION_OBSERVE_ALL].n > 0)
        printf("  observe = all: whatever was found, the answer is DUNNO\n");
    print_logins(explanation, x->source);
    printf("  %saction=", paint(stdout, paint_of_outcome(outcome)));
    cli_put_str(stdout, explanation->field[EXPLANATION_ACTION]);
    printf("%s\n", paint(stdout, PAINT_OFF));
    print_postfix(x);
}

static void put_pair_json(const char *name, struct str value)
{
    printf(", \"%s\": ", name);
    if (value.n > 0)
        cli_put_json_str(stdout, value);
    else
        fputs("null", stdout);
}

static void print_note_json(const struct str *note)
{
    printf("{\"step\": %.*s", STR_ARGS(note[NOTE_STEP]));
    put_pair_json("name", note[NOTE_NAME]);
    put_pair_json("outcome", note[NOTE_OUTCOME]);
    put_pair_json("why", note[NOTE_WHY]);
    put_pair_json("reason", note[NOTE_REASON]);
    put_pair_json("table", note[NOTE_TABLE]);
    put_pair_json("key", note[NOTE_KEY]);
    put_pair_json("client", note[NOTE_CLIENT]);
    put_pair_json("value", note[NOTE_VALUE]);
    put_pair_json("setting", note[NOTE_SETTING]);
    put_pair_json("setting_value", note[NOTE_SETTING_VALUE]);
    fputs("}", stdout);
}

static void put_text_json(const char *name, explained_write *write, const struct explained *x)
{
    char *text = explained_text(write, x);
    put_pair_json(name, str_of(text));
    free(text);
}

/* The lines of the text as an array. */
static void put_lines_json(const char *name, explained_write *write, const struct explained *x)
{
    char *text = explained_text(write, x);
    struct str rest = str_of(text);
    printf(", \"%s\": [", name);
    for (bool first = true; rest.n > 0; first = false) {
        struct str line = str_first(rest, str_find(rest, '\n'));
        fputs(first ? "" : ", ", stdout);
        cli_put_json_str(stdout, line);
        rest = str_from(rest, line.n < rest.n ? line.n + 1 : line.n);
    }
    fputc(']', stdout);
    free(text);
}

static const char *outcome_name(enum outcome outcome)
{
    static const char *const names[] = {
        [OUTCOME_OPEN] = "open",         [OUTCOME_TAKEN] = "taken",
        [OUTCOME_RELAYED] = "relayed",   [OUTCOME_LEFT] = "left to Postfix",
        [OUTCOME_DEFERRED] = "deferred", [OUTCOME_REFUSED] = "refused",
    };
    return names[outcome];
}

void explain_print_json(const struct explained *x)
{
    const struct explanation *explanation = x->explanation;
    const struct str *field = explanation->field;
    fputs(" {\"state\": ", stdout);
    cli_put_json_str(stdout, x->request->attr[ATTR_PROTOCOL_STATE]);
    fputs(", \"recipient\": ", stdout);
    cli_put_json_str(stdout, x->request->attr[ATTR_RECIPIENT]);
    fputs(", \"action\": ", stdout);
    cli_put_json_str(stdout, field[EXPLANATION_ACTION]);
    put_pair_json("reason", field[EXPLANATION_REASON]);
    printf(", \"needs_login\": %s", field[EXPLANATION_LOGINS].n > 0 ? "true" : "false");
    put_pair_json("logins", field[EXPLANATION_LOGINS]);
    put_pair_json("login", field[EXPLANATION_LOGIN]);
    put_text_json("client", explained_put_client, x);
    put_pair_json("sender", x->request->attr[ATTR_SENDER]);
    put_pair_json("outcome", str_of(outcome_name(explained_outcome(x))));
    put_text_json("postfix", postfix_reply_write, x);
    put_lines_json("change", remedy_write, x);
    put_text_json("sentence", conclusion_write_one, x);
    fputs(", \"steps\": [", stdout);
    for (size_t i = 0; i < explanation->n_notes; i++) {
        fputs(i ? ",\n  " : "\n  ", stdout);
        print_note_json(explanation->note[i]);
    }
    fputs("]}", stdout);
}
