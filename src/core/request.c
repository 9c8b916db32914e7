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

enum attribute attribute_by_name(const struct request_form *form, struct str name)
{
    for (int a = 0; a < ATTR_COUNT; a++)
        if ((form->attributes & 1U << a) != 0 && str_equal(name, names[a]))
            return (enum attribute)a;
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
    if (str_find(line, '\0') != n)
        return "a NUL";
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

enum request_progress request_parse(struct request_parser *parser, const struct request_form *form, const char *buffer,
                                    size_t n, size_t max_bytes, struct request *request, size_t *length,
                                    const char **fault)
{
    size_t limit = n < max_bytes ? n : max_bytes;
    const char *newline;
    while (parser->scanned < limit &&
           (newline = memchr(buffer + parser->scanned, '\n', limit - parser->scanned)) != NULL) {
        size_t end = (size_t)(newline - buffer), line_n = end - parser->line;
        if (line_n > 0 && buffer[end - 1] == '\r')
            line_n--;
        if (line_n == 0) {
            *length = end + 1;
            complete(parser, buffer, request);
            return REQUEST_COMPLETE;
        }
        *fault = take_line(parser, form, buffer, line_n);
        if (*fault)
            return REQUEST_MALFORMED;
        parser->line = parser->scanned = end + 1;
    }
    if (n > max_bytes)
        *fault = "longer than max_request_bytes";
    else if (memchr(buffer + parser->scanned, '\0', limit - parser->scanned))
        *fault = "a NUL";
    else {
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
