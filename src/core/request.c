#include "core/request.h"

#include "core/vector.h"

static const struct str names[ATTR_COUNT] = {
    [ATTR_REQUEST] = STR("request"),
    [ATTR_PROTOCOL_STATE] = STR("protocol_state"),
    [ATTR_CLIENT_ADDRESS] = STR("client_address"),
    [ATTR_CLIENT_NAME] = STR("client_name"),
    [ATTR_REVERSE_CLIENT_NAME] = STR("reverse_client_name"),
    [ATTR_SERVER_PORT] = STR("server_port"),
    [ATTR_SENDER] = STR("sender"),
    [ATTR_RECIPIENT] = STR("recipient"),
    [ATTR_RECIPIENT_COUNT] = STR("recipient_count"),
    [ATTR_INSTANCE] = STR("instance"),
    [ATTR_SASL_USERNAME] = STR("sasl_username"),
    [ATTR_POLICY_CONTEXT] = STR("policy_context"),
    [ATTR_USER] = STR("user"),
    [ATTR_SERVICE] = STR("service"),
    [ATTR_COMMAND] = STR("command"),
    [ATTR_CURSOR] = STR("cursor"),
    [ATTR_RECORD_TIME] = STR(RECORD_TIME),
};

enum { POLICY_ATTRIBUTES = (1 << (ATTR_POLICY_CONTEXT + 1)) - 1, CONTROL_ATTRIBUTES = (1 << (ATTR_CURSOR + 1)) - 1 };

const struct request_form policy_form = { "smtpd_access_policy", POLICY_ATTRIBUTES };
const struct request_form record_form = { "smtpd_access_policy", POLICY_ATTRIBUTES | 1 << ATTR_RECORD_TIME };
const struct request_form login_form = { "gatepost_login", 1 << ATTR_REQUEST | 1 << ATTR_CLIENT_ADDRESS |
                                                               1 << ATTR_USER | 1 << ATTR_SERVICE };
const struct request_form control_form = { "gatepost_control", CONTROL_ATTRIBUTES };

/* On the way of every line of a request: names are told apart by their length and their first and last bytes. The
 * factors are such that no two meet, which the compiler would warn of, nor meets one another that Postfix sends. */
enum { SLOTS = 64 };

#define SLOT(first, last, n)     ((5U * (unsigned char)(first) + 11U * (unsigned char)(last) + (unsigned)(n)) % SLOTS)
#define NAMED(first, last, name) [SLOT(first, last, sizeof(name) - 1)]

static const unsigned char by_slot[SLOTS] = {
    NAMED('r', 't', "request") = 1 + ATTR_REQUEST,
    NAMED('p', 'e', "protocol_state") = 1 + ATTR_PROTOCOL_STATE,
    NAMED('c', 's', "client_address") = 1 + ATTR_CLIENT_ADDRESS,
    NAMED('c', 'e', "client_name") = 1 + ATTR_CLIENT_NAME,
    NAMED('r', 'e', "reverse_client_name") = 1 + ATTR_REVERSE_CLIENT_NAME,
    NAMED('s', 't', "server_port") = 1 + ATTR_SERVER_PORT,
    NAMED('s', 'r', "sender") = 1 + ATTR_SENDER,
    NAMED('r', 't', "recipient") = 1 + ATTR_RECIPIENT,
    NAMED('r', 't', "recipient_count") = 1 + ATTR_RECIPIENT_COUNT,
    NAMED('i', 'e', "instance") = 1 + ATTR_INSTANCE,
    NAMED('s', 'e', "sasl_username") = 1 + ATTR_SASL_USERNAME,
    NAMED('p', 't', "policy_context") = 1 + ATTR_POLICY_CONTEXT,
    NAMED('u', 'r', "user") = 1 + ATTR_USER,
    NAMED('s', 'e', "service") = 1 + ATTR_SERVICE,
    NAMED('c', 'd', "command") = 1 + ATTR_COMMAND,
    NAMED('c', 'r', "cursor") = 1 + ATTR_CURSOR,
    NAMED('g', 'e', RECORD_TIME) = 1 + ATTR_RECORD_TIME,
};

enum attribute attribute_by_name(const struct request_form *form, struct str name)
{
    unsigned slot = name.n > 0 ? SLOT(name.p[0], name.p[name.n - 1], name.n) : 0;
    unsigned attribute = by_slot[slot] - 1U;
    if (by_slot[slot] == 0 || (form->attributes & 1U << attribute) == 0 || !str_equal(name, names[attribute]))
        return ATTR_COUNT;
    return (enum attribute)attribute;
}

const char *attribute_name(enum attribute attribute)
{
    return names[attribute].p;
}

/* Finding bytes. Names and values are so short that a call of memchr for each would cost more than the search. */

enum { BLOCK_BYTES = 64 };

/* Which of the n bytes at p, 64 at most, are = or line feeds: a bit for each, the lowest for the first. */
static inline uint64_t find_marks(const char *p, size_t n)
{
    char rest[BLOCK_BYTES];
    uint64_t marks = 0;
    if (n < BLOCK_BYTES)
        p = memcpy(memset(rest, 0, sizeof rest), p, n);
    for (unsigned i = 0; i < BLOCK_BYTES; i += VECTOR_BYTES) {
        vector bytes = vector_load(p + i);
        marks |= (uint64_t)vector_bits((bytes == '=') | (bytes == '\n')) << i;
    }
    return marks;
}

/* Parsing. */

/* Takes the line that ends at `end`; its = is known. */
static void take_line(struct request_parser *parser, const struct request_form *form, const char *buffer, size_t end)
{
    size_t equals = parser->line + parser->name_n, value = equals + 1;
    enum attribute attr = attribute_by_name(form, str_make(buffer + parser->line, parser->name_n));
    if (attr == ATTR_COUNT || (parser->seen & 1U << attr) != 0)
        return;
    parser->seen |= 1U << attr;
    parser->value[attr].at = value;
    parser->value[attr].n = end - value;
}

void request_parser_init(struct request_parser *parser)
{
    parser->line = parser->scanned = parser->name_n = 0;
    parser->has_name = false;
    parser->seen = 0;
}

static void complete(struct request_parser *parser, const char *buffer, struct request *request)
{
    for (int a = 0; a < ATTR_COUNT; a++)
        request->attr[a] = (parser->seen & 1U << a) != 0 ? str_make(buffer + parser->value[a].at, parser->value[a].n)
                                                         : str_make("", 0);
    request_parser_init(parser);
}

/* Looked for in all that has come, and not in each line. */
static bool has_nul(const char *buffer, size_t from, size_t to, const char **fault)
{
    if (!memchr(buffer + from, '\0', to - from))
        return false;
    *fault = "a NUL";
    return true;
}

/* Takes the line that ends with the line feed at `at`. */
static enum request_progress end_line(struct request_parser *parser, const struct request_form *form,
                                      const char *buffer, size_t at, const char **fault)
{
    size_t end = at > parser->line && buffer[at - 1] == '\r' ? at - 1 : at;
    if (end == parser->line)
        return REQUEST_COMPLETE;
    if (!parser->has_name) {
        *fault = "a line without =";
        return REQUEST_MALFORMED;
    }
    take_line(parser, form, buffer, end);
    parser->has_name = false;
    parser->line = at + 1;
    return REQUEST_INCOMPLETE;
}

/* Where the line that ends the request or is malformed ends; `limit` where there is none yet. */
static size_t parse_lines(struct request_parser *parser, const struct request_form *form, const char *buffer,
                          size_t limit, enum request_progress *progress, const char **fault)
{
    for (size_t block = parser->scanned; block < limit; block += BLOCK_BYTES) {
        uint64_t marks = find_marks(buffer + block, limit - block);
        for (; marks != 0; marks &= marks - 1) {
            size_t at = block + (size_t)__builtin_ctzll(marks);
            if (buffer[at] == '\n') {
                *progress = end_line(parser, form, buffer, at, fault);
                if (*progress != REQUEST_INCOMPLETE)
                    return at;
            } else if (!parser->has_name) {
                parser->has_name = true;
                parser->name_n = at - parser->line;
            }
        }
    }
    return limit;
}

enum request_progress request_parse(struct request_parser *parser, const struct request_form *form, const char *buffer,
                                    size_t n, size_t max_bytes, struct request *request, size_t *length,
                                    const char **fault)
{
    enum request_progress progress = REQUEST_INCOMPLETE;
    size_t limit = n < max_bytes ? n : max_bytes, from = parser->scanned;
    size_t at = parse_lines(parser, form, buffer, limit, &progress, fault);
    if (has_nul(buffer, from, at, fault))
        return REQUEST_MALFORMED;
    if (progress == REQUEST_INCOMPLETE && n > max_bytes) {
        *fault = "longer than max_request_bytes";
        return REQUEST_MALFORMED;
    }
    if (progress == REQUEST_COMPLETE) {
        *length = at + 1;
        complete(parser, buffer, request);
    }
    parser->scanned = progress == REQUEST_INCOMPLETE ? limit : 0;
    return progress;
}

const char *request_check(const struct request *request, const struct request_form *form)
{
    if (request->attr[ATTR_REQUEST].n == 0)
        return "no request attribute";
    if (!str_is(request->attr[ATTR_REQUEST], form->request))
        return "an unknown request";
    return NULL;
}
