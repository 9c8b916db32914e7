#include "store/login_redis_state.h"

#include <stdio.h>

/* The value of a line "name:value" in what INFO says. */
static bool find_value(struct str info, const char *name, struct str *value)
{
    size_t n = strlen(name);
    while (info.n > 0) {
        size_t end = str_find(info, '\n');
        struct str line = str_first(info, end);
        if (line.n > 0 && line.p[line.n - 1] == '\r')
            line.n--;
        if (line.n > n && memcmp(line.p, name, n) == 0 && line.p[n] == ':') {
            *value = str_from(line, n + 1);
            return true;
        }
        info = str_from(info, end < info.n ? end + 1 : end);
    }
    return false;
}

/* A policy is letters and dashes. */
static bool is_word(struct str text)
{
    for (size_t i = 0; i < text.n; i++) {
        char c = ascii_lower(text.p[i]);
        if (c != '-' && (c < 'a' || c > 'z'))
            return false;
    }
    return text.n > 0 && text.n < POLICY_SIZE;
}

/* Who may not ask for it, or gets no answer that makes sense, is left in peace. */
static void on_info(struct redis_call *call, struct redis_reply **reply)
{
    struct login_redis *store = (struct login_redis *)((char *)call - offsetof(struct login_redis, info));
    struct str policy;
    struct error text;
    if ((*reply)->type != REDIS_TEXT || !find_value((*reply)->text, "maxmemory_policy", &policy) || !is_word(policy))
        return;
    if (str_is(policy, "noeviction")) {
        store->policy[0] = '\0';
    } else if (!str_is(policy, store->policy)) {
        (void)snprintf(store->policy, sizeof store->policy, "%.*s", STR_ARGS(policy));
        (void)error_set(&text, 0,
                        "%s can lose logins when its memory is full: its maxmemory-policy is %s, and should be "
                        "noeviction",
                        redis_link_name(store->client.link), store->policy);
        store->listener.warned(store->listener.context, text.text);
    }
}

void login_policy_ask(struct login_redis *store)
{
    static const struct str words[] = { STR("INFO"), STR("memory") };
    store->info.replied = on_info;
    (void)redis_link_send(store->client.link, &store->info, 2, words); /* without memory it is not asked this time */
}
