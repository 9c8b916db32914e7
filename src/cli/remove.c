/*
 * gatepost remove.
 */
#include "cli/command.h"
#include "cli/task.h"

#include <string.h>

/* Of accept entries without --client: the only one for the sender, whatever its client. */
static int choose_clients(const struct task *task, const struct found_list *there)
{
    for (size_t f = 0, n; f < there->n; f += n) {
        int key = there->rows[f].key;
        for (n = 1; f + n < there->n && there->rows[f + n].key == key; n++)
            ;
        if (n > 1)
            return cli_fail(STATUS_REFUSED,
                            "\"%s\" is there for %zu clients: say --client BLOCK or --any-client; "
                            "gatepost list accept shows them",
                            task->texts[key], n);
    }
    return STATUS_DONE;
}

/* A row must have the kind's value. */
static int check_value(const struct task *task, const struct found *found)
{
    const struct kind *is = kind_of(task->kind->table, found->row.value);
    if (is == task->kind)
        return STATUS_DONE;
    return cli_fail(STATUS_REFUSED, "\"%s\" is there as %s, not as %s: gatepost remove %s %s", task->texts[found->key],
                    is->name, task->kind->name, is->name, task->keys[found->key].text);
}

/* Each key must be there. */
static int check_found(const struct task *task, const struct found_list *there)
{
    size_t f = 0;
    int status = STATUS_DONE;
    for (int i = 0; i < task->n_keys && status == STATUS_DONE; i++) {
        if (task_is_repeated(task, i))
            continue;
        if (f == there->n || there->rows[f].key != i)
            return cli_fail(STATUS_REFUSED, "%s \"%s\" is not there; gatepost list %s shows what is", task->kind->name,
                            task->texts[i], task->kind->name);
        for (; f < there->n && there->rows[f].key == i && status == STATUS_DONE; f++)
            status = check_value(task, &there->rows[f]);
    }
    return status;
}

static int remove_all(const struct cli *cli, struct task *task, struct rule_db *db)
{
    struct error error;
    struct rule_edit edit;
    bool named = task->client.text || task->client.any;
    bool whole_sender = (task->kind->options & KIND_HAS_CLIENT) != 0 && !named;
    struct found_list there = { 0 };
    int status = STATUS_DONE;
    int r = rule_edit_begin(&edit, db, &error);
    if (r < 0)
        return cli_fail(cli_status_of(r), "%s", error.text);
    r = task_find(task, db, whole_sender, &there, &error);
    if (r == 0)
        status = check_found(task, &there);
    if (r == 0 && status == STATUS_DONE && whole_sender)
        status = choose_clients(task, &there);
    for (size_t f = 0; f < there.n && r == 0 && status == STATUS_DONE; f++)
        r = rule_edit_delete(&edit, task->kind->table, there.rows[f].row.rowid, &error);
    if (r == 0 && status == STATUS_DONE)
        r = rule_edit_commit(&edit, cli_by(cli), &error);
    if (r < 0)
        status = cli_fail(cli_status_of(r), "%s", error.text);
    rule_edit_rollback(&edit);
    for (size_t f = 0; f < there.n && status == STATUS_DONE; f++) {
        printf("removed %s ", task->kind->name);
        cli_put(stdout, there.rows[f].row.key);
        printf("%s%s\n", there.rows[f].row.client[0] ? " from " : "", there.rows[f].row.client);
    }
    found_fini(&there);
    return status;
}

static int run_remove(struct cli *cli, int argc, char **argv, const struct option *all_options)
{
    struct task task;
    struct rule_db *db = NULL;
    int status = task_read(cli, &task, argc, argv, all_options);
    if (status == STATUS_DONE)
        status = cli_open(cli, DATABASE_EXPECT, &db);
    if (status == STATUS_DONE)
        status = remove_all(cli, &task, db);
    rule_db_close(db);
    task_fini(&task);
    return status;
}

static const struct option remove_options[] = {
    { "client", required_argument, NULL, OPTION_CLIENT },
    { "any-client", no_argument, NULL, OPTION_ANY_CLIENT },
    { NULL, 0, NULL, 0 },
};

const struct command remove_command = {
    "remove",
    "KIND KEY... [--client BLOCK | --any-client]",
    "Removes rules, all or none, in whatever spelling they are stored.",
    "gatepost remove deny 203.0.113.0/24",
    remove_options,
    run_remove,
};
