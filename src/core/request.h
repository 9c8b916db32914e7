/*
 * request: the policy protocol, bytes to attributes.
 *
 * A request is name=value lines ended by an empty line (Postfix: SMTPD_POLICY_README, "Protocol description"). It is
 * parsed where it lies, line by line as the bytes come; nothing is copied. Attributes that are not known are passed
 * over, of a repeated one the first counts, and a missing one is empty. Login events and what the command line asks
 * have the same form, with attributes of their own.
 */
#ifndef GATEPOST_CORE_REQUEST_H
#define GATEPOST_CORE_REQUEST_H

#include "core/str.h"

#include <stdint.h>

/* The name of ATTR_RECORD_TIME, which the recorder puts at the end of a request. Nobody else sends it. */
#define RECORD_TIME "gatepost_time"

enum attribute {
    ATTR_REQUEST,
    ATTR_PROTOCOL_STATE,
    ATTR_CLIENT_ADDRESS,
    ATTR_CLIENT_NAME,
    ATTR_REVERSE_CLIENT_NAME,
    ATTR_SERVER_PORT,
    ATTR_SENDER,
    ATTR_RECIPIENT,
    ATTR_RECIPIENT_COUNT,
    ATTR_INSTANCE,
    ATTR_SASL_USERNAME,
    ATTR_POLICY_CONTEXT,
    ATTR_USER,    /* of a login event, and of what the command line asks */
    ATTR_SERVICE, /* likewise: imap, pop3 … */
    ATTR_COMMAND, /* of what the command line asks */
    ATTR_CURSOR,
    ATTR_RECORD_TIME, /* of a request that the daemon recorded: when it came, in Unix seconds */
    ATTR_COUNT
};

/* What is said on one kind of endpoint: the value that the attribute `request` must have, and the attributes that
 * count there, a bit each. */
struct request_form {
    const char *request;
    uint32_t attributes;
};

extern const struct request_form policy_form;  /* smtpd_access_policy */
extern const struct request_form record_form;  /* the same as it was recorded */
extern const struct request_form login_form;   /* gatepost_login: user, client_address, service */
extern const struct request_form control_form; /* gatepost_control: all of these, and command and cursor */

/* The attributes point into the buffer that was parsed. */
struct request {
    struct str attr[ATTR_COUNT];
};

/* The attribute of that name; ATTR_COUNT where it does not count in this form. */
enum attribute attribute_by_name(const struct request_form *form, struct str name);

const char *attribute_name(enum attribute attribute);

/* Where parsing has got to in the request that begins at the front of the buffer. All zeros at first. */
struct request_parser {
    size_t line;    /* where the unfinished line begins */
    size_t name_n;  /* bytes in front of its = */
    size_t scanned; /* how many bytes have been looked at */
    bool has_name;  /* the = has been found */
    uint32_t seen;  /* a bit for each attribute; of these the values are known */
    struct {
        size_t at, n;
    } value[ATTR_COUNT];
};

void request_parser_init(struct request_parser *parser);

enum request_progress { REQUEST_INCOMPLETE, REQUEST_COMPLETE, REQUEST_MALFORMED };

/*
 * Goes on parsing the n bytes at buffer, which begin with the first byte of the request and hold what earlier calls
 * saw; they may have moved. A complete request is written to *request, its length to *length, and the parser is ready
 * for the next one. Of a malformed one *fault says in a few words what is wrong: a line without =, a NUL, or more than
 * max_bytes.
 */
enum request_progress request_parse(struct request_parser *parser, const struct request_form *form, const char *buffer,
                                    size_t n, size_t max_bytes, struct request *request, size_t *length,
                                    const char **fault);

/* NULL where the attribute `request` is that of the form, else the fault. */
const char *request_check(const struct request *request, const struct request_form *form);

#endif
