#include "core/rule_key.h"

#include "core/mail.h"

#include <errno.h>
#include <stdlib.h>

const struct rule_table_info rule_tables[RULE_TABLE_COUNT] = {
    [RULE_SETTING] = { "setting", "name", NULL, "value" },
    [RULE_ACCESS_BLOCK] = { "access_block", "block", NULL, "verdict" },
    [RULE_RELAY_GRANT] = { "relay_grant", "client", NULL, "verdict" },
    [RULE_KILL_ENTRY] = { "kill_entry", "sender", NULL, NULL },
    [RULE_ACCEPT_ENTRY] = { "accept_entry", "sender", "client", NULL },
    [RULE_LOCAL_DOMAIN] = { "local_domain", "domain", NULL, "kind" },
    [RULE_LOCAL_USER] = { "local_user", "address", NULL, "account" },
    [RULE_LOCAL_LIST] = { "local_list", "address", NULL, "remote_mail" },
};

/* Room for the canonical text, which lives as long as the key. */
static bool reserve(struct rule_key *key, size_t n)
{
    if (n <= sizeof key->small)
        key->text = key->small;
    else
        key->text = key->heap = malloc(n);
    return key->text != NULL;
}

/* Sets the canonical text to mark followed by name, and the name to the part after the mark. */
static int set_name(struct rule_key *key, enum name_kind kind, const char *mark, struct str name, struct error *error)
{
    size_t mark_n = strlen(mark);
    if (!reserve(key, mark_n + name.n + 1))
        return error_set(error, -ENOMEM, "out of memory");
    memcpy(key->text, mark, mark_n);
    memcpy(key->text + mark_n, name.p, name.n);
    key->text[mark_n + name.n] = '\0';
    key->kind = kind;
    key->name = str_make(key->text + mark_n, name.n);
    return 0;
}

static int parse_block(struct rule_key *key, struct str text, struct error *error)
{
    int r = block_parse(text, &key->block, error);
    if (r < 0)
        return r;
    key->is_block = true;
    (void)reserve(key, BLOCK_TEXT_SIZE);
    block_format(&key->block, key->text);
    return 0;
}

/* A domain as compared, with the mark of its kind. */
static int parse_domain(struct rule_key *key, enum name_kind kind, const char *mark, struct str domain,
                        struct str whole, struct error *error)
{
    struct mail_addr addr;
    int r = mail_parse_domain(&addr, domain);
    if (r < 0)
        error_set(error, r, "out of memory");
    else if (addr.domain.n == 0)
        r = error_set(error, -EINVAL, "\"%.*s\" names no domain", STR_ARGS(whole));
    else
        r = set_name(key, kind, mark, addr.domain, error);
    mail_fini(&addr);
    return r;
}

static bool last_label_is_digits(struct str name)
{
    struct str label = str_from(name, str_find_last(name, '.') == name.n ? 0 : str_find_last(name, '.') + 1);
    for (size_t i = 0; i < label.n; i++)
        if (!ascii_is_digit(label.p[i]))
            return false;
    return true;
}

static int parse_host(struct rule_key *key, struct str text, struct error *error)
{
    bool below = text.n > 0 && text.p[0] == '.';
    struct str name = str_from(text, below ? 1 : 0);
    int r = -EINVAL;
    if (str_find(name, ' ') == name.n)
        r = parse_domain(key, below ? NAME_BELOW : NAME_DOMAIN, below ? "." : "", name, text, NULL);
    if (r == -ENOMEM)
        return error_set(error, r, "out of memory");
    if (r < 0 || !domain_is_host_name(key->name) || last_label_is_digits(key->name) || str_is(key->name, "unknown"))
        return error_set(error, -EINVAL,
                         "\"%.*s\" is neither a block nor a host name: write e.g. 192.0.2.0/24, "
                         "mail.example.net or .example.net",
                         STR_ARGS(text));
    return 0;
}

/* A suffix is a piece of text, not a domain: a dot in front stays, and labels are converted where it begins with one.
 */
static int parse_suffix(struct rule_key *key, struct str suffix, struct str whole, struct error *error)
{
    return suffix.n > 0 && suffix.p[0] == '.' ? parse_domain(key, NAME_SUFFIX, "@*.", str_from(suffix, 1), whole, error)
                                              : parse_domain(key, NAME_SUFFIX, "@*", suffix, whole, error);
}

static int parse_address(struct rule_key *key, struct str text, struct error *error)
{
    struct mail_addr addr;
    int r = mail_parse(&addr, text, MAIL_AS_SENT);
    if (r < 0) {
        error_set(error, r, "out of memory");
    } else if (addr.local.n == 0 || addr.domain.n == 0) {
        r = error_set(error, -EINVAL, "\"%.*s\" has nothing %s its @", STR_ARGS(text),
                      addr.local.n == 0 ? "in front of" : "after");
    } else {
        r = set_name(key, NAME_ADDRESS, "", addr.whole, error);
        key->local_n = addr.local.n;
    }
    mail_fini(&addr);
    return r;
}

static int check_one_at(struct str text, struct error *error)
{
    size_t at = str_find(text, '@');
    if (at == text.n)
        return error_set(error, -EINVAL,
                         "\"%.*s\" has no @: write user@host, @host, @.host for every host below it, or "
                         "@*suffix",
                         STR_ARGS(text));
    if (at != str_find_last(text, '@'))
        return error_set(error, -EINVAL, "\"%.*s\" has more than one @", STR_ARGS(text));
    return 0;
}

static int parse_pattern(struct rule_key *key, struct str text, struct error *error)
{
    int r = check_one_at(text, error);
    if (r < 0)
        return r;
    if (text.p[0] != '@')
        return parse_address(key, text, error);
    struct str host = str_from(text, 1);
    if (host.n > 0 && host.p[0] == '*') {
        r = parse_suffix(key, str_from(host, 1), text, error);
        if (r == 0) /* the dot of "@*." belongs to the suffix */
            key->name = str_of(key->text + 2);
        return r;
    }
    if (host.n > 0 && host.p[0] == '.')
        return parse_domain(key, NAME_BELOW, "@.", str_from(host, 1), text, error);
    return parse_domain(key, NAME_DOMAIN, "@", host, text, error);
}

static int parse_local_domain(struct rule_key *key, struct str text, struct error *error)
{
    if (str_find(text, '@') != text.n)
        return error_set(error, -EINVAL, "\"%.*s\" is an address, not a domain", STR_ARGS(text));
    if (text.n > 0 && text.p[0] == '.')
        return parse_domain(key, NAME_BELOW, ".", str_from(text, 1), text, error);
    return parse_domain(key, NAME_DOMAIN, "", text, text, error);
}

static int parse_user(struct rule_key *key, struct str text, struct error *error)
{
    size_t at = str_find(text, '@');
    if (at != str_find_last(text, '@'))
        return error_set(error, -EINVAL, "\"%.*s\" has more than one @", STR_ARGS(text));
    if (at != text.n)
        return parse_address(key, text, error);

    struct mail_addr addr;
    int r = mail_parse(&addr, text, MAIL_AS_SENT);
    if (r < 0)
        error_set(error, r, "out of memory");
    else if (addr.local.n == 0)
        r = error_set(error, -EINVAL, "an empty address");
    else
        r = set_name(key, NAME_LOCAL, "", addr.local, error);
    mail_fini(&addr);
    return r;
}

int rule_key_parse(struct rule_key *key, enum rule_table table, struct str text, struct error *error)
{
    key->is_block = false;
    key->local_n = 0;
    key->text = key->heap = NULL;
    for (size_t i = 0; i < text.n; i++)
        if (ascii_is_control(text.p[i]))
            return error_set(error, -EINVAL, "a control character in \"%.*s\"", (int)i, text.p);
    switch (table) {
    case RULE_ACCESS_BLOCK:
        return parse_block(key, text, error);
    case RULE_RELAY_GRANT:
        return block_is_meant(text) ? parse_block(key, text, error) : parse_host(key, text, error);
    case RULE_KILL_ENTRY:
    case RULE_ACCEPT_ENTRY:
        return parse_pattern(key, text, error);
    case RULE_LOCAL_DOMAIN:
        return parse_local_domain(key, text, error);
    case RULE_LOCAL_USER:
    case RULE_LOCAL_LIST:
        return parse_user(key, text, error);
    case RULE_SETTING:
    case RULE_TABLE_COUNT:
        break;
    }
    return error_set(error, -EINVAL, "no table of rules");
}

void rule_key_fini(struct rule_key *key)
{
    free(key->heap);
    key->text = key->heap = NULL;
}
