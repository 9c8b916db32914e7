#include "core/mail.h"

#include "core/block.h"

#include <errno.h>
#include <idn2.h>
#include <stdlib.h>
#include <unicase.h>
#include <unistr.h>

enum {
    FOLD_GROWTH = 3,        /* full case folding makes at most three code points, of at most as many bytes, of one */
    DOMAIN_MIN_BYTES = 256, /* an A-label form may be longer than what was written, but never than a domain may be */
    HOST_NAME_MAX_BYTES = 253,
    LABEL_MAX_BYTES = 63
};

struct str mail_trim(struct str text)
{
    if (text.n >= 2 && text.p[0] == '<' && text.p[text.n - 1] == '>')
        return str_make(text.p + 1, text.n - 2);
    return text;
}

static size_t lower(struct str text, char *out)
{
    for (size_t i = 0; i < text.n; i++)
        out[i] = ascii_lower(text.p[i]);
    return text.n;
}

/* Writes the folded local part to out, which has room for FOLD_GROWTH times its length. */
static int fold_local(struct str local, char *out, size_t *n)
{
    const uint8_t *bytes = (const uint8_t *)local.p;
    if (str_is_ascii(local) || u8_check(bytes, local.n) != NULL) {
        *n = lower(local, out);
        return 0;
    }
    size_t length = local.n * FOLD_GROWTH;
    uint8_t *folded = u8_casefold(bytes, local.n, NULL, NULL, NULL, &length);
    if (!folded)
        return -ENOMEM;
    if (length > local.n * FOLD_GROWTH)
        length = local.n * FOLD_GROWTH;
    memcpy(out, folded, length);
    free(folded);
    *n = length;
    return 0;
}

/* The A-label form of the n bytes at text, in place, where there is one. The buffer has DOMAIN_MIN_BYTES at least. */
static int to_a_label(char *text, size_t *n)
{
    if (memchr(text, '\0', *n))
        return 0;
    char *copy = malloc(*n + 1);
    if (!copy)
        return -ENOMEM;
    memcpy(copy, text, *n);
    copy[*n] = '\0';

    uint8_t *label = NULL;
    int r = idn2_lookup_u8((const uint8_t *)copy, &label, IDN2_NONTRANSITIONAL);
    free(copy);
    if (r == IDN2_MALLOC)
        return -ENOMEM;
    if (r != IDN2_OK)
        return 0;
    size_t length = strlen((const char *)label);
    if (length > 0 && label[length - 1] == '.')
        length--; /* an ideographic full stop at the end has become a dot */
    if (length <= DOMAIN_MIN_BYTES) {
        memcpy(text, label, length);
        *n = length;
    }
    idn2_free(label);
    return 0;
}

/* Writes the domain as compared to out, which has room for its length and for DOMAIN_MIN_BYTES. */
static int normalise_domain(struct str domain, char *out, size_t *n)
{
    size_t used = 0;
    for (size_t i = 0; i < domain.n; i++)
        if (domain.p[i] != ' ' && domain.p[i] != '\t')
            out[used++] = ascii_lower(domain.p[i]);
    if (used > 0 && out[used - 1] == '.')
        used--;
    *n = used;
    return str_is_ascii(str_make(out, used)) ? 0 : to_a_label(out, n);
}

/* Room for so many bytes, which lives as long as addr; NULL where memory is short. */
static char *reserve(struct mail_addr *addr, size_t n)
{
    return n <= sizeof addr->small ? addr->small : (addr->heap = malloc(n));
}

/* The n bytes at text are the local part, room for an @, and the domain. */
static void set_parts(struct mail_addr *addr, char *text, size_t local_n, size_t domain_n)
{
    text[local_n] = '@';
    addr->local = str_make(text, local_n);
    addr->domain = str_make(text + local_n + 1, domain_n);
    addr->whole = domain_n ? str_make(text, local_n + 1 + domain_n) : addr->local;
}

static int normalise(struct mail_addr *addr, struct str local, struct str domain)
{
    size_t local_room = str_is_ascii(local) ? local.n : local.n * FOLD_GROWTH;
    size_t domain_room = domain.n < DOMAIN_MIN_BYTES ? DOMAIN_MIN_BYTES : domain.n;
    char *text = reserve(addr, local_room + 1 + domain_room);
    size_t local_n, domain_n;
    if (!text)
        return -ENOMEM;
    int r = fold_local(local, text, &local_n);
    if (r == 0)
        r = normalise_domain(domain, text + local_n + 1, &domain_n);
    if (r == 0)
        set_parts(addr, text, local_n, domain_n);
    return r;
}

static void mail_init(struct mail_addr *addr)
{
    addr->heap = NULL;
    addr->whole = addr->local = addr->domain = str_make("", 0);
}

/* Takes text, without enclosing <>, apart. */
static void split(struct str text, enum mail_reading reading, struct str *local, struct str *domain)
{
    size_t at = str_find_last(text, '@');
    bool domain_first = false;
    if (at == text.n && reading == MAIL_AS_REWRITTEN) {
        size_t bang = str_find(text, '!'), percent = str_find_last(text, '%');
        domain_first = bang > 0 && bang + 1 < text.n;
        if (domain_first)
            at = bang;
        else if (percent > 0 && percent + 1 < text.n)
            at = percent;
    }
    *local = str_first(text, at);
    *domain = at < text.n ? str_from(text, at + 1) : str_make("", 0);
    if (domain_first) {
        struct str swap = *local;
        *local = *domain;
        *domain = swap;
    }
}

int mail_parse(struct mail_addr *addr, struct str text, enum mail_reading reading)
{
    struct str local, domain;
    mail_init(addr);
    split(mail_trim(text), reading, &local, &domain);
    return normalise(addr, local, domain);
}

struct str mail_sent_local(struct str text, enum mail_reading reading)
{
    struct str local, domain;
    split(mail_trim(text), reading, &local, &domain);
    return local;
}

int mail_parse_domain(struct mail_addr *addr, struct str text)
{
    mail_init(addr);
    int r = normalise(addr, str_make("", 0), text);
    addr->whole = str_make("", 0);
    return r;
}

int mail_with_local(struct mail_addr *other, const struct mail_addr *addr, struct str local)
{
    mail_init(other);
    char *text = reserve(other, local.n + 1 + addr->domain.n);
    if (!text)
        return -ENOMEM;
    memmove(text, local.p, local.n);
    memcpy(text + local.n + 1, addr->domain.p, addr->domain.n);
    set_parts(other, text, local.n, addr->domain.n);
    return 0;
}

void mail_fini(struct mail_addr *addr)
{
    free(addr->heap);
    mail_init(addr);
}

bool mail_is_routed(struct str local)
{
    return str_find(local, '@') != local.n || str_find(local, '!') != local.n || str_find(local, '%') != local.n;
}

struct str mail_without_extension(struct str local, struct str delimiters)
{
    for (size_t i = 1; i < local.n; i++)
        if (str_find(delimiters, local.p[i]) != delimiters.n)
            return str_first(local, i);
    return local;
}

bool domain_is_literal(struct str domain)
{
    static const struct str v6_tag = STR("ipv6:");
    struct ip_addr addr;
    if (domain.n < 2 || domain.p[0] != '[' || domain.p[domain.n - 1] != ']')
        return false;
    struct str inner = str_make(domain.p + 1, domain.n - 2);
    if (inner.n > v6_tag.n && str_equal_nocase(str_first(inner, v6_tag.n), v6_tag)) {
        inner = str_from(inner, v6_tag.n);
        return str_find(inner, ':') != inner.n && ip_parse(inner, &addr);
    }
    return str_find(inner, ':') == inner.n && ip_parse(inner, &addr);
}

static bool is_label_byte(char c)
{
    return ascii_is_digit(c) || (ascii_lower(c) >= 'a' && ascii_lower(c) <= 'z') || c == '-' || c == '_';
}

bool domain_is_host_name(struct str domain)
{
    size_t label = 0;
    if (domain.n > HOST_NAME_MAX_BYTES)
        return false;
    for (size_t i = 0; i <= domain.n; i++) {
        if (i < domain.n && domain.p[i] != '.') {
            if (!is_label_byte(domain.p[i]) || (label == 0 && domain.p[i] == '-'))
                return false;
            label++;
            continue;
        }
        if (label == 0 || label > LABEL_MAX_BYTES || domain.p[i - 1] == '-')
            return false;
        label = 0;
    }
    return true;
}

bool domain_is_single_label(struct str domain)
{
    bool bracketed = domain.n > 1 && domain.p[0] == '[' && domain.p[domain.n - 1] == ']';
    return domain.n > 0 && !bracketed && str_find(domain, '.') == domain.n;
}

struct str domain_begin(struct str domain)
{
    return domain.n > 0 && domain.p[0] == '.' ? str_from(domain, 1) : domain;
}

bool domain_next_parent(struct str *domain)
{
    size_t dot = str_find(*domain, '.');
    bool any = dot < domain->n;
    *domain = str_from(*domain, any ? dot + 1 : dot);
    return any;
}
