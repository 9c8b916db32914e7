#include "load_request.h"

#include <stdio.h>
#include <string.h>

/* Logins in an IPv6 network, and a number without a common divisor, by steps of which each of them comes once. */
enum { NET_LOGINS = 60000, STRIDE = 7919 };

enum { ADDRESS_SIZE = 48, MAIL_SIZE = 48 };

static const char *const names[LOAD_KIND_COUNT] = {
    [LOAD_EVENTS] = "events",     [LOAD_KNOWN] = "known", [LOAD_STRANGERS] = "strangers",
    [LOAD_NEEDLESS] = "needless", [LOAD_RULES] = "rules",
};

uint64_t load_rules_rows = 1000;

bool load_kind_parse(const char *name, enum load_kind *kind)
{
    for (int i = 0; i < LOAD_KIND_COUNT; i++) {
        if (strcmp(name, names[i]) == 0) {
            *kind = (enum load_kind)i;
            return true;
        }
    }
    return false;
}

/* IPv4 has too few documentation addresses. Each is as RFC 5952 writes it. */
static void write_login(enum load_kind kind, uint64_t number, char address[ADDRESS_SIZE], char user[MAIL_SIZE])
{
    unsigned net = 1 + (unsigned)(number / NET_LOGINS % 0xffff);
    unsigned host = 1 + (unsigned)(number * STRIDE % NET_LOGINS);
    (void)snprintf(address, ADDRESS_SIZE, "2001:db8:%u:%x::%x", kind == LOAD_STRANGERS ? 2U : 1U, net, host);
    (void)snprintf(user, MAIL_SIZE, "user%u.%u@example.com", net, host);
}

static size_t write_event(uint64_t number, char text[LOAD_REQUEST_MAX_BYTES])
{
    char address[ADDRESS_SIZE], user[MAIL_SIZE];
    write_login(LOAD_EVENTS, number, address, user);
    return (size_t)snprintf(text, LOAD_REQUEST_MAX_BYTES,
                            "request=gatepost_login\nuser=%s\nclient_address=%s\nservice=imap\n\n", user, address);
}

/* All that Postfix 3.7 sends at RCPT. */
static size_t write_named(uint64_t number, const char *client, const char *name, const char *sender,
                          const char *recipient, char text[LOAD_REQUEST_MAX_BYTES])
{
    return (size_t)snprintf(
        text, LOAD_REQUEST_MAX_BYTES,
        "request=smtpd_access_policy\nprotocol_state=RCPT\nprotocol_name=ESMTP\nclient_address=%s\n"
        "client_name=%s\nclient_port=41505\nreverse_client_name=unknown\nserver_address=127.0.0.1\n"
        "server_port=25\nhelo_name=client.example.net\nsender=%s\nrecipient=%s\nrecipient_count=0\nqueue_id=\n"
        "instance=3500.6b04a56f.%llx.0\nsize=0\netrn_domain=\nstress=\nsasl_method=\nsasl_username=\nsasl_sender=\n"
        "ccert_subject=\nccert_issuer=\nccert_fingerprint=\nccert_pubkey_fingerprint=\nencryption_protocol=\n"
        "encryption_cipher=\nencryption_keysize=0\npolicy_context=\n\n",
        client, name, sender, recipient, (unsigned long long)number);
}

static size_t write_rcpt(uint64_t number, const char *client, const char *sender, const char *recipient,
                         char text[LOAD_REQUEST_MAX_BYTES])
{
    return write_named(number, client, "unknown", sender, recipient, text);
}

static size_t write_relaying(enum load_kind kind, uint64_t number, char text[LOAD_REQUEST_MAX_BYTES])
{
    char address[ADDRESS_SIZE], user[MAIL_SIZE];
    write_login(kind, number, address, user);
    return write_rcpt(number, address, user, "friend@example.org", text);
}

static size_t write_needless(uint64_t number, char text[LOAD_REQUEST_MAX_BYTES])
{
    char client[ADDRESS_SIZE];
    unsigned host = 1 + (unsigned)(number / 2 % 254);
    bool is_local = number % 2 == 0;
    (void)snprintf(client, sizeof client, is_local ? "198.51.100.%u" : "192.0.2.%u", host);
    return write_rcpt(number, client, "fred@example.net", is_local ? "bob@example.com" : "friend@example.org", text);
}

/* Which row a request is about, all over the table; of those that are `which` of four. */
static uint64_t row_of(uint64_t number, unsigned which)
{
    uint64_t row = number * UINT64_C(0x9e3779b97f4a7c15) >> 20;
    return load_rules_rows < 4 ? which : row % (load_rules_rows / 4) * 4 + which;
}

static void format_v4(uint64_t bits, char text[ADDRESS_SIZE])
{
    (void)snprintf(text, ADDRESS_SIZE, "%u.%u.%u.%u", (unsigned)(bits >> 24), (unsigned)(bits >> 16 & 255),
                   (unsigned)(bits >> 8 & 255), (unsigned)(bits & 255));
}

/* The formulas are those of make-rules. */
static size_t write_rules(uint64_t number, char text[LOAD_REQUEST_MAX_BYTES])
{
    enum { KINDS = 10, V4_STEP = 9176263 };
    static const uint64_t v6_step = 2654435761;
    char client[ADDRESS_SIZE], name[MAIL_SIZE] = "unknown", sender[2 * MAIL_SIZE];
    const char *recipient = "friend@example.org";
    uint64_t row = row_of(number, 0), v6 = row * v6_step & 0xffffffff;
    format_v4(UINT64_C(198) << 24 | 51 << 16 | 100 << 8 | (number & 255), client); /* in no table */
    (void)snprintf(sender, sizeof sender, "someone%llu@nowhere.example.net", (unsigned long long)row);
    switch (number % KINDS) {
    case 0: /* denied */
        format_v4(UINT64_C(10) << 24 | (row * V4_STEP & 0xffffff), client);
        break;
    case 1:
        v6 = row_of(number, 3) * v6_step & 0xffffffff;
        (void)snprintf(client, sizeof client, "2001:db8:%x:%x::25", (unsigned)(v6 >> 17), (unsigned)(v6 & 0xffff));
        break;
    case 2: /* may relay */
        row = row * V4_STEP & 0xfffff;
        format_v4(UINT64_C(172) << 24 | (16 + (row >> 16)) << 16 | (row & 0xffff), client);
        break;
    case 3:
        (void)snprintf(name, sizeof name, "mail%llu.host.example.net", (unsigned long long)row_of(number, 2));
        break;
    case 4: /* killed */
        (void)snprintf(sender, sizeof sender, "user%u@host%llu.example.net", (unsigned)(v6 & 0xffff),
                       (unsigned long long)row);
        break;
    case 5: /* the same, deep below a domain */
        (void)snprintf(sender, sizeof sender, "someone@a.b.c.d.sub%llu.example.net",
                       (unsigned long long)row_of(number, 1));
        break;
    case 6: /* accepted */
        (void)snprintf(sender, sizeof sender, "user%u@guest%llu.example.net", (unsigned)(v6 & 0xffff),
                       (unsigned long long)row);
        break;
    case 7: /* met by nothing */
        break;
    default:
        recipient = "bob@example.com";
        break;
    }
    return write_named(number, client, name, sender, recipient, text);
}

size_t load_request_write(enum load_kind kind, uint64_t number, char text[LOAD_REQUEST_MAX_BYTES])
{
    if (kind == LOAD_EVENTS)
        return write_event(number, text);
    if (kind == LOAD_NEEDLESS)
        return write_needless(number, text);
    if (kind == LOAD_RULES)
        return write_rules(number, text);
    return write_relaying(kind, number, text);
}
