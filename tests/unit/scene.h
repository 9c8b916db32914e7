/*
 * scene: a small language in which a case of the decision is one line of a table.
 *
 * Rules are statements separated by `;`:
 *
 *   deny BLOCK          allow BLOCK             access_block
 *   grant CLIENT        refuse BLOCK            relay_grant
 *   kill PATTERN        accept PATTERN [BLOCK]  kill_entry, accept_entry
 *   domain NAME         relay NAME              local_domain
 *   user ADDRESS [ACCOUNT]                      local_user
 *   list ADDRESS [yes|no]                       local_list
 *   NAME=VALUE                                  setting; the value goes to the `;`
 *
 * A rule may end in `until SECONDS`. A request is a protocol state and attributes, separated by blanks, each `from=`,
 * `to=` … or by its whole name; in values `~` is a blank and \t a tab. What is not said is as in scene_request of
 * scene.c. Logins are names separated by blanks; `none`; `away` for a store that does not answer, with the names that
 * wait for it; `more` in front of the names where the store has more than it tells; NULL: not asked.
 */
#ifndef GATEPOST_TESTS_SCENE_H
#define GATEPOST_TESTS_SCENE_H

#include "core/decide.h"
#include "core/reply.h"

enum { SCENE_NOW = 1000, SCENE_LOGINS = 32 };

struct scene {
    struct rules *rules;
    char *wire; /* the request as bytes */
    struct request request;
    char *login_words;
    struct str logins[SCENE_LOGINS];
    struct login_facts facts;
    struct decision decision;
    char action[REPLY_MAX_BYTES + 1]; /* what comes after action= */
};

/* A rule set; a statement that is refused fails the test. The caller calls rules_free. */
struct rules *scene_rules(const char *text);

/* A request as Postfix would send it. The caller frees it. */
char *scene_wire(const char *text);

/* Parses the bytes of one whole policy request, or fails the test. */
void scene_parse(const char *wire, struct request *request);

/* Decides, and writes the reply. The caller calls scene_fini. */
void scene_decide(struct scene *scene, const char *rules, const char *request, const char *logins, int64_t now);
void scene_fini(struct scene *scene);

/*
 * Fails the test, naming `what`, where the decision is not as expected:
 *
 *   DUNNO, OK, BCC ADDRESS        that answer, for no reason
 *   REASON[:DOMAIN]               the refusal of SPEC 8 in reply style verb with its default text, for this domain
 *   ? ADDRESS                     the login of that address is to be looked up
 *
 * and after a blank ` would=REASON,REASON` in the order of SPEC 8, and ` do=ACTION`: what would have been done.
 * Without them nothing was observed, and what would have been done was done.
 */
void scene_expect(const struct scene *scene, const char *what, const char *expected);

/* What most tables are made of. */
struct scene_case {
    const char *what; /* must hold */
    const char *rules, *request, *logins, *expected;
};

/* Decides the case at SCENE_NOW, and fails the test where it is not as expected. */
void scene_check(const struct scene_case *row);

/* A loop test over a table of cases. */
#define SCENE_TEST(name, table)                                                                                        \
    START_TEST(name)                                                                                                   \
    {                                                                                                                  \
        scene_check(&(table)[_i]);                                                                                     \
    }                                                                                                                  \
    END_TEST

#endif
