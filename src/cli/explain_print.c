#include "cli/explain_print.h"

#include "cli/cli.h"

static void print_row(const struct str *note)
{
    if (note[NOTE_TABLE].n > 0) {
        printf("  [%.*s ", STR_ARGS(note[NOTE_TABLE]));
        cli_put_str(stdout, note[NOTE_KEY]);
        if (note[NOTE_CLIENT].n > 0) {
            fputs(" from ", stdout);
            cli_put_str(stdout, note[NOTE_CLIENT]);
        }
        if (note[NOTE_COLUMN].n > 0 && note[NOTE_VALUE].n > 0) {
            printf(", %.*s ", STR_ARGS(note[NOTE_COLUMN]));
            cli_put_str(stdout, note[NOTE_VALUE]);
        }
        fputs("]", stdout);
    }
    if (note[NOTE_SETTING].n > 0) {
        printf("  [setting %.*s = \"", STR_ARGS(note[NOTE_SETTING]));
        cli_put_str(stdout, note[NOTE_SETTING_VALUE]);
        fputs("\"]", stdout);
    }
}

static void print_note(const struct str *note)
{
    printf("  %2.*s %-14.*s  ", STR_ARGS(note[NOTE_STEP]), STR_ARGS(note[NOTE_NAME]));
    cli_put_str(stdout, note[NOTE_WHY]);
    print_row(note);
    if (str_is(note[NOTE_OUTCOME], "observed"))
        printf("\n%20s would refuse: %.*s (observed, so the next step decides)", "", STR_ARGS(note[NOTE_REASON]));
    else if (note[NOTE_REASON].n > 0)
        printf("\n%20s %.*s", "", STR_ARGS(note[NOTE_REASON]));
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
    cli_put_str(stdout, request->attr[ATTR_PROTOCOL_STATE]);
    for (size_t i = 0; i < sizeof shown / sizeof *shown; i++) {
        if (request->attr[shown[i].attribute].n > 0) {
            fputs(shown[i].label, stdout);
            cli_put_str(stdout, request->attr[shown[i].attribute]);
        }
    }
    fputc('\n', stdout);
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

void explain_print_text(const struct explanation *explanation, const struct request *request, enum login_source source)
{
    print_head(request);
    for (size_t i = 0; i < explanation->n_notes; i++)
        print_note(explanation->note[i]);
    if (explanation->field[EXPLANATION_OBSERVE_ALL].n > 0)
        printf("  observe = all: whatever was found, the answer is DUNNO\n");
    print_logins(explanation, source);
    fputs("  action=", stdout);
    cli_put_str(stdout, explanation->field[EXPLANATION_ACTION]);
    fputc('\n', stdout);
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
    put_pair_json("setting", note[NOTE_SETTING]);
    fputs("}", stdout);
}

void explain_print_json(const struct explanation *explanation, const struct request *request)
{
    const struct str *field = explanation->field;
    fputs(" {\"state\": ", stdout);
    cli_put_json_str(stdout, request->attr[ATTR_PROTOCOL_STATE]);
    fputs(", \"recipient\": ", stdout);
    cli_put_json_str(stdout, request->attr[ATTR_RECIPIENT]);
    fputs(", \"action\": ", stdout);
    cli_put_json_str(stdout, field[EXPLANATION_ACTION]);
    put_pair_json("reason", field[EXPLANATION_REASON]);
    printf(", \"needs_login\": %s", field[EXPLANATION_LOGINS].n > 0 ? "true" : "false");
    put_pair_json("logins", field[EXPLANATION_LOGINS]);
    put_pair_json("login", field[EXPLANATION_LOGIN]);
    fputs(", \"steps\": [", stdout);
    for (size_t i = 0; i < explanation->n_notes; i++) {
        fputs(i ? ",\n  " : "\n  ", stdout);
        print_note_json(explanation->note[i]);
    }
    fputs("]}", stdout);
}
