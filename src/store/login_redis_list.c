#include "store/login_redis_state.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

/*
 * A page of the list is what one step of SCAN names: at most KEYS_MAX addresses of it, in order. Where there are more,
 * or they would fill too much memory, the next page makes the same step again, which Redis allows, and goes on after
 * the last address that was told. So a cursor is Redis' own, and perhaps a blank and an address.
 */
enum {
    SCAN_COUNT = 256, /* keys that Redis looks at in one step */
    KEYS_MAX = 32,
    PAGE_MAX_BYTES = 16 << 20,
    SCAN_CURSOR_SIZE = 21, /* 64 bits in digits */
    PATTERN_SIZE = 2 * REDIS_PREFIX_MAX + sizeof "login:*"
};

struct list_key {
    struct redis_call call;
    struct login_list *list;
    char address[IP_TEXT_SIZE];
    struct redis_reply *reply; /* NULL: there is nothing to tell */
    bool told;
};

struct login_list {
    struct login_query *query;
    char scan[SCAN_CURSOR_SIZE], next_scan[SCAN_CURSOR_SIZE], after[IP_TEXT_SIZE];
    struct list_key *keys; /* n_keys that SCAN named, of which n_asked are of this page */
    size_t n_keys, n_asked, n_answered;
    size_t n_bytes, n_elements; /* of the replies that are kept */
    bool failed;
    enum login_outcome outcome;
    struct error why;
};

void login_list_free(struct login_list *list)
{
    if (!list)
        return;
    for (size_t i = 0; i < list->n_asked; i++)
        redis_reply_free(list->keys[i].reply);
    free(list->keys);
    free(list);
}

/* The end of a page. */

static size_t add_entries(const struct list_key *key, struct login_entry *entries)
{
    const struct redis_reply *reply = key->reply;
    size_t n = 0;
    for (size_t i = 0; reply && i + 1 < reply->n_elements; i += 2)
        if (reply->elements[i]->text.n <= LOGIN_NAME_MAX_BYTES)
            entries[n++] = (struct login_entry){ str_of(key->address), reply->elements[i]->text,
                                                 redis_query_score(reply->elements[i + 1]->text) };
    return n;
}

static void write_cursor(const struct login_list *list, size_t n_told, char cursor[LOGIN_CURSOR_SIZE])
{
    if (n_told < list->n_keys)
        (void)snprintf(cursor, LOGIN_CURSOR_SIZE, "%s %s", list->scan, list->keys[n_told - 1].address);
    else
        (void)snprintf(cursor, LOGIN_CURSOR_SIZE, "%s", strcmp(list->next_scan, "0") == 0 ? "" : list->next_scan);
}

static void end_page(struct login_list *list)
{
    struct login_query *query = list->query;
    struct login_request *request = query->requests;
    struct login_entry *entries = NULL;
    size_t n = 0, n_told = 0;
    if (list->n_elements > 0)
        entries = malloc(list->n_elements / 2 * sizeof *entries);
    if (list->failed || (list->n_elements > 0 && !entries)) {
        struct error why = list->why;
        login_query_done(query, list->failed ? list->outcome : LOGIN_AWAY, list->failed ? why.text : "out of memory");
        free(entries);
        return;
    }
    for (; n_told < list->n_asked && list->keys[n_told].told; n_told++)
        if (entries)
            n += add_entries(&list->keys[n_told], entries + n);
    write_cursor(list, n_told, request->cursor);
    request->entries = entries;
    request->n_entries = n;
    login_query_done(query, LOGIN_DONE, NULL);
    free(entries);
}

/* The addresses. */

static size_t size_of(const struct redis_reply *reply)
{
    size_t n = sizeof *reply * (reply->n_elements + 1);
    for (size_t i = 0; i < reply->n_elements; i++)
        n += reply->elements[i]->text.n;
    return n;
}

/* Keeps the reply where the page has room: the first one always, and none after one that was not kept. */
static void keep(struct list_key *key, struct redis_reply **reply)
{
    struct login_list *list = key->list;
    size_t n = size_of(*reply);
    bool follows = key == list->keys || key[-1].told;
    key->told = follows && (list->n_bytes == 0 || list->n_bytes + n <= PAGE_MAX_BYTES);
    if (!key->told)
        return;
    list->n_bytes += n;
    list->n_elements += (*reply)->n_elements;
    key->reply = *reply;
    *reply = NULL;
}

static bool is_wrong_type(const struct redis_reply *reply)
{
    static const struct str code = STR("WRONGTYPE");
    return reply->type == REDIS_ERROR && reply->text.n >= code.n && str_equal(str_first(reply->text, code.n), code);
}

static void on_members(struct redis_call *call, struct redis_reply **reply)
{
    struct list_key *key = (struct list_key *)call;
    struct login_list *list = key->list;
    if (is_wrong_type(*reply)) {
        key->told = key == list->keys || key[-1].told;
    } else if ((*reply)->type == REDIS_ERROR) {
        if (!login_query_error(list->query, (*reply)->text, &list->outcome, &list->why))
            return;
        list->failed = true;
    } else if (redis_query_is_texts(*reply) && (*reply)->n_elements % 2 == 0) {
        keep(key, reply);
    } else {
        redis_link_fail(list->query->store->client.link, "sent nonsense in answer to ZRANGEBYSCORE");
        return;
    }
    if (++list->n_answered == list->n_asked)
        end_page(list);
}

static void ask_members(struct login_list *list)
{
    struct login_redis *store = list->query->store;
    size_t most = list->n_keys < KEYS_MAX ? list->n_keys : KEYS_MAX;
    for (; list->n_asked < most; list->n_asked++) {
        struct list_key *key = &list->keys[list->n_asked];
        char text[REDIS_KEY_SIZE];
        struct str name;
        key->list = list;
        key->call.replied = on_members;
        if (!redis_query_key(store->prefix, str_of(key->address), text, &name) ||
            redis_query_members(store->client.link, &key->call, name, list->query->requests->now) < 0)
            break;
    }
    /* Without memory for the first there is nothing to wait for. */
    if (list->n_asked == 0) {
        list->failed = most > 0;
        list->outcome = LOGIN_AWAY;
        (void)error_set(&list->why, 0, "out of memory");
        end_page(list);
    }
}

/* The step of SCAN. */

static int compare_keys(const void *a, const void *b)
{
    return strcmp(((const struct list_key *)a)->address, ((const struct list_key *)b)->address);
}

/* Takes the addresses that come after list->after out of the names of keys, sorted and each once. */
static bool take_keys(struct login_list *list, const struct redis_reply *names)
{
    size_t skip = strlen(list->query->store->prefix) + sizeof "login:" - 1, n = 0;
    if (names->n_elements == 0)
        return true;
    list->keys = calloc(names->n_elements, sizeof *list->keys);
    if (!list->keys)
        return false;
    for (size_t i = 0; i < names->n_elements; i++) {
        struct str name = names->elements[i]->text;
        if (name.n <= skip || name.n - skip >= IP_TEXT_SIZE || memchr(name.p, '\0', name.n))
            continue;
        memcpy(list->keys[n].address, name.p + skip, name.n - skip);
        list->keys[n].address[name.n - skip] = '\0';
        n += strcmp(list->keys[n].address, list->after) > 0;
    }
    qsort(list->keys, n, sizeof *list->keys, compare_keys);
    for (size_t i = 0; i < n; i++)
        if (list->n_keys == 0 || compare_keys(&list->keys[list->n_keys - 1], &list->keys[i]) != 0)
            list->keys[list->n_keys++] = list->keys[i];
    return true;
}

static bool is_cursor(struct str text)
{
    for (size_t i = 0; i < text.n; i++)
        if (!ascii_is_digit(text.p[i]))
            return false;
    return text.n > 0 && text.n < SCAN_CURSOR_SIZE;
}

static bool is_step(const struct redis_reply *reply)
{
    return reply->type == REDIS_ARRAY && reply->n_elements == 2 && reply->elements[0]->type == REDIS_TEXT &&
           is_cursor(reply->elements[0]->text) && redis_query_is_texts(reply->elements[1]);
}

static void on_scan(struct redis_call *call, struct redis_reply **reply)
{
    struct login_query *query = (struct login_query *)call;
    struct login_list *list = query->list;
    if ((*reply)->type == REDIS_ERROR) {
        struct error why;
        enum login_outcome outcome;
        if (login_query_error(query, (*reply)->text, &outcome, &why))
            login_query_done(query, outcome, why.text);
    } else if (!is_step(*reply)) {
        redis_link_fail(query->store->client.link, "sent nonsense in answer to SCAN");
    } else {
        struct str cursor = (*reply)->elements[0]->text;
        (void)snprintf(list->next_scan, sizeof list->next_scan, "%.*s", STR_ARGS(cursor));
        if (take_keys(list, (*reply)->elements[1]))
            ask_members(list);
        else
            login_query_done(query, LOGIN_AWAY, "out of memory");
    }
}

/* The keys of the logins, as a glob; the prefix stands for itself. */
static struct str write_pattern(const char *prefix, char pattern[PATTERN_SIZE])
{
    size_t n = 0;
    for (; *prefix; prefix++) {
        if (strchr("*?[]\\^", *prefix))
            pattern[n++] = '\\';
        pattern[n++] = *prefix;
    }
    memcpy(pattern + n, "login:*", sizeof "login:*");
    return str_of(pattern);
}

static bool read_cursor(struct login_list *list, const char *cursor)
{
    struct str text = str_of(*cursor ? cursor : "0");
    size_t blank = str_find(text, ' ');
    struct str scan = str_first(text, blank), after = str_from(text, blank < text.n ? blank + 1 : blank);
    if (!is_cursor(scan) || after.n >= sizeof list->after)
        return false;
    (void)snprintf(list->scan, sizeof list->scan, "%.*s", STR_ARGS(scan));
    (void)snprintf(list->after, sizeof list->after, "%.*s", STR_ARGS(after));
    return true;
}

int login_list_start(struct login_query *query)
{
    char pattern[PATTERN_SIZE], count[REDIS_NUMBER_SIZE];
    struct login_list *list = calloc(1, sizeof *list);
    if (!list)
        return -ENOMEM;
    query->list = list;
    list->query = query;
    if (!read_cursor(list, query->requests->cursor))
        return -EINVAL;
    (void)snprintf(count, sizeof count, "%d", SCAN_COUNT);
    const struct str words[] = { STR("SCAN"),  str_of(list->scan),
                                 STR("MATCH"), write_pattern(query->store->prefix, pattern),
                                 STR("COUNT"), str_of(count) };
    query->call.replied = on_scan;
    return redis_link_send(query->store->client.link, &query->call, sizeof words / sizeof *words, words);
}
