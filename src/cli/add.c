/*
 * gatepost add.
 */
#include "cli/command.h"
#include "cli/task.h"
#include "console/rule_check.h"
#include "console/times.h"

#include <string.h>

static int check_values(const struct task *task)
{
    struct error error;
    int r = rule_check_note(str_of(task->row.note), &error);
    for (int i = 0; i < task->n_keys && r == 0; i++)
        r = rule_check(task->kind, &task->keys[i], task->row.value, &error);
    return r < 0 ? cli_fail(cli_status_of(r), "%s", error.text) : STATUS_DONE;
}

static bool has_value(const struct task *task, const struct stored_row *row)
{
    return strcmp(task->row.value ? task->row.value : "", row->value) == 0;
}

static bool is_expired(const struct task *task, const struct stored_row *row)
{
    return row->has_expiry && row->expires <= task->now;
}

static int refuse_other_value(const struct task *task, const struct found *found)
{
    const struct kind *is = kind_of(task->kind->table, found->row.value);
    const char *column = rule_tables[task->kind->table].value;
    return cli_fail(STATUS_REFUSED, "\"%s\" is there already, with %s \"%s\"; to turn it, first: gatepost remove %s %s",
                    task->texts[found->key], column ? column : "value", found->row.value, is->name,
                    task->keys[found->key].text);
}

/* Says what has been made of a key, where that is not what was written. */
static void print_done(const char *what, const struct task *task, int i)
{
    const struct rule_key *key = &task->keys[i];
    printf("%s %s ", what, task->kind->name);
    cli_put(stdout, key->text);
    if (task->row.client[0])
        printf(" from %s", task->row.client);
    if (strcmp(key->text, task->texts[i]) != 0) {
        printf(" (written ");
        cli_put(stdout, task->texts[i]);
        printf("%s)", key->is_block && key->block.host_bits ? "; bits below the mask are cleared" : "");
    }
    if (task->row.expires != RULE_NEVER_EXPIRES) {
        char until[TIMES_TEXT_SIZE];
        times_format(task->row.expires, until);
        printf(" until %s", until);
    }
    fputc('\n', stdout);
}

/* Writes one key; those that are there and mean the same begin at *at, which is moved behind them. */
static int add_key(struct rule_edit *edit, const struct task *task, const struct found_list *there, size_t *at, int i,
                   struct error *error)
{
    struct new_row row = task->row;
    bool renewed = false;
    int r = 0;
    row.key = task->keys[i].text;
    for (; *at < there->n && there->rows[*at].key == i && r == 0; ++*at) {
        const struct stored_row *found = &there->rows[*at].row;
        if (is_expired(task, found)) {
            r = rule_edit_delete(edit, row.table, found->rowid, error);
        } else {
            r = rule_edit_update(edit, found->rowid, &row, error);
            renewed = true;
        }
    }
    return r < 0 || renewed ? r : rule_edit_insert(edit, &row, error);
}

static int add_all(const struct cli *cli, struct task *task, struct rule_db *db)
{
    struct error error;
    struct rule_edit edit;
    struct found_list there = { 0 };
    int status = STATUS_DONE;
    int r = rule_edit_begin(&edit, db, &error);
    if (r < 0)
        return cli_fail(cli_status_of(r), "%s", error.text);
    r = task_find(task, db, false, &there, &error);
    for (size_t f = 0; f < there.n && r == 0 && status == STATUS_DONE; f++)
        if (!is_expired(task, &there.rows[f].row) && !has_value(task, &there.rows[f].row))
            status = refuse_other_value(task, &there.rows[f]);
    size_t at = 0;
    for (int i = 0; i < task->n_keys && r == 0 && status == STATUS_DONE; i++)
        if (!task_is_repeated(task, i))
            r = add_key(&edit, task, &there, &at, i, &error);
    if (r == 0 && status == STATUS_DONE)
        r = rule_edit_commit(&edit, cli_by(cli), &error);
    if (r < 0)
        status = cli_fail(cli_status_of(r), "%s", error.text);
    rule_edit_rollback(&edit);
    for (int i = 0; i < task->n_keys && status == STATUS_DONE; i++)
        print_done("added", task, i);
    found_fini(&there);
    return status;
}

static int run_add(struct cli *cli, int argc, char **argv, const struct option *all_options)
{
    struct task task;
    struct rule_db *db = NULL;
    int status = task_read(cli, &task, argc, argv, all_options);
    if (status == STATUS_DONE && (task.kind->options & KIND_HAS_CLIENT) != 0)
        status = task_client_check(&task.client);
    if (status == STATUS_DONE)
        status = check_values(&task);
    if (status == STATUS_DONE)
        status = cli_open(cli, DATABASE_EXPECT, &db);
    if (status == STATUS_DONE)
        status = add_all(cli, &task, db);
    rule_db_close(db);
    task_fini(&task);
    return status;
}

static const struct option add_options[] = {
    { "for", required_argument, NULL, OPTION_FOR },
    { "until", required_argument, NULL, OPTION_UNTIL },
    { "note", required_argument, NULL, OPTION_NOTE },
    { "client", required_argument, NULL, OPTION_CLIENT },
    { "any-client", no_argument, NULL, OPTION_ANY_CLIENT },
    { "relay", no_argument, NULL, OPTION_RELAY },
    { "account", required_argument, NULL, OPTION_ACCOUNT },
    { "remote-mail", required_argument, NULL, OPTION_REMOTE_MAIL },
    { NULL, 0, NULL, 0 },
};

const struct command add_command = {
    "add",
    "KIND KEY... [--for 2h] [--until TIME] [--note TEXT] [--client BLOCK | --any-client] [--relay] [--account NAME] "
    "[--remote-mail yes|no]",
    "Adds rules, all or none.",
    "gatepost add deny 203.0.113.0/24 --for 2h --note \"port scans\"",
    add_options,
    run_add,
};
