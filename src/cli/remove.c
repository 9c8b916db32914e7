/*
 * gatepost remove.
 */
#include "cli/command.h"
#include "cli/task.h"

#include <string.h>

/* Of accept entries without --client: the only one for the sender, whatever its client. */
static int choose_clients(struct task *task, const struct found_list *there)
{
    for (int i = 0; i < task->n_keys; i++) {
        size_t n = 0;
        for (size_t f = 0; f < there->n; f++)
            n += there->rows[f].key == i;
        if (n > 1)
            return cli_fail(STATUS_REFUSED,
                            "\"%s\" is there for %zu clients: say --client BLOCK or --any-client; "
                            "gatepost list accept shows them",
                            task->texts[i], n);
    }
    return STATUS_DONE;
}

/* Each key must be there, with the kind's value. */
static int check_found(const struct task *task, const struct found_list *there)
{
    for (int i = 0; i < task->n_keys; i++) {
        bool found = false;
        for (size_t f = 0; f < there->n; f++) {
            const struct found *row = &there->rows[f];
            if (strcmp(task->keys[row->key].text, task->keys[i].text) != 0)
                continue;
            found = true;
            const struct kind *is = kind_of(task->kind->table, row->row.value);
            if (is != task->kind)
                return cli_fail(STATUS_REFUSED, "\"%s\" is there as %s, not as %s: gatepost remove %s %s",
                                task->texts[i], is->name, task->kind->name, is->name, task->keys[i].text);
        }
        if (!found)
            return cli_fail(STATUS_REFUSED, "%s \"%s\" is not there; gatepost list %s shows what is", task->kind->name,
                            task->texts[i], task->kind->name);
    }
    return STATUS_DONE;
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
