#include "core/reply.h"

struct out {
    char *p;
    size_t n, size;
};

static void put(struct out *out, struct str text)
{
    size_t room = out->size - out->n;
    size_t n = text.n < room ? text.n : room;
    memcpy(out->p + out->n, text.p, n);
    out->n += n;
}

static void put_network(struct out *out, struct str text)
{
    if (text.n > REPLY_NETWORK_MAX_BYTES)
        text.n = REPLY_NETWORK_MAX_BYTES;
    size_t begin = out->n;
    put(out, text);
    for (size_t i = begin; i < out->n; i++)
        if (ascii_is_control(out->p[i]))
            out->p[i] = '?';
}

/* Out of memory, a domain is shown as it was sent. */
static void put_domain(struct out *out, const struct request *request)
{
    struct mail_addr recipient;
    struct str text = request->attr[ATTR_RECIPIENT];
    if (mail_parse(&recipient, text, MAIL_AS_SENT) == 0)
        put_network(out, recipient.domain);
    else
        put_network(out, str_from(text, str_find_last(text, '@')));
    mail_fini(&recipient);
}

static void put_placeholder(struct out *out, struct str name, const struct request *request)
{
    if (str_is(name, "client"))
        put_network(out, request->attr[ATTR_CLIENT_ADDRESS]);
    else if (str_is(name, "sender"))
        put_network(out, request->attr[ATTR_SENDER]);
    else if (str_is(name, "recipient"))
        put_network(out, request->attr[ATTR_RECIPIENT]);
    else
        put_domain(out, request);
}

const char *reply_verb(const struct decision *decision, const struct settings *settings)
{
    switch (decision->action) {
    case ACTION_OK:
        return "OK";
    case ACTION_BCC:
        return "BCC";
    case ACTION_REFUSE:
        return settings->number[SETTING_REPLY_STYLE] == STYLE_CODE ? reasons[decision->reason].code
                                                                   : reasons[decision->reason].verb;
    case ACTION_DUNNO:
        break;
    }
    return "DUNNO";
}

size_t reply_action(const struct decision *decision, const struct request *request, const struct settings *settings,
                    char *text, size_t size)
{
    struct out out = { text, 0, size };
    put(&out, str_of(reply_verb(decision, settings)));
    if (decision->action == ACTION_BCC) {
        put(&out, str_make(" ", 1));
        put(&out, settings_text(settings, SETTING_ARCHIVE_TO));
    } else if (decision->action == ACTION_REFUSE) {
        struct str rest = settings_text(settings, (enum setting)(SETTING_TEXT + (int)decision->reason)), literal, name;
        put(&out, str_make(" ", 1));
        while (text_next_piece(&rest, &literal, &name)) {
            put(&out, literal);
            if (name.n)
                put_placeholder(&out, name, request);
        }
    }
    return out.n;
}

size_t reply_write(const struct decision *decision, const struct request *request, const struct settings *settings,
                   char text[REPLY_MAX_BYTES])
{
    static const struct str before = STR("action="), after = STR("\n\n");
    memcpy(text, before.p, before.n);
    size_t n = before.n;
    n += reply_action(decision, request, settings, text + n, REPLY_MAX_BYTES - before.n - after.n);
    memcpy(text + n, after.p, after.n);
    return n + after.n;
}
