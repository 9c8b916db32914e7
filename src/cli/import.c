/*
 * gatepost import.
 */
#include "cli/command.h"
#include "cli/task.h"
#include "console/kind.h"
#include "lists/list_format.h"
#include "lists/merge.h"

#include <errno.h>
#include <string.h>

enum { OPTION_FROM = 0x200, OPTION_REPLACE, OPTION_DRY_RUN };

struct import {
    const struct kind *kind;
    const char *path;
    enum list_format format; /* LIST_FORMATS: to be found out */
    bool replace, dry_run;
    const char *note;
    struct task_client client;
};

static int take_option(struct import *import, int c)
{
    switch (c) {
    case OPTION_FROM:
        import->format = list_format_by_name(optarg);
        return import->format == LIST_FORMATS
                   ? cli_usage(
                         "--from: there is no format \"%s\": it is plain, json, cidr, mynetworks, imail or icewarp",
                         optarg)
                   : STATUS_DONE;
    case OPTION_REPLACE:
        import->replace = true;
        return STATUS_DONE;
    case OPTION_DRY_RUN:
        import->dry_run = true;
        return STATUS_DONE;
    case OPTION_NOTE:
        import->note = optarg;
        return STATUS_DONE;
    case OPTION_CLIENT:
        import->client.text = optarg;
        return STATUS_DONE;
    case OPTION_ANY_CLIENT:
        import->client.any = true;
        return STATUS_DONE;
    default:
        return STATUS_USAGE;
    }
}

static int read_arguments(struct cli *cli, struct import *import, int argc, char **argv,
                          const struct option *all_options)
{
    int status = STATUS_DONE;
    for (int c; status == STATUS_DONE && (c = cli_next_option(cli, argc, argv, all_options)) != -1;)
        status = take_option(import, c);
    if (status != STATUS_DONE)
        return status;
    if (argc - optind != 2)
        return cli_usage("import takes a kind and a file, or - for standard input");
    if (!(import->kind = kind_by_name(argv[optind])))
        return STATUS_USAGE;
    import->path = argv[optind + 1];
    if ((import->client.text || import->client.any) && (import->kind->options & KIND_HAS_CLIENT) == 0)
        return cli_usage("--client and --any-client are not for the kind %s", import->kind->name);
    return task_client_read(&import->client);
}

/* Which format it is, said aloud. */
static int find_format(struct import *import, struct list_file *file)
{
    struct error error;
    if (import->format == LIST_FORMATS) {
        int r = list_format_recognise(file, import->kind, &import->format, &error);
        if (r < 0)
            return cli_fail(cli_status_of(r), "%s", error.text);
        printf("%s is read as %s (--from %s)\n", file->name, list_formats[import->format].meaning,
               list_formats[import->format].name);
    }
    bool has_blocks = list_kind_has_blocks(import->kind);
    if ((import->format == LIST_CIDR || import->format == LIST_MYNETWORKS || import->format == LIST_ICEWARP) &&
        !has_blocks)
        return cli_usage("%s are blocks of addresses: import them as deny, allow, grant or refuse",
                         list_formats[import->format].meaning);
    return STATUS_DONE;
}

/* Reads the list. Faults have been printed. */
static int read_list(const struct import *import, struct list_file *file, struct entries *entries)
{
    struct list_sink sink = entries_sink(entries);
    int r = list_formats[import->format].read(file, import->kind, &sink);
    if (r < 0)
        return cli_fail(EX_OSERR, "out of memory");
    if (entries->n_clientless > 0 || (import->kind->options & KIND_HAS_CLIENT) != 0)
        r = entries->n_clientless > 0 || import->client.any ? task_client_check(&import->client) : STATUS_DONE;
    if (file->n_latin1 > 0)
        printf("%zu %s no UTF-8, and read as Latin-1\n", file->n_latin1, file->n_latin1 == 1 ? "line is" : "lines are");
    return r;
}

static int refuse(const struct entries *entries)
{
    return cli_fail(EX_DATAERR, "%zu %s: nothing is changed", entries->n_faults,
                    entries->n_faults == 1 ? "fault" : "faults");
}

static void print_totals(const struct import *import, const struct entries *entries, const struct merge *merge,
                         int64_t first, int64_t last)
{
    const struct merge_totals *totals = merge_totals(merge);
    const struct {
        size_t n;
        const char *what;
    } parts[] = {
        { totals->changed, "changed" },         { totals->removed, "removed" },
        { totals->unchanged, "there already" }, { totals->left, "left to whom they belong" },
        { entries->n_repeated, "repeated" },    { entries->n_passed_over, "not taken" },
    };
    printf("%s%zu rules: %zu added", import->dry_run ? "would import " : "imported ", entries->n, totals->added);
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (parts[i].n > 0)
            printf(", %zu %s", parts[i].n, parts[i].what);
    fputc('\n', stdout);
    if (!import->dry_run)
        merge_print_undo(first, last);
    if (!import->client.any) /* of which task_client_check has told */
        merge_warn_of_forging(merge);
}

static int merge_into(const struct cli *cli, const struct import *import, struct rule_db *db, struct entries *entries)
{
    const struct list_format_info *format = &list_formats[import->format];
    struct merge_options options = { .replace = import->replace,
                                     .whole_table = format->whole_table,
                                     .exact = format->states_all,
                                     .show = import->dry_run };
    struct merge *merge = merge_new(entries, &options);
    struct error error;
    int64_t first = 1, last = 0;
    int status = STATUS_DONE;
    if (!merge)
        return cli_fail(EX_OSERR, "out of memory");
    int r = merge_begin(merge, db, &error);
    if (r == 0 && entries->n_faults > 0) {
        status = refuse(entries);
    } else if (r == 0 && import->dry_run) {
        merge_rollback(merge);
        merge_show(merge, stdout);
    } else if (r == 0) {
        r = merge_commit(merge, cli_by(cli), &first, &last, &error);
    }
    if (r < 0)
        status = cli_fail(cli_status_of(r), "%s", error.text);
    if (status == STATUS_DONE)
        print_totals(import, entries, merge, first, last);
    merge_free(merge);
    return status;
}

static int import_file(struct cli *cli, struct import *import, struct list_file *file)
{
    struct entries entries;
    struct rule_db *db = NULL;
    int status = find_format(import, file);
    if (status != STATUS_DONE)
        return status;
    entries_init(&entries, file->name, import->kind, import->note, task_client_text(&import->client));
    status = read_list(import, file, &entries);
    if (status == STATUS_DONE && entries.n_faults > 0)
        status = refuse(&entries);
    if (status == STATUS_DONE)
        status = cli_open(cli, DATABASE_EXPECT, &db);
    if (status == STATUS_DONE)
        status = merge_into(cli, import, db, &entries);
    rule_db_close(db);
    entries_fini(&entries);
    return status;
}

static int run_import(struct cli *cli, int argc, char **argv, const struct option *all_options)
{
    struct import import = { .format = LIST_FORMATS };
    struct list_file file = { 0 };
    struct error error;
    int status = read_arguments(cli, &import, argc, argv, all_options);
    if (status == STATUS_DONE) {
        int r = list_file_read(&file, import.path, &error);
        status = r < 0 ? cli_fail(r == -ENOMEM ? EX_OSERR : EX_DATAERR, "%s", error.text) : STATUS_DONE;
    }
    if (status == STATUS_DONE)
        status = import_file(cli, &import, &file);
    list_file_fini(&file);
    rule_key_fini(&import.client.key);
    return status;
}

static const struct option import_options[] = {
    { "from", required_argument, NULL, OPTION_FROM },
    { "replace", no_argument, NULL, OPTION_REPLACE },
    { "dry-run", no_argument, NULL, OPTION_DRY_RUN },
    { "note", required_argument, NULL, OPTION_NOTE },
    { "client", required_argument, NULL, OPTION_CLIENT },
    { "any-client", no_argument, NULL, OPTION_ANY_CLIENT },
    { NULL, 0, NULL, 0 },
};

const struct command import_command = {
    "import",
    "KIND FILE [--from FORMAT] [--replace] [--dry-run] [--note TEXT] [--client BLOCK | --any-client]",
    "Takes a list of gatepost, IMail, IceWarp or Postfix; all or nothing.",
    "gatepost import kill kill.lst --dry-run",
    import_options,
    run_import,
};
