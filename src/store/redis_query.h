/*
 * redis_query: what is asked of Redis about logins, as commands and their replies.
 *
 * One sorted set per address holds its logins: member = login name, score = the Unix second at which it ends. The key
 * expires with its last member. Records and removals are one script each, so that nothing is ever half done.
 */
#ifndef GATEPOST_STORE_REDIS_QUERY_H
#define GATEPOST_STORE_REDIS_QUERY_H

#include "store/login_store.h"
#include "store/redis_client.h"

enum {
    REDIS_PREFIX_MAX = 255,
    REDIS_KEY_SIZE = REDIS_PREFIX_MAX + sizeof "login:" + IP_TEXT_SIZE,
    REDIS_NUMBER_SIZE = 24 /* "(", a number of 64 bits and a NUL */
};

/* The name of an address' key; the text is as long as key->n. False where prefix or address is longer than any is. */
bool redis_query_key(const char *prefix, struct str address, char text[REDIS_KEY_SIZE], struct str *key);

/* Send the command for a request of this kind. Return as redis_link_send. */
int redis_query_record(struct redis_link *link, struct redis_call *call, struct str key,
                       const struct login_request *request);
int redis_query_look_up(struct redis_link *link, struct redis_call *call, struct str key,
                        const struct login_request *request);
int redis_query_remove(struct redis_link *link, struct redis_call *call, struct str key,
                       const struct login_request *request);

/* A look-up that finds nothing, of no address; key is as from redis_query_key. */
void redis_query_trial(struct str words[REDIS_TRIAL_WORDS], struct str key);

/* At most LOGIN_NAMES_MAX logins with their ends, for a list. */
int redis_query_members(struct redis_link *link, struct redis_call *call, struct str key, int64_t now);

/* Whether this is an array of texts alone. */
bool redis_query_is_texts(const struct redis_reply *reply);

/* The Unix second that a score stands for; others may have written what is none: then 0. */
int64_t redis_query_score(struct str text);

#endif
