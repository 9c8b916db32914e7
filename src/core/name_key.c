#include "core/name_key.h"

static size_t put_backwards(unsigned char *to, struct str text)
{
    size_t i = 0;
    uint64_t word;
    for (; text.n - i >= sizeof word; i += sizeof word) {
        memcpy(&word, text.p + text.n - i - sizeof word, sizeof word);
        word = __builtin_bswap64(word);
        memcpy(to + i, &word, sizeof word);
    }
    for (; i < text.n; i++)
        to[i] = (unsigned char)text.p[text.n - 1 - i];
    return text.n;
}

static size_t put(unsigned char *to, struct str text)
{
    if (text.n > 0)
        memcpy(to, text.p, text.n);
    return text.n;
}

size_t name_key_write(unsigned char *to, enum name_kind kind, struct str name, size_t local_n)
{
    struct str local = str_make("", 0), domain = name;
    if (kind == NAME_ADDRESS) {
        local = str_first(name, local_n);
        domain = str_from(name, local_n + 1);
    } else if (kind == NAME_LOCAL) {
        local = name;
        domain = str_make("", 0);
    }
    size_t n = put_backwards(to, domain);
    if (kind == NAME_SUFFIX) {
        to[n++] = MARK_SUFFIX;
    } else if (kind == NAME_BELOW) {
        to[n++] = '.';
        to[n++] = MARK_BELOW;
    } else {
        to[n++] = '@';
        n += put(to + n, local);
        to[n++] = MARK_WHOLE;
    }
    return n;
}

size_t name_key_write_local(unsigned char *to, struct str address, size_t local_n)
{
    size_t n = put(to, str_first(address, local_n));
    to[n++] = '@';
    n += put_backwards(to + n, str_from(address, local_n + 1));
    to[n++] = MARK_WHOLE;
    return n;
}

size_t name_key_bytes(const unsigned char *key, size_t n)
{
    size_t i = 0;
    while (i < n && key[i] >= TRIE_MARKS)
        i++;
    return i < n ? i + 1 : n;
}

size_t name_key_format(const unsigned char *key, size_t n, bool at_marks, char *text)
{
    size_t end = name_key_bytes(key, n) - 1, used = 0;
    struct str name = str_make((const char *)key, end);
    size_t at = str_find(name, '@');
    if (key[end] == MARK_WHOLE && at + 1 < name.n) { /* an address, or a local part alone */
        used = put((unsigned char *)text, str_from(name, at + 1));
        if (at > 0)
            text[used++] = '@';
        return used + put_backwards((unsigned char *)text + used, str_first(name, at));
    }
    if (at_marks)
        text[used++] = '@';
    if (key[end] == MARK_SUFFIX)
        text[used++] = '*';
    return used + put_backwards((unsigned char *)text + used, str_first(name, at));
}

/* An address must be met whole, a host with its @. What follows a dot below which all are meant must be something. */
static bool ends(const struct trie_query *query, size_t at, unsigned char mark)
{
    switch (mark) {
    case MARK_BELOW:
        return at < query->host_n;
    case MARK_SUFFIX:
        return at <= query->host_n;
    case MARK_WHOLE:
        return at == query->host_n + 1 || at == query->n;
    default:
        return false;
    }
}

void name_query_init(struct name_query *name, struct str local, struct str domain)
{
    size_t room = sizeof name->text - 1, n;
    if (domain.n >= room) {
        n = put_backwards(name->text, str_from(domain, domain.n - room));
        name->query = (struct trie_query){ .text = name->text, .n = n, .ends = ends, .host_n = n };
        return;
    }
    n = put_backwards(name->text, domain);
    name->text[n++] = '@';
    if (local.n <= sizeof name->text - n)
        n += put(name->text + n, local);
    name->query = (struct trie_query){ .text = name->text, .n = n, .ends = ends, .host_n = domain.n };
}

void name_query_init_backwards(struct name_query *name, struct str domain)
{
    size_t n = put(name->text, domain);
    name->text[n++] = '@';
    name->query = (struct trie_query){ .text = name->text, .n = n, .ends = ends, .host_n = domain.n };
}

void name_query_init_key(struct name_query *name, const unsigned char *key, size_t n)
{
    enum { ANY_HOST = 0x1f }; /* stands for any host: no key has a control character */
    struct str text = str_make((const char *)key, n - 1);
    size_t used = put(name->text, text);
    if (key[n - 1] == MARK_BELOW)
        name->text[used++] = ANY_HOST;
    size_t host_n = key[n - 1] == MARK_WHOLE ? str_find(text, '@') : used;
    name->query = (struct trie_query){ .text = name->text, .n = used, .ends = ends, .host_n = host_n };
}
