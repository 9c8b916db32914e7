#include "console/rule_check.h"

#include <errno.h>
#include <string.h>

static bool is_one_of(const char *value, const char *one, const char *other)
{
    return strcmp(value, one) == 0 || strcmp(value, other) == 0;
}

/* What the CHECKs of sql/schema.sql ask of a sender. */
static int check_sender(const char *text, struct error *error)
{
    const char *domain = strchr(text, '@') + 1;
    if (domain - text > 1 && (domain[0] == '.' || strchr(domain, '*')))
        return error_set(error, -EINVAL, "\"%s\": an address has one host; for several write @.host or @*suffix", text);
    if (domain - text == 1 && domain[0] && strchr(domain + 1, '*'))
        return error_set(error, -EINVAL, "\"%s\": a * stands right behind the @ only", text);
    return 0;
}

static int check_key(const struct kind *kind, const struct rule_key *key, struct error *error)
{
    if (kind->table == RULE_KILL_ENTRY || kind->table == RULE_ACCEPT_ENTRY)
        return check_sender(key->text, error);
    if (kind->table == RULE_LOCAL_DOMAIN && strpbrk(key->text, "*,"))
        return error_set(error, -EINVAL, "\"%s\" is not one domain; write .example.com for every host below it",
                         key->text);
    return 0;
}

int rule_check(const struct kind *kind, const struct rule_key *key, const char *value, struct error *error)
{
    struct rule_key account;
    int r = check_key(kind, key, error);
    if (r < 0 || !value)
        return r;
    if (kind->table == RULE_RELAY_GRANT && strcmp(value, "refuse") == 0 && !key->is_block)
        return error_set(error, -EINVAL,
                         "\"%s\": a host name cannot be refused, since a client without a name would escape; refuse "
                         "its addresses",
                         key->text);
    if (kind->table == RULE_LOCAL_DOMAIN && !is_one_of(value, "local", "relay"))
        return error_set(error, -EINVAL, "\"%s\" is neither local nor relay", value);
    if (kind->table == RULE_LOCAL_LIST && !is_one_of(value, "yes", "no"))
        return error_set(error, -EINVAL, "remote mail: \"%s\" is neither yes nor no", value);
    if (kind->table == RULE_LOCAL_USER) {
        r = rule_key_parse(&account, RULE_LOCAL_USER, str_of(value), error);
        rule_key_fini(&account);
        r = r < 0 ? error_prefix(error, r, "account") : 0;
    }
    return r;
}

int rule_check_note(struct str note, struct error *error)
{
    for (size_t i = 0; i < note.n; i++)
        if (ascii_is_control(note.p[i]))
            return error_set(error, -EINVAL, "a control character in the note");
    return 0;
}
