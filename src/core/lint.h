/*
 * lint: what in the rules is dangerous, wrong or useless.
 *
 * It is shown all rows, table by table, and tells what it finds: of each row one thing at most, that which matters
 * most. What it finds useless can be removed, all of it at once, without a decision ever being another; a row that it
 * wants removed for being dangerous is never the reason why another is called useless.
 *
 * It keeps one table at a time, and of local_domain what the lists are compared with; its cost is that of looking up
 * each row among the others.
 */
#ifndef GATEPOST_CORE_LINT_H
#define GATEPOST_CORE_LINT_H

#include "core/rule.h"

enum lint_severity {
    LINT_ERROR,   /* the relay is open, nobody can connect, or a row does not count */
    LINT_WARNING, /* probably not meant so */
    LINT_NOTE,    /* to be tidied up */
    LINT_SEVERITIES
};

/* Their names never change their meaning. */
enum lint_code {
    LINT_NOT_UNDERSTOOD,
    LINT_OVERRULED,
    LINT_RELAY_ANYONE,
    LINT_FORGED_SENDER,
    LINT_GRANT_EVERYBODY,
    LINT_GRANT_PUBLIC_SUFFIX,
    LINT_ACCEPT_EVERYBODY,
    LINT_NOBODY_MAY_CONNECT,
    LINT_GRANT_GREAT_BLOCK,
    LINT_GRANT_PRIVATE,
    LINT_GRANT_DOCKER,
    LINT_ACCEPT_ANY_CLIENT,
    LINT_ACCEPT_GREAT_BLOCK,
    LINT_LOGINS_UNLIMITED,
    LINT_LIST_WITH_DOMAIN,
    LINT_HOST_BITS,
    LINT_DUPLICATE,
    LINT_SHADOWED,
    LINT_EXPIRED,
    LINT_OBSERVE,
    LINT_NO_LOCAL_DOMAIN,
    LINT_CODES,
    LINT_NOTHING = LINT_CODES
};

struct lint_info {
    const char *name;
    enum lint_severity severity;
    const char *why; /* a sentence without its full stop; what it refers to may be put behind it */
};

extern const struct lint_info lint_infos[LINT_CODES];
extern const char *const lint_severity_names[LINT_SEVERITIES];

/* LINT_NOTHING where no code has that name. */
enum lint_code lint_code_by_name(struct str name);

struct lint_finding {
    int64_t row;   /* as it was given; of a finding about no row 0 */
    int64_t other; /* the row that counts in its place, where has_other */
    uint8_t code, table;
    bool has_row, has_other;
    bool alone; /* its key is understood, and that of no other row of the table means the same */
};

/* Called with each finding. Returns 0 to go on, or a negative errno, which is handed on. */
typedef int lint_found(void *context, const struct lint_finding *finding);

struct lint;

/* Rows are looked at as of now, in Unix seconds. NULL where memory is short. */
struct lint *lint_new(int64_t now, lint_found *found, void *context);

/* NULL is fine. */
void lint_free(struct lint *lint);

/* One more row of the table, which `id` stands for. The tables come in the order of enum rule_table, each to be ended
 * with lint_end. Returns 0, -ENOMEM, or what found returned. */
int lint_row(struct lint *lint, const struct rule_row *row, int64_t id);
int lint_end(struct lint *lint, enum rule_table table);

/* The Docker bridge's own address, from which all comes that a container is sent from outside. */
#define LINT_DOCKER_GATEWAY "172.17.0.1"

#endif
