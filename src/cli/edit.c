/*
 * gatepost edit: the rules of a kind as text, in the user's editor.
 */
#include "cli/command.h"
#include "console/rule_line.h"
#include "lists/editor.h"
#include "lists/list_format.h"
#include "lists/merge.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct edit {
    const struct cli *cli;
    const struct kind *kind;
    struct rule_db *db;
    struct editor editor;
    struct merge_base base;
    size_t n_rows;
    struct stat before; /* of the file */
};

/* Writing. */

static void put_head(FILE *out, const struct kind *kind)
{
    fprintf(out,
            "# gatepost %s plain\n"
            "# One rule a line: KEY%s%s%s%s [until TIME] [# NOTE]\n"
            "# What holds a blank stands in \"quotes\". Lines that begin with # count for nothing.\n"
            "# What you change here is done when you leave the editor, all of it or nothing.\n",
            kind->name, (kind->options & KIND_HAS_CLIENT) != 0 ? " from BLOCK|anywhere" : "",
            (kind->options & KIND_HAS_RELAY) != 0 ? " [relay]" : "",
            (kind->options & KIND_HAS_ACCOUNT) != 0 ? " [account NAME]" : "",
            (kind->options & KIND_HAS_REMOTE_MAIL) != 0 ? " [remote_mail yes|no]" : "");
}

/* A row that is not understood is shown, and left alone; one of another kind may get into the way of what is added. */
static int write_row(void *context, const struct stored_row *row)
{
    struct edit *edit = context;
    FILE *out = edit->editor.out;
    bool is_edited = kind_of(edit->kind->table, row->value) == edit->kind;
    int r = merge_base_add(&edit->base, edit->kind->table, row);
    if (r == -ENOMEM || !is_edited)
        return r == -ENOMEM ? r : 0;
    if (r == -EINVAL)
        fputs("# not understood, and left as it is: ", out);
    else
        edit->n_rows++;
    rule_line_write(out, edit->kind, row);
    fputc('\n', out);
    return 0;
}

static int write_rows(struct edit *edit, struct error *error)
{
    char name[64];
    (void)snprintf(name, sizeof name, "%s.gatepost", edit->kind->name);
    int r = editor_open(&edit->editor, name, error);
    if (r < 0)
        return r;
    put_head(edit->editor.out, edit->kind);
    r = rule_edit_walk(edit->db, edit->kind->table, write_row, edit, error);
    if (r == 0 && (fflush(edit->editor.out) != 0 || stat(edit->editor.path, &edit->before) < 0))
        r = error_set(error, -EIO, "%s: %s", edit->editor.path, strerror(errno));
    return r == -ENOMEM ? error_set(error, r, "out of memory") : r;
}

/* Reading. */

/* Reads the file, whose faults are those of the entries. Returns 0, or a negative errno with the fault in *error. */
static int read_entries(struct edit *edit, struct entries *entries, struct error *error)
{
    struct list_file file;
    int r = list_file_read(&file, edit->editor.path, error);
    if (r == 0) {
        struct list_sink sink = entries_sink(entries);
        file.is_ours = true;
        r = list_read_plain(&file, edit->kind, &sink);
    }
    list_file_fini(&file);
    return r == -ENOMEM ? error_set(error, r, "out of memory") : r;
}

/* What the editor shows, by which what is changed in it can be told. */
static int read_shown(struct edit *edit, struct error *error)
{
    struct entries *shown = &edit->base.shown;
    entries_init(shown, NULL, edit->kind, NULL, NULL);
    shown->quiet = true;
    return read_entries(edit, shown, error);
}

/* A fault can be mended in the editor. */
enum outcome { OUTCOME_DONE, OUTCOME_FAULT, OUTCOME_FAILED };

static void print_done(const struct merge *merge, int64_t first, int64_t last)
{
    const struct merge_totals *totals = merge_totals(merge);
    printf("%zu added, %zu changed, %zu removed\n", totals->added, totals->changed, totals->removed);
    merge_print_undo(first, last);
    merge_warn_of_forging(merge);
}

static enum outcome merge_entries(struct edit *edit, struct entries *entries, struct error *error)
{
    struct merge_options options = { .replace = true, .exact = true, .show = true, .base = &edit->base };
    struct merge *merge = merge_new(entries, &options);
    int64_t first = 1, last = 0;
    int r = merge ? merge_begin(merge, edit->db, error) : error_set(error, -ENOMEM, "out of memory");
    enum outcome outcome = r < 0 ? OUTCOME_FAILED : entries->n_faults > 0 ? OUTCOME_FAULT : OUTCOME_DONE;
    if (outcome == OUTCOME_DONE) {
        r = merge_commit(merge, cli_by(edit->cli), &first, &last, error);
        outcome = r < 0 ? OUTCOME_FAILED : OUTCOME_DONE;
    }
    if (outcome == OUTCOME_DONE) {
        merge_show(merge, stdout);
        print_done(merge, first, last);
    }
    merge_free(merge);
    return outcome;
}

/* Reads what has been edited, and does it. */
static enum outcome apply(struct edit *edit, struct error *error)
{
    struct entries entries;
    enum outcome outcome = OUTCOME_FAULT;
    entries_init(&entries, NULL, edit->kind, NULL, NULL);
    int r = read_entries(edit, &entries, error);
    if (entries.n_clientless > 0)
        (void)cli_fail(0, "%zu senders have neither from BLOCK nor from anywhere behind them", entries.n_clientless);
    entries.n_faults += entries.n_clientless;
    if (r < 0) {
        (void)cli_fail(0, "%s", error->text);
    } else if (entries.n == 0 && entries.n_faults == 0 && edit->n_rows > 0) {
        (void)cli_fail(0,
                       "nothing is left in the list: to remove all rules of a kind, use gatepost import %s "
                       "/dev/null --replace",
                       edit->kind->name);
    } else if (entries.n_faults == 0) {
        outcome = merge_entries(edit, &entries, error);
    }
    entries_fini(&entries);
    return outcome;
}

/* Asking. */

static bool wants_to_edit_again(void)
{
    char line[80];
    if (!isatty(STDIN_FILENO))
        return false;
    for (;;) {
        fputs("What now? (e)dit again, (q)uit without a change: ", stdout);
        (void)fflush(stdout);
        if (!fgets(line, sizeof line, stdin))
            return false;
        if (line[0] == 'e' || line[0] == 'q')
            return line[0] == 'e';
    }
}

/* Whether the file is what it was: the same bytes, of which there may be many. */
static bool is_unchanged(const struct edit *edit)
{
    struct stat st;
    return stat(edit->editor.path, &st) == 0 && st.st_size == edit->before.st_size &&
           st.st_mtim.tv_sec == edit->before.st_mtim.tv_sec && st.st_mtim.tv_nsec == edit->before.st_mtim.tv_nsec;
}

static int edit_until_done(struct edit *edit)
{
    struct error error;
    for (;;) {
        int r = editor_run(&edit->editor, &error);
        if (r < 0)
            return cli_fail(STATUS_REFUSED, "%s: nothing is changed", error.text);
        if (is_unchanged(edit)) {
            printf("nothing has been changed\n");
            return STATUS_DONE;
        }
        enum outcome outcome = apply(edit, &error);
        if (outcome == OUTCOME_DONE)
            return STATUS_DONE;
        if (outcome == OUTCOME_FAILED)
            (void)cli_fail(0, "%s", error.text);
        (void)cli_fail(0, "nothing is changed");
        if (!wants_to_edit_again())
            return outcome == OUTCOME_FAULT ? EX_DATAERR : EX_UNAVAILABLE;
    }
}

static int edit_kind(struct edit *edit)
{
    struct error error;
    int r = write_rows(edit, &error);
    if (r == 0)
        r = read_shown(edit, &error);
    int status = r < 0 ? cli_fail(cli_status_of(r), "%s", error.text) : edit_until_done(edit);
    bool keep = r == 0 && status != STATUS_DONE && !is_unchanged(edit) && access(edit->editor.path, F_OK) == 0;
    if (keep)
        (void)cli_fail(0, "what you wrote is kept in %s", edit->editor.path);
    editor_close(&edit->editor, keep);
    return status;
}

static int run_edit(struct cli *cli, int argc, char **argv, const struct option *all_options)
{
    struct edit edit = { .cli = cli };
    if (cli_next_option(cli, argc, argv, all_options) != -1)
        return STATUS_USAGE;
    if (argc - optind != 1)
        return cli_usage("edit takes one kind");
    if (!(edit.kind = kind_by_name(argv[optind])))
        return STATUS_USAGE;
    int status = cli_open(cli, DATABASE_EXPECT, &edit.db);
    if (status == STATUS_DONE)
        status = edit_kind(&edit);
    merge_base_fini(&edit.base);
    rule_db_close(edit.db);
    return status;
}

const struct command edit_command = {
    "edit", "KIND", "Opens the rules of a kind in your editor.", "gatepost edit deny", NULL, run_edit,
};
