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

/* First and last byte tell almost all others apart without a comparison of the whole. */
static bool is_name(struct str name, struct str other)
{
    return name.p[0] == other.p[0] && name.p[name.n - 1] == other.p[name.n - 1] &&
           memcmp(name.p, other.p, name.n) == 0;
}

enum attribute attribute_by_name(const struct request_form *form, struct str name)
{
    if (name.n > NAME_MAX_BYTES || name.n < 4)
        return ATTR_COUNT;
    for (const unsigned char *at = by_length[name.n]; *at != ATTR_COUNT; at++) {
        if (*at == 0 && name.n != names[0].n) /* a length that no name has */
            return ATTR_COUNT;
        if (is_name(name, names[*at]))
            return (form->attributes & 1U << *at) != 0 ? (enum attribute) * at : ATTR_COUNT;
    }
    return ATTR_COUNT;
}

const char *attribute_name(enum attribute attribute)
{
    return names[attribute].p;
}

enum { BLOCK_BYTES = 64 };

/* Finding bytes. Names and values are so short that a call of memchr for each would cost more than the search. */

/* The first byte becomes the lowest. */
static inline uint64_t load_word(const char *p)
{
    uint64_t word;
    memcpy(&word, p, sizeof word);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    word = __builtin_bswap64(word);
#endif
    return word;
}

/* The highest bit of each byte that is c, and no other bit. */
static inline uint64_t bytes_that_are(uint64_t word, char c)
{
    static const uint64_t ones = UINT64_C(0x0101010101010101), low = UINT64_C(0x7f7f7f7f7f7f7f7f);
    uint64_t differs = word ^ ones * (unsigned char)c;
    return ~(((differs & low) + low) | differs | low);
}

/* Which of the n bytes at p, 64 at most, are = or line feeds: a bit for each, the lowest for the first. */
static inline uint64_t find_marks(const char *p, size_t n)
{
    static const uint64_t gather = UINT64_C(0x0102040810204080); /* moves the highest bits of 8 bytes side by side */
    char rest[BLOCK_BYTES];
    uint64_t marks = 0;
    if (n < BLOCK_BYTES)
        p = memcpy(memset(rest, 0, sizeof rest), p, n);
    for (unsigned i = 0; i < BLOCK_BYTES / 8; i++) {
        uint64_t word = load_word(p + 8 * i);
        uint64_t found = bytes_that_are(word, '=') | bytes_that_are(word, '\n');
        marks |= ((found >> 7) * gather >> 56) << (8 * i);
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
