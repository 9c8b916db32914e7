#include "core/settings.h"

#include "core/mail.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define YES_NO                                                                                                         \
    {                                                                                                                  \
        "no", "yes", NULL                                                                                              \
    }
#define TEXT_OF(reason)                                                                                                \
    {                                                                                                                  \
        "text_" reason, SETTING_IS_TEXT, { NULL }, 0, 0, NULL, NULL, NULL                                              \
    }

enum { PORT_MAX = 65535 };

static const struct setting_info infos[SETTING_COUNT] = {
    [SETTING_RELAY_FOR] = { "relay_for",
                            SETTING_IS_CHOICE,
                            { "nobody", "addresses", "local-users", "local-hosts", "anyone", NULL },
                            0,
                            0,
                            "addresses",
                            NULL,
                            "Who may send mail to foreign domains. A ladder, on which each step includes those before "
                            "it: nobody but "
                            "authenticated sessions (SASL, or POP before SMTP); also the clients of relay_grant and "
                            "the senders of "
                            "accept_entry; also senders that are an account in local_user; also senders in a local "
                            "domain; everybody. From "
                            "local-users on, whoever forges such a sender can relay." },
    [SETTING_UNLISTED_CLIENTS] = { "unlisted_clients",
                                   SETTING_IS_CHOICE,
                                   { "grant", "deny", NULL },
                                   0,
                                   0,
                                   "grant",
                                   NULL,
                                   "Whether clients that no row of access_block covers may connect." },
    [SETTING_POP_BEFORE_SMTP] = { "pop_before_smtp",
                                  SETTING_IS_NUMBER,
                                  { NULL },
                                  0,
                                  10080,
                                  "30",
                                  "minutes",
                                  "For how long a POP or IMAP login lets its client address relay; 0 turns that off." },
    [SETTING_POP_BEFORE_SMTP_MATCH] = { "pop_before_smtp_match",
                                        SETTING_IS_CHOICE,
                                        { "sender", "address", NULL },
                                        0,
                                        0,
                                        "sender",
                                        NULL,
                                        "What a login permits: only mail whose sender is the account that logged in or "
                                        "one of its aliases, or any sender "
                                        "at that client address." },
    [SETTING_POP_BEFORE_SMTP_MAX_ACCOUNTS] = { "pop_before_smtp_max_accounts",
                                               SETTING_IS_NUMBER,
                                               { NULL },
                                               0,
                                               1000,
                                               "3",
                                               "accounts",
                                               "With pop_before_smtp_match address: where more accounts than this have "
                                               "logged in from one address, as behind "
                                               "NAT, a proxy or webmail, none of them counts; 0 sets no limit." },
    [SETTING_POP_BEFORE_SMTP_SKIP] = { "pop_before_smtp_skip",
                                       SETTING_IS_BLOCKS,
                                       { NULL },
                                       0,
                                       0,
                                       "127.0.0.0/8 ::1",
                                       NULL,
                                       "Logins from these blocks are not recorded." },
    [SETTING_POP_BEFORE_SMTP_IPV6_PREFIX] = { "pop_before_smtp_ipv6_prefix",
                                              SETTING_IS_NUMBER,
                                              { NULL },
                                              48,
                                              128,
                                              "128",
                                              "bits",
                                              "How much of an IPv6 address a login covers." },
    [SETTING_LOCAL_SENDER_AUTH] = { "local_sender_auth", SETTING_IS_CHOICE, YES_NO, 0, 0, "no", NULL,
                                    "Refuse a sender of a local domain from whoever is neither authenticated nor in "
                                    "relay_grant or accept_entry." },
    [SETTING_REFUSE_NULL_SENDER] = { "refuse_null_sender",
                                     SETTING_IS_CHOICE,
                                     { "no", "yes", "authenticated", NULL },
                                     0,
                                     0,
                                     "no",
                                     NULL,
                                     "Refuse the null sender <>: from everybody, or only from clients with a SASL or "
                                     "mailbox login, which have no "
                                     "bounces to send. Refusing it from everybody loses bounces, against RFC 5321." },
    [SETTING_OBSERVE] = { "observe",
                          SETTING_IS_REASONS,
                          { NULL },
                          0,
                          0,
                          "",
                          NULL,
                          "Reasons that are only logged (would=) and not acted upon: the next step decides. With all, "
                          "everything is "
                          "answered DUNNO." },
    [SETTING_REQUIRE_VALID_SENDER] = { "require_valid_sender", SETTING_IS_CHOICE, YES_NO, 0, 0, "no", NULL,
                                       "Refuse a sender that is not user@host, with a host name or an address literal "
                                       "for the host." },
    [SETTING_REFUSE_ROUTED_RECIPIENT] = { "refuse_routed_recipient", SETTING_IS_CHOICE, YES_NO, 0, 0, "yes", NULL,
                                          "Refuse recipients of a local domain that are routed on by a percent sign, "
                                          "an exclamation mark or a second @ in "
                                          "their local part." },
    [SETTING_RECIPIENT_DELIMITER] = { "recipient_delimiter",
                                      SETTING_IS_DELIMITERS,
                                      { NULL },
                                      0,
                                      0,
                                      "+",
                                      NULL,
                                      "The characters that can separate an address extension from the name, as in "
                                      "Postfix's parameter of that name." },
    [SETTING_LIST_REMOTE_MAIL] = { "list_remote_mail", SETTING_IS_CHOICE, YES_NO, 0, 0, "yes", NULL,
                                   "Whether clients without authorization may send to a local_list whose row does not "
                                   "say." },
    [SETTING_MAX_RECIPIENTS] = { "max_recipients",
                                 SETTING_IS_NUMBER,
                                 { NULL },
                                 0,
                                 INT32_MAX,
                                 "0",
                                 "recipients",
                                 "The most recipients of one outgoing message; 0 sets no limit." },
    [SETTING_SUBMISSION_PORTS] = { "submission_ports",
                                   SETTING_IS_PORTS,
                                   { NULL },
                                   0,
                                   0,
                                   "",
                                   NULL,
                                   "On these server ports clients without SASL are refused; a mailbox login is not "
                                   "enough (RFC 6409)." },
    [SETTING_REFUSE_VRFY] = { "refuse_vrfy", SETTING_IS_CHOICE, YES_NO, 0, 0, "yes", NULL,
                              "Refuse VRFY and ETRN from clients that are neither SASL authenticated nor in "
                              "relay_grant." },
    [SETTING_ARCHIVE_TO] = { "archive_to",
                             SETTING_IS_ADDRESS,
                             { NULL },
                             0,
                             0,
                             "",
                             NULL,
                             "Send a copy of every message of the kind that archive names to this user@domain; empty "
                             "turns that off." },
    [SETTING_ARCHIVE] = { "archive",
                          SETTING_IS_CHOICE,
                          { "all", "inbound", "outbound", NULL },
                          0,
                          0,
                          "all",
                          NULL,
                          "Which messages archive_to gets. Outbound is what a client sends that may relay." },
    [SETTING_REPLY_STYLE] = { "reply_style",
                              SETTING_IS_CHOICE,
                              { "verb", "code", NULL },
                              0,
                              0,
                              "verb",
                              NULL,
                              "Whether a refusal leaves the reply code to Postfix or names one of its own. With code, "
                              "521 also ends the "
                              "session." },
    [SETTING_TEXT + REASON_ACCESS] = TEXT_OF("access"),
    [SETTING_TEXT + REASON_SUBMISSION] = TEXT_OF("submission"),
    [SETTING_TEXT + REASON_VRFY] = TEXT_OF("vrfy"),
    [SETTING_TEXT + REASON_KILL] = TEXT_OF("kill"),
    [SETTING_TEXT + REASON_NULL_SENDER] = TEXT_OF("null_sender"),
    [SETTING_TEXT + REASON_INVALID_SENDER] = TEXT_OF("invalid_sender"),
    [SETTING_TEXT + REASON_LOCAL_SENDER] = TEXT_OF("local_sender"),
    [SETTING_TEXT + REASON_ROUTED] = TEXT_OF("routed"),
    [SETTING_TEXT + REASON_LIST] = TEXT_OF("list"),
    [SETTING_TEXT + REASON_RELAY] = TEXT_OF("relay"),
    [SETTING_TEXT + REASON_UNVERIFIED] = TEXT_OF("unverified"),
    [SETTING_TEXT + REASON_RECIPIENTS] = TEXT_OF("recipients"),
    [SETTING_TEXT + REASON_UNAVAILABLE] = TEXT_OF("unavailable"),
};

const struct setting_info *setting_info(enum setting setting)
{
    return &infos[setting];
}

enum setting setting_by_name(struct str name)
{
    for (int s = 0; s < SETTING_COUNT; s++)
        if (str_is(name, infos[s].name))
            return (enum setting)s;
    return SETTING_NONE;
}

static void describe_choices(const struct setting_info *info, char *text, size_t size)
{
    size_t used = 0;
    text[0] = '\0';
    for (int i = 0; info->choices[i] && used < size; i++) {
        const char *between = i == 0 ? "" : info->choices[i + 1] ? ", " : " or ";
        int n = snprintf(text + used, size - used, "%s%s", between, info->choices[i]);
        used += n > 0 ? (size_t)n : 0;
    }
}

void setting_describe(enum setting setting, char *text, size_t size)
{
    const struct setting_info *info = &infos[setting];
    switch (info->type) {
    case SETTING_IS_CHOICE:
        describe_choices(info, text, size);
        break;
    case SETTING_IS_NUMBER:
        (void)snprintf(text, size, "a number of %s from %u to %u", info->unit, info->min, info->max);
        break;
    case SETTING_IS_BLOCKS:
        (void)snprintf(text, size, "a list of IP blocks");
        break;
    case SETTING_IS_REASONS:
        (void)snprintf(text, size, "a list of reasons but unverified and unavailable, or all alone");
        break;
    case SETTING_IS_PORTS:
        (void)snprintf(text, size, "a list of ports from 1 to %d", PORT_MAX);
        break;
    case SETTING_IS_DELIMITERS:
        (void)snprintf(text, size, "ASCII punctuation, or nothing");
        break;
    case SETTING_IS_ADDRESS:
        (void)snprintf(text, size, "user@domain, or nothing");
        break;
    case SETTING_IS_TEXT:
        (void)snprintf(text, size,
                       "1 to %d bytes without control characters; %%{client}, %%{sender}, %%{recipient}, %%{domain} "
                       "and %%%% are replaced",
                       SETTING_TEXT_MAX_BYTES);
        break;
    }
}

/* The parsers take the value apart and set *number. They return false for what the setting does not take. */
static bool parse_choice(const struct setting_info *info, struct str value, uint32_t *number)
{
    for (uint32_t i = 0; info->choices[i]; i++) {
        if (str_is(value, info->choices[i])) {
            *number = i;
            return true;
        }
    }
    return false;
}

static bool parse_number(const struct setting_info *info, struct str value, uint32_t *number)
{
    unsigned long n;
    if (!str_to_number(value, info->max, &n) || n < info->min || (value.n > 1 && value.p[0] == '0'))
        return false;
    *number = (uint32_t)n;
    return true;
}

static bool parse_blocks(struct str value)
{
    struct str word;
    struct block block;
    while (str_next_word(&value, &word))
        if (block_parse(word, &block, NULL) < 0)
            return false;
    return true;
}

static bool parse_reasons(struct str value, uint32_t *number)
{
    struct str word;
    uint32_t bits = 0;
    while (str_next_word(&value, &word)) {
        enum reason reason = reason_by_name(word);
        if (str_is(word, "all"))
            bits |= OBSERVE_ALL;
        else if (reason == REASON_NONE || reason == REASON_UNVERIFIED || reason == REASON_UNAVAILABLE)
            return false;
        else
            bits |= 1U << reason;
    }
    *number = bits;
    return (bits & OBSERVE_ALL) == 0 || bits == OBSERVE_ALL;
}

static bool parse_ports(struct str value)
{
    struct str word;
    unsigned long port;
    while (str_next_word(&value, &word))
        if (!str_to_number(word, PORT_MAX, &port) || port == 0)
            return false;
    return true;
}

static bool parse_delimiters(struct str value)
{
    static const char punctuation[] = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~";
    for (size_t i = 0; i < value.n; i++)
        if (memchr(punctuation, value.p[i], sizeof punctuation - 1) == NULL)
            return false;
    return true;
}

static bool parse_address(struct str value)
{
    if (value.n == 0)
        return true;
    size_t at = str_find(value, '@');
    if (at == 0 || at == value.n || at != str_find_last(value, '@'))
        return false;
    for (size_t i = 0; i < value.n; i++)
        if (value.p[i] == ' ' || value.p[i] == '<' || value.p[i] == '>' || ascii_is_control(value.p[i]))
            return false;
    struct mail_addr addr;
    bool good = mail_parse_domain(&addr, str_from(value, at + 1)) == 0 &&
                (domain_is_host_name(addr.domain) || domain_is_literal(addr.domain));
    mail_fini(&addr);
    return good;
}

bool text_next_piece(struct str *rest, struct str *literal, struct str *name)
{
    static const char *const names[] = { "client", "sender", "recipient", "domain" };
    *literal = *name = str_make("", 0);
    if (rest->n == 0)
        return false;
    size_t n = 0;
    while (n < rest->n && !(rest->p[n] == '%' && n + 1 < rest->n && (rest->p[n + 1] == '{' || rest->p[n + 1] == '%')))
        n++;
    if (n > 0) {
        *literal = str_first(*rest, n);
        *rest = str_from(*rest, n);
        return true;
    }
    if (rest->p[1] == '%') {
        *literal = str_first(*rest, 1);
        *rest = str_from(*rest, 2);
        return true;
    }
    size_t end = str_find(*rest, '}');
    for (size_t i = 0; end < rest->n && i < sizeof names / sizeof *names; i++) {
        if (str_is(str_make(rest->p + 2, end - 2), names[i])) {
            *name = str_make(rest->p + 2, end - 2);
            *rest = str_from(*rest, end + 1);
            return true;
        }
    }
    return false;
}

static bool parse_text(struct str value)
{
    struct str rest = value, literal, name;
    if (value.n == 0 || value.n > SETTING_TEXT_MAX_BYTES)
        return false;
    for (size_t i = 0; i < value.n; i++)
        if (ascii_is_control(value.p[i]))
            return false;
    while (text_next_piece(&rest, &literal, &name))
        ;
    return rest.n == 0;
}

static bool parse(const struct setting_info *info, struct str value, uint32_t *number)
{
    *number = 0;
    switch (info->type) {
    case SETTING_IS_CHOICE:
        return parse_choice(info, value, number);
    case SETTING_IS_NUMBER:
        return parse_number(info, value, number);
    case SETTING_IS_BLOCKS:
        return parse_blocks(value);
    case SETTING_IS_REASONS:
        return parse_reasons(value, number);
    case SETTING_IS_PORTS:
        return parse_ports(value);
    case SETTING_IS_DELIMITERS:
        return parse_delimiters(value);
    case SETTING_IS_ADDRESS:
        return parse_address(value);
    case SETTING_IS_TEXT:
        return parse_text(value);
    }
    return false;
}

static struct str preset_of(enum setting setting)
{
    return str_of(setting >= SETTING_TEXT ? reasons[setting - SETTING_TEXT].text : infos[setting].preset);
}

void settings_unset(struct settings *settings, enum setting setting)
{
    free(settings->text[setting]);
    settings->text[setting] = NULL;
    (void)parse(&infos[setting], preset_of(setting), &settings->number[setting]);
}

void settings_init(struct settings *settings)
{
    *settings = (struct settings){ 0 };
    for (int s = 0; s < SETTING_COUNT; s++)
        settings_unset(settings, (enum setting)s);
}

void settings_fini(struct settings *settings)
{
    for (int s = 0; s < SETTING_COUNT; s++)
        free(settings->text[s]);
}

static char *copy_text(struct str value)
{
    char *text = malloc(value.n + 1);
    if (!text)
        return NULL;
    memcpy(text, value.p, value.n);
    text[value.n] = '\0';
    return text;
}

int settings_copy(struct settings *settings, const struct settings *others)
{
    for (int s = 0; s < SETTING_COUNT; s++)
        if (others->text[s] && !(settings->text[s] = copy_text(str_of(others->text[s]))))
            return -ENOMEM;
    memcpy(settings->number, others->number, sizeof settings->number);
    return 0;
}

int settings_set(struct settings *settings, enum setting setting, struct str value, struct error *error)
{
    uint32_t number;
    if (str_find(value, '\0') != value.n || !parse(&infos[setting], value, &number)) {
        char wanted[256];
        setting_describe(setting, wanted, sizeof wanted);
        return error_set(error, -EINVAL, "%s: \"%.*s\" is not %s%s", infos[setting].name,
                         value.n > SETTING_TEXT_MAX_BYTES ? SETTING_TEXT_MAX_BYTES / 4 : (int)value.n, value.p,
                         infos[setting].type == SETTING_IS_CHOICE ? "one of " : "", wanted);
    }
    char *text = copy_text(value);
    if (!text)
        return error_set(error, -ENOMEM, "out of memory");
    free(settings->text[setting]);
    settings->text[setting] = text;
    settings->number[setting] = number;
    return 0;
}

struct str settings_text(const struct settings *settings, enum setting setting)
{
    return settings->text[setting] ? str_of(settings->text[setting]) : preset_of(setting);
}

bool settings_has_port(const struct settings *settings, struct str port)
{
    struct str rest = settings_text(settings, SETTING_SUBMISSION_PORTS), word;
    unsigned long wanted, listed;
    if (rest.n == 0 || !str_to_number(port, PORT_MAX, &wanted))
        return false;
    while (str_next_word(&rest, &word))
        if (str_to_number(word, PORT_MAX, &listed) && listed == wanted)
            return true;
    return false;
}

bool settings_skip_login(const struct settings *settings, const struct ip_addr *addr)
{
    struct str rest = settings_text(settings, SETTING_POP_BEFORE_SMTP_SKIP), word;
    struct block block;
    while (str_next_word(&rest, &word))
        if (block_parse(word, &block, NULL) == 0 && block_holds(&block, addr))
            return true;
    return false;
}

struct ip_addr settings_login_addr(const struct settings *settings, const struct ip_addr *addr)
{
    return ip_mask(addr, addr->v6 ? settings->number[SETTING_POP_BEFORE_SMTP_IPV6_PREFIX] : ip_bits(addr));
}
