#include "core/request.h"

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
};

enum { POLICY_ATTRIBUTES = (1 << (ATTR_POLICY_CONTEXT + 1)) - 1, ALL_ATTRIBUTES = (1 << ATTR_COUNT) - 1 };

const struct request_form policy_form = { "smtpd_access_policy", POLICY_ATTRIBUTES };
const struct request_form login_form = { "gatepost_login", 1 << ATTR_REQUEST | 1 << ATTR_CLIENT_ADDRESS |
                                                               1 << ATTR_USER | 1 << ATTR_SERVICE };
const struct request_form control_form = { "gatepost_control", ALL_ATTRIBUTES };

/* The attributes whose names have that many bytes, ending in ATTR_COUNT. On the way of every line of a request. */
enum { NAME_MAX_BYTES = 19, SAME_LENGTH = 4 };

static const unsigned char by_length[NAME_MAX_BYTES + 1][SAME_LENGTH] = {
    [4] = { ATTR_USER, ATTR_COUNT },
    [6] = { ATTR_SENDER, ATTR_CURSOR, ATTR_COUNT },
    [7] = { ATTR_REQUEST, ATTR_SERVICE, ATTR_COMMAND, ATTR_COUNT },
    [8] = { ATTR_INSTANCE, ATTR_COUNT },
    [9] = { ATTR_RECIPIENT, ATTR_COUNT },
    [11] = { ATTR_CLIENT_NAME, ATTR_SERVER_PORT, ATTR_COUNT },
    [13] = { ATTR_SASL_USERNAME, ATTR_COUNT },
    [14] = { ATTR_PROTOCOL_STATE, ATTR_CLIENT_ADDRESS, ATTR_POLICY_CONTEXT, ATTR_COUNT },
    [15] = { ATTR_RECIPIENT_COUNT, ATTR_COUNT },
    [19] = { ATTR_REVERSE_CLIENT_NAME, ATTR_COUNT },
};

enum attribute attribute_by_name(const struct request_form *form, struct str name)
{
    if (name.n > NAME_MAX_BYTES || name.n < 4)
        return ATTR_COUNT;
    for (const unsigned char *at = by_length[name.n]; *at != ATTR_COUNT; at++) {
        if (*at == 0 && name.n != names[0].n) /* a length that no name has */
            return ATTR_COUNT;
        if (memcmp(name.p, names[*at].p, name.n) == 0)
            return (form->attributes & 1U << *at) != 0 ? (enum attribute) * at : ATTR_COUNT;
    }
    return ATTR_COUNT;
}

const char *attribute_name(enum attribute attribute)
{
    return names[attribute].p;
}

/* Takes the line without its end; NULL, or what is wrong with it. */
static const char *take_line(struct request_parser *parser, const struct request_form *form, const char *buffer,
                             size_t n)
{
    struct str line = str_make(buffer + parser->line, n);
    size_t equals = str_find(line, '=');
    if (equals == n)
        return "a line without =";
    enum attribute attr = attribute_by_name(form, str_first(line, equals));
    if (attr == ATTR_COUNT || (parser->seen & 1U << attr) != 0)
        return NULL;
    parser->seen |= 1U << attr;
    parser->value[attr].at = parser->line + equals + 1;
    parser->value[attr].n = n - equals - 1;
    return NULL;
}

static void complete(struct request_parser *parser, const char *buffer, struct request *request)
{
    for (int a = 0; a < ATTR_COUNT; a++)
        request->attr[a] = (parser->seen & 1U << a) != 0 ? str_make(buffer + parser->value[a].at, parser->value[a].n)
                                                         : str_make("", 0);
    *parser = (struct request_parser){ 0 };
}

/* Looked for in all that has come, and not in each line. */
static bool has_nul(const char *buffer, size_t from, size_t to, const char **fault)
{
    if (!memchr(buffer + from, '\0', to - from))
        return false;
    *fault = "a NUL";
    return true;
}

enum request_progress request_parse(struct request_parser *parser, const struct request_form *form, const char *buffer,
                                    size_t n, size_t max_bytes, struct request *request, size_t *length,
                                    const char **fault)
{
    size_t limit = n < max_bytes ? n : max_bytes, from = parser->scanned;
    const char *newline;
    while (parser->scanned < limit &&
           (newline = memchr(buffer + parser->scanned, '\n', limit - parser->scanned)) != NULL) {
        size_t end = (size_t)(newline - buffer), line_n = end - parser->line;
        if (line_n > 0 && buffer[end - 1] == '\r')
            line_n--;
        if (line_n == 0) {
            *length = end + 1;
            if (has_nul(buffer, from, end, fault))
                return REQUEST_MALFORMED;
            complete(parser, buffer, request);
            return REQUEST_COMPLETE;
        }
        *fault = take_line(parser, form, buffer, line_n);
        if (*fault) {
            (void)has_nul(buffer, from, end, fault);
            return REQUEST_MALFORMED;
        }
        parser->line = parser->scanned = end + 1;
    }
    if (n > max_bytes)
        *fault = "longer than max_request_bytes";
    else if (!has_nul(buffer, from, limit, fault)) {
        parser->scanned = limit;
        return REQUEST_INCOMPLETE;
    }
    return REQUEST_MALFORMED;
}

const char *request_check(const struct request *request, const struct request_form *form)
{
    if (request->attr[ATTR_REQUEST].n == 0)
        return "no request attribute";
    if (!str_is(request->attr[ATTR_REQUEST], form->request))
        return "an unknown request";
    return NULL;
}
