/*
 * redis_error: what the error replies of Redis mean for logins, and how they are told to people.
 *
 * Redis puts a code in capitals in front of an error. Where a script failed, Redis 7 still does; Redis 6 puts its own
 * words and the place in the script in front of the code.
 */
#ifndef GATEPOST_STORE_REDIS_ERROR_H
#define GATEPOST_STORE_REDIS_ERROR_H

#include "store/redis_url.h"

enum redis_error_kind {
    REDIS_ERROR_AWAY,     /* this server cannot be asked for now, or by us: it counts as away */
    REDIS_ERROR_READONLY, /* a replica, which takes no writes */
    REDIS_ERROR_NO_WRITES,
    REDIS_ERROR_BAD_KEY,
    REDIS_ERROR_OTHER
};

enum { REDIS_QUOTE_SIZE = 128 };

/* What kind of error this is, and in *words what it says of the server ("it is a replica"); NULL for
 * REDIS_ERROR_OTHER. */
enum redis_error_kind redis_error_classify(struct str text, const char **words);

/* Whether a key is of another type than the command wants. */
bool redis_error_is_wrong_type(struct str text);

/* The words and the code, or, where there are none, the server's text: cut, with control and non-ASCII characters
 * replaced, and not at all where it holds the user or the password of the URL. */
void redis_error_describe(struct str text, const struct redis_url *url, char out[REDIS_QUOTE_SIZE]);

#endif
