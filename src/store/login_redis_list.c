#include "store/login_redis_state.h"
#include "store/redis_error.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

/*
 * A page of the list is what one step of SCAN names, in order; the addresses are asked one after another. A page that
 * has become large, or has taken much of its time, ends before that; the next one makes the same step again, which
 * Redis allows, and goes on after the last address that was told. So a cursor is Redis' own, and perhaps a blank and an
 * address. A list must not take so long that the store counts as away for it.
 */
enum {
    SCAN_COUNT = 256, /* keys that Redis looks at in one step */
    PAGE_KEYS = 64,
    PAGE_BYTES = 1 << 20,  /* and what the last address has */
    PAGE_TIME_PART = 4,    /* a quarter of the time-out */
    SCAN_CURSOR_SIZE = 21, /* 64 bits in digits */
    PATTERN_SIZE = 2 * REDIS_PREFIX_MAX + sizeof "login:*"
};

struct login_list {
    struct login_query *query;
    char scan[SCAN_CURSOR_SIZE], next_scan[SCAN_CURSOR_SIZE], after[IP_TEXT_SIZE];
    char (*addresses)[IP_TEXT_SIZE];
    size_t n_addresses, n_told;             /* that SCAN named; that are on this page */
    struct redis_reply *replies[PAGE_KEYS]; /* for each that is told; NULL: it has nothing */
    size_t n_bytes, n_logins;               /* of these */
};

static void list_release(struct login_query *query)
{
    struct login_list *list = query->list;
    for (size_t i = 0; i < list->n_told; i++)
        redis_reply_free(list->replies[i]);
    free(list->addresses);
    free(list);
}

/* The end of a page. */

static size_t add_entries(const char *address, const struct redis_reply *reply, struct login_entry *entries)
{
    size_t n = 0;
    for (size_t i = 0; reply && i < reply->n_elements; i += 2)
        if (reply->elements[i]->text.n <= LOGIN_NAME_MAX_BYTES)
            entries[n++] = (struct login_entry){ str_of(address), reply->elements[i]->text,
                                                 redis_query_score(reply->elements[i + 1]->text) };
    return n;
}

static void write_cursor(const struct login_list *list, char cursor[LOGIN_CURSOR_SIZE])
{
    if (list->n_told < list->n_addresses)
        (void)snprintf(cursor, LOGIN_CURSOR_SIZE, "%s %s", list->scan, list->addresses[list->n_told - 1]);
    else
        (void)snprintf(cursor, LOGIN_CURSOR_SIZE, "%s", strcmp(list->next_scan, "0") == 0 ? "" : list->next_scan);
}

static void end_page(struct login_list *list)
{
    struct login_request *request = list->query->requests;
    struct login_entry *entries = NULL;
    size_t n = 0;
    if (list->n_logins > 0 && (entries = malloc(list->n_logins * sizeof *entries)) == NULL) {
        login_query_done(list->query, LOGIN_AWAY, "out of memory");
        return;
    }
    for (size_t i = 0; entries && i < list->n_told; i++)
        n += add_entries(list->addresses[i], list->replies[i], entries + n);
    write_cursor(list, request->cursor);
    request->entries = entries;
    request->n_entries = n;
    login_query_done(list->query, LOGIN_DONE, NULL);
    free(entries);
}

/* The addresses. */

static void on_members(struct redis_call *call, struct redis_reply **reply);

static bool page_is_full(const struct login_list *list)
{
    const struct login_redis *store = list->query->store;
    uint64_t spent_ms = uv_now(store->timer.loop) + store->timeout_ms - list->query->deadline_ms;
    return list->n_told == PAGE_KEYS || list->n_bytes >= PAGE_BYTES || spent_ms >= store->timeout_ms / PAGE_TIME_PART;
}

/* Asks for the next address of the page, or ends it. */
static void go_on(struct login_list *list)
{
    struct login_query *query = list->query;
    char text[REDIS_KEY_SIZE];
    struct str key;
    if (list->n_told == list->n_addresses || (list->n_told > 0 && page_is_full(list))) {
        end_page(list);
        return;
    }
    query->call.replied = on_members;
    if (!redis_query_key(query->store->prefix, str_of(list->addresses[list->n_told]), text, &key) ||
        redis_query_members(query->store->client.link, &query->call, key, query->requests->now) < 0)
        login_query_done(query, LOGIN_AWAY, "out of memory");
}

/* Takes the reply. */
static void tell(struct login_list *list, struct redis_reply **reply)
{
    for (size_t i = 0; i < (*reply)->n_elements; i++)
        list->n_bytes += sizeof **reply + (*reply)->elements[i]->text.n;
    list->n_logins += (*reply)->n_elements / 2;
    list->replies[list->n_told++] = *reply;
    *reply = NULL;
}

static void on_members(struct redis_call *call, struct redis_reply **reply)
{
    struct login_query *query = (struct login_query *)call;
    struct login_list *list = query->list;
    enum login_outcome outcome;
    struct error why;
    if ((*reply)->type == REDIS_ERROR && redis_error_is_wrong_type((*reply)->text)) {
        list->replies[list->n_told++] = NULL; /* somebody else's key */
        go_on(list);
    } else if ((*reply)->type == REDIS_ERROR) {
        if (login_query_error(query, (*reply)->text, &outcome, &why))
            login_query_done(query, outcome, why.text);
    } else if (redis_query_is_texts(*reply) && (*reply)->n_elements % 2 == 0) {
        tell(list, reply);
        go_on(list);
    } else {
        redis_link_fail(query->store->client.link, "sent nonsense in answer to ZRANGEBYSCORE");
    }
}

/* The step of SCAN. */

static int compare_addresses(const void *a, const void *b)
{
    return strcmp(a, b);
}

/* Takes the addresses that come after list->after out of the names of keys, sorted and each once. */
static bool take_addresses(struct login_list *list, const struct redis_reply *names)
{
    size_t skip = strlen(list->query->store->prefix) + sizeof "login:" - 1, n = 0;
    if (names->n_elements == 0)
        return true;
    list->addresses = calloc(names->n_elements, sizeof *list->addresses);
    if (!list->addresses)
        return false;
    for (size_t i = 0; i < names->n_elements; i++) {
        struct str name = names->elements[i]->text;
        if (name.n <= skip || name.n - skip >= IP_TEXT_SIZE || memchr(name.p, '\0', name.n))
            continue;
        struct ip_addr addr;
        if (!ip_parse(str_from(name, skip), &addr)) /* a key of somebody else's */
            continue;
        (void)snprintf(list->addresses[n], IP_TEXT_SIZE, "%s", name.p + skip);
        n += strcmp(list->addresses[n], list->after) > 0;
    }
    qsort(list->addresses, n, sizeof *list->addresses, compare_addresses);
    for (size_t i = 0; i < n; i++)
        if (i == 0 || strcmp(list->addresses[list->n_addresses - 1], list->addresses[i]) != 0)
            memmove(list->addresses[list->n_addresses++], list->addresses[i], IP_TEXT_SIZE);
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
        if (take_addresses(list, (*reply)->elements[1]))
            go_on(list);
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

bool login_list_is_cursor(const char *cursor)
{
    struct login_list list = { 0 };
    return read_cursor(&list, cursor);
}

int login_list_start(struct login_query *query)
{
    char pattern[PATTERN_SIZE], count[REDIS_NUMBER_SIZE];
    struct login_list *list = calloc(1, sizeof *list);
    if (!list)
        return -ENOMEM;
    query->list = list;
    query->release = list_release;
    list->query = query;
    if (!read_cursor(list, query->requests->cursor))
        return -EINVAL; /* not seen here: it was looked at when the request was taken */
    (void)snprintf(count, sizeof count, "%d", SCAN_COUNT);
    const struct str words[] = { STR("SCAN"),  str_of(list->scan),
                                 STR("MATCH"), write_pattern(query->store->prefix, pattern),
                                 STR("COUNT"), str_of(count) };
    query->call.replied = on_scan;
    return redis_link_send(query->store->client.link, &query->call, sizeof words / sizeof *words, words);
}
