/*
 * task: what `gatepost add` and `gatepost remove` are told, and the rows that they find for it.
 */
#ifndef GATEPOST_CLI_TASK_H
#define GATEPOST_CLI_TASK_H

#include "console/cli.h"
#include "console/kind.h"
#include "core/key_map.h"
#include "store/rule_edit.h"

/* The options of both. */
enum {
    OPTION_FOR = 0x100,
    OPTION_UNTIL,
    OPTION_NOTE,
    OPTION_CLIENT,
    OPTION_ANY_CLIENT,
    OPTION_RELAY,
    OPTION_ACCOUNT,
    OPTION_REMOTE_MAIL
};

/* From which clients, as --client and --any-client say. */
struct task_client {
    const char *text; /* as given, or NULL */
    bool any;
    struct rule_key key; /* the same, understood */
};

/* Understands the client. Returns 0, or after a message an exit status. The caller calls rule_key_fini on the key,
 * after a failure too. */
int task_client_read(struct task_client *client);

/* Canonical; "" for any; NULL where nothing is said. */
const char *task_client_text(const struct task_client *client);

/* Who may relay from anywhere, and is told apart by nothing but a sender that can be forged, must have been meant.
 * Returns 0, with a warning where it is; or after a message an exit status. */
int task_client_check(const struct task_client *client);

struct task {
    const struct kind *kind;
    struct new_row row; /* what all rows have in common; key is set for each */
    struct task_client client;
    char **texts;          /* the keys as given */
    struct rule_key *keys; /* the same, understood */
    int n_keys;
    struct key_map by_text; /* canonical text to the first key that means the same */
    int64_t now;
};

/* Reads the arguments KIND KEY... and the options. Returns 0, or after a message an exit status. The caller calls
 * task_fini, after a failure too. */
int task_read(struct cli *cli, struct task *task, int argc, char **argv, const struct option *all_options);
void task_fini(struct task *task);

/* A row of the database whose key means the same as one of the task's. */
struct found {
    int key; /* the first of the task's that it means the same as */
    struct stored_row row;
    char *texts; /* holds those of the row */
};

struct found_list {
    struct found *rows;
    size_t n, size;
};

/* Whether a key before this one means the same. */
bool task_is_repeated(const struct task *task, int key);

/* Finds all rows whose keys mean the same as one of the task's: with the task's client, or with any. Reads the whole
 * table, since a key may be stored in any spelling. They come in the order of the task's keys. Returns 0, or a negative
 * errno with the fault in *error. */
int task_find(const struct task *task, struct rule_db *db, bool with_any_client, struct found_list *found,
              struct error *error);
void found_fini(struct found_list *found);

#endif
