#include "load_request.h"

#include <stdio.h>
#include <string.h>

/* Logins in an IPv6 network, and a number without a common divisor, by steps of which each of them comes once. */
enum { NET_LOGINS = 60000, STRIDE = 7919 };

enum { ADDRESS_SIZE = 48, MAIL_SIZE = 48 };

static const char *const names[LOAD_KIND_COUNT] = {
    [LOAD_EVENTS] = "events",
    [LOAD_KNOWN] = "known",
    [LOAD_STRANGERS] = "strangers",
    [LOAD_NEEDLESS] = "needless",
};

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
static size_t write_rcpt(uint64_t number, const char *client, const char *sender, const char *recipient,
                         char text[LOAD_REQUEST_MAX_BYTES])
{
    return (size_t)snprintf(
        text, LOAD_REQUEST_MAX_BYTES,
        "request=smtpd_access_policy\nprotocol_state=RCPT\nprotocol_name=ESMTP\nclient_address=%s\n"
        "client_name=unknown\nclient_port=41505\nreverse_client_name=unknown\nserver_address=127.0.0.1\n"
        "server_port=25\nhelo_name=client.example.net\nsender=%s\nrecipient=%s\nrecipient_count=0\nqueue_id=\n"
        "instance=3500.6b04a56f.%llx.0\nsize=0\netrn_domain=\nstress=\nsasl_method=\nsasl_username=\nsasl_sender=\n"
        "ccert_subject=\nccert_issuer=\nccert_fingerprint=\nccert_pubkey_fingerprint=\nencryption_protocol=\n"
        "encryption_cipher=\nencryption_keysize=0\npolicy_context=\n\n",
        client, sender, recipient, (unsigned long long)number);
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

size_t load_request_write(enum load_kind kind, uint64_t number, char text[LOAD_REQUEST_MAX_BYTES])
{
    if (kind == LOAD_EVENTS)
        return write_event(number, text);
    if (kind == LOAD_NEEDLESS)
        return write_needless(number, text);
    return write_relaying(kind, number, text);
}
