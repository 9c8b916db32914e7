#include "store/redis_query.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* KEYS[1]; user, ends_at, now. A login is prolonged and never shortened, what has ended goes, and the key expires with
 * its last login: set each time, so that a key without expiry gets one. A score that somebody else wrote can be too
 * great for a time; 1e11 is in the year 5138. */
static const char record_script[] =
    "local was = redis.call('ZSCORE', KEYS[1], ARGV[1])\n"
    "if not was or tonumber(was) < tonumber(ARGV[2]) then redis.call('ZADD', KEYS[1], ARGV[2], ARGV[1]) end\n"
    "redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', ARGV[3])\n"
    "local last = redis.call('ZREVRANGE', KEYS[1], 0, 0, 'WITHSCORES')[2]\n"
    "if last then redis.call('EXPIREAT', KEYS[1], string.format('%.0f', math.min(tonumber(last), 1e11))) end\n"
    "return 1";

/* KEYS[1]; "(now". The number of logins that were live. */
static const char remove_script[] = "local n = redis.call('ZCOUNT', KEYS[1], ARGV[1], '+inf')\n"
                                    "redis.call('DEL', KEYS[1])\n"
                                    "return n";

bool redis_query_key(const char *prefix, struct str address, char text[REDIS_KEY_SIZE], struct str *key)
{
    int n = snprintf(text, REDIS_KEY_SIZE, "%slogin:%.*s", prefix, STR_ARGS(address));
    if (n < 0 || n >= REDIS_KEY_SIZE)
        return false;
    *key = str_make(text, (size_t)n);
    return true;
}

static struct str number(char text[REDIS_NUMBER_SIZE], const char *sign, int64_t value)
{
    (void)snprintf(text, REDIS_NUMBER_SIZE, "%s%" PRId64, sign, value);
    return str_of(text);
}

int redis_query_record(struct redis_link *link, struct redis_call *call, struct str key,
                       const struct login_request *request)
{
    char ends[REDIS_NUMBER_SIZE], now[REDIS_NUMBER_SIZE];
    const struct str words[] = { STR("EVAL"),
                                 STR(record_script),
                                 STR("1"),
                                 key,
                                 request->user,
                                 number(ends, "", request->ends_at),
                                 number(now, "", request->now) };
    return redis_link_send(link, call, sizeof words / sizeof *words, words);
}

int redis_query_look_up(struct redis_link *link, struct redis_call *call, struct str key,
                        const struct login_request *request)
{
    char after[REDIS_NUMBER_SIZE], most[REDIS_NUMBER_SIZE];
    const struct str words[] = { STR("ZRANGEBYSCORE"), key,      number(after, "(", request->now),     STR("+inf"),
                                 STR("LIMIT"),         STR("0"), number(most, "", LOGIN_NAMES_MAX + 1) };
    return redis_link_send(link, call, sizeof words / sizeof *words, words);
}

void redis_query_trial(struct str words[REDIS_TRIAL_WORDS], struct str key)
{
    const struct str trial[REDIS_TRIAL_WORDS] = { STR("ZRANGEBYSCORE"), key,      STR("+inf"), STR("+inf"),
                                                  STR("LIMIT"),         STR("0"), STR("1") };
    memcpy(words, trial, sizeof trial);
}

int redis_query_remove(struct redis_link *link, struct redis_call *call, struct str key,
                       const struct login_request *request)
{
    char after[REDIS_NUMBER_SIZE];
    const struct str words[] = { STR("EVAL"), STR(remove_script), STR("1"), key, number(after, "(", request->now) };
    return redis_link_send(link, call, sizeof words / sizeof *words, words);
}

int redis_query_members(struct redis_link *link, struct redis_call *call, struct str key, int64_t now)
{
    char after[REDIS_NUMBER_SIZE], most[REDIS_NUMBER_SIZE];
    const struct str words[] = {
        STR("ZRANGEBYSCORE"), key,      number(after, "(", now),          STR("+inf"), STR("WITHSCORES"),
        STR("LIMIT"),         STR("0"), number(most, "", LOGIN_NAMES_MAX)
    };
    return redis_link_send(link, call, sizeof words / sizeof *words, words);
}

bool redis_query_is_texts(const struct redis_reply *reply)
{
    if (reply->type != REDIS_ARRAY)
        return false;
    for (size_t i = 0; i < reply->n_elements; i++)
        if (reply->elements[i]->type != REDIS_TEXT)
            return false;
    return true;
}

int64_t redis_query_score(struct str text)
{
    char *end;
    double score = strtod(text.p, &end);
    if (end == text.p || *end != '\0' || score != score)
        return 0;
    if (score >= (double)INT64_MAX)
        return INT64_MAX;
    return score <= 0 ? 0 : (int64_t)score;
}
