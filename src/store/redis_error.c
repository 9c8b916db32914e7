#include "store/redis_error.h"

#include <stdio.h>

enum { QUOTED_MAX = 80 };

/* code is the beginning of the error, up to a blank or the end. */
static const struct {
    const char *code;
    enum redis_error_kind kind;
    const char *words;
} known[] = {
    { "LOADING", REDIS_ERROR_AWAY, "it is loading its data" },
    { "NOAUTH", REDIS_ERROR_AWAY, "it wants a password" },
    { "WRONGPASS", REDIS_ERROR_AWAY, "it refuses the user or the password" },
    { "MASTERDOWN", REDIS_ERROR_AWAY, "it is a replica that has lost its master" },
    { "CLUSTERDOWN", REDIS_ERROR_AWAY, "its cluster is down" },
    { "MOVED", REDIS_ERROR_AWAY, "it is a node of a cluster" },
    { "BUSY", REDIS_ERROR_AWAY, "it is busy with somebody's script" },
    { "DENIED", REDIS_ERROR_AWAY, "it is in protected mode" },
    { "ERR max number of clients reached", REDIS_ERROR_AWAY, "it has too many clients" },
    { "READONLY", REDIS_ERROR_READONLY, "it is a replica" },
    { "OOM", REDIS_ERROR_NO_WRITES, "its memory is full" },
    { "MISCONF", REDIS_ERROR_NO_WRITES, "it cannot save to its disk" },
    { "NOREPLICAS", REDIS_ERROR_NO_WRITES, "too few replicas follow it" },
    { "NOPERM", REDIS_ERROR_NO_WRITES, "its user lacks a permission" },
    /* Redis 7, of a command within a script. */
    { "ERR The user executing the script can't run this command", REDIS_ERROR_NO_WRITES,
      "its user lacks a permission" },
    { "WRONGTYPE", REDIS_ERROR_BAD_KEY, "its key for this address is no sorted set" },
};

enum { N_KNOWN = sizeof known / sizeof *known };

static bool begins_with(struct str text, const char *code)
{
    size_t n = strlen(code);
    return text.n >= n && memcmp(text.p, code, n) == 0 && (text.n == n || text.p[n] == ' ');
}

/* Redis 6: "ERR Error running script (call to f_...): @user_script:4: WRONGTYPE ...". */
static struct str without_script(struct str text)
{
    static const char place[] = "@user_script:";
    const char *at = begins_with(text, "ERR") ? memmem(text.p, text.n, place, sizeof place - 1) : NULL;
    if (!at)
        return text;
    struct str rest = str_from(text, (size_t)(at - text.p) + sizeof place - 1);
    size_t i = 0;
    while (i < rest.n && (ascii_is_digit(rest.p[i]) || rest.p[i] == ' ' || rest.p[i] == ':' || rest.p[i] == '-'))
        i++;
    return i < rest.n ? str_from(rest, i) : text;
}

static size_t find_known(struct str text)
{
    size_t i = 0;
    text = without_script(text);
    while (i < N_KNOWN && !begins_with(text, known[i].code))
        i++;
    return i;
}

enum redis_error_kind redis_error_classify(struct str text, const char **words)
{
    size_t i = find_known(text);
    *words = i < N_KNOWN ? known[i].words : NULL;
    return i < N_KNOWN ? known[i].kind : REDIS_ERROR_OTHER;
}

bool redis_error_is_wrong_type(struct str text)
{
    const char *words;
    return redis_error_classify(text, &words) == REDIS_ERROR_BAD_KEY;
}

static bool holds(struct str text, const char *secret)
{
    return *secret && memmem(text.p, text.n, secret, strlen(secret)) != NULL;
}

void redis_error_describe(struct str text, const struct redis_url *url, char out[REDIS_QUOTE_SIZE])
{
    size_t i = find_known(text);
    if (i < N_KNOWN) {
        int code = (int)strcspn(known[i].code, " ");
        (void)snprintf(out, REDIS_QUOTE_SIZE, "%s (%.*s)", known[i].words, code, known[i].code);
    } else if (holds(text, url->user) || holds(text, url->password)) {
        (void)snprintf(out, REDIS_QUOTE_SIZE, "it gives an error that is not shown");
    } else {
        int n = snprintf(out, REDIS_QUOTE_SIZE, "it says \"%.*s\"", (int)(text.n < QUOTED_MAX ? text.n : QUOTED_MAX),
                         text.p);
        for (int at = 0; at < n; at++)
            if (ascii_is_control(out[at]) || (unsigned char)out[at] >= 0x80)
                out[at] = '?';
    }
}
