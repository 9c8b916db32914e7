/*
 * changes: the requests that one rule set answers otherwise than another, grouped by what causes it.
 */
#ifndef GATEPOST_REPLAY_CHANGES_H
#define GATEPOST_REPLAY_CHANGES_H

#include "core/reply.h"
#include "replay/verdict.h"
#include "store/rule_diff.h"

enum { CHANGE_EXAMPLES = 10, CHANGE_TEXT_BYTES = 256 /* of each text of an example; what is longer is cut */ };

enum change_field {
    CHANGE_STATE,
    CHANGE_CLIENT,
    CHANGE_NAME,
    CHANGE_SENDER,
    CHANGE_RECIPIENT,
    CHANGE_BEFORE, /* the replies */
    CHANGE_AFTER,
    CHANGE_FIELDS
};

struct change_example {
    struct str field[CHANGE_FIELDS];
    int64_t at; /* when it was recorded, in Unix seconds, or 0 */
    char *texts;
};

/* Requests that are answered otherwise in the same way for the same cause. */
struct change {
    uint64_t n;
    bool is_text_alone; /* the answer is the same, in other words */
    char *cause, *before, *after;
    struct change_example example[CHANGE_EXAMPLES];
    size_t n_examples;
};

struct changes {
    const struct rules *before, *after;
    const struct rule_diff *diff;
    bool differs[SETTING_COUNT];
    bool text_differs; /* one that makes the words of a reply */
    uint64_t n;
    struct key_map groups; /* of struct change */
};

/* The rule sets and what differs between them must outlive it. */
void changes_init(struct changes *changes, const struct rules *before, const struct rules *after,
                  const struct rule_diff *diff);
void changes_fini(struct changes *changes);

/* Takes the verdicts of both on a request. Returns 0, or -ENOMEM. */
int changes_add(struct changes *changes, const struct request *request, const struct verdict *before,
                const struct verdict *after);

/* All groups, the greatest first; the caller frees the array. Returns how many there are, or -ENOMEM. */
long changes_sort(const struct changes *changes, const struct change ***sorted);

#endif
