/*
 * gatepost export.
 */
#include "cli/command.h"
#include "console/kind.h"
#include "console/rule_line.h"
#include "lists/cidr_table.h"
#include "lists/list_format.h"

#include <errno.h>
#include <string.h>
#include <time.h>

enum { OPTION_FORMAT = 0x200 };

struct exporting {
    const struct kind *kind;
    enum list_format format;
    struct cidr_table cidr;
    size_t n;         /* rows written */
    size_t n_strange; /* not understood */
};

/* What is not understood could not be read again. */
static bool is_understood(struct exporting *exporting, const struct stored_row *row)
{
    struct rule_key key;
    int r = rule_key_parse(&key, exporting->kind->table, str_make(row->key, row->key_n), NULL);
    rule_key_fini(&key);
    if (r == -EINVAL)
        exporting->n_strange++;
    return r != -EINVAL;
}

static int visit(void *context, const struct stored_row *row)
{
    struct exporting *exporting = context;
    const struct kind *kind = kind_of(exporting->kind->table, row->value);
    bool whole_table = list_formats[exporting->format].whole_table;
    if ((kind != exporting->kind && !whole_table) || !is_understood(exporting, row))
        return 0;
    if (exporting->format == LIST_CIDR)
        return cidr_table_add(&exporting->cidr, kind, row);
    if (exporting->format == LIST_JSON) {
        fputs(exporting->n ? ",\n " : " ", stdout);
        rule_line_write_json(stdout, kind, row);
    } else {
        rule_line_write(stdout, kind, row);
        fputc('\n', stdout);
    }
    exporting->n++;
    return ferror(stdout) ? -EPIPE : 0;
}

static int export_rows(struct exporting *exporting, struct rule_db *db, struct error *error)
{
    if (exporting->format == LIST_JSON)
        fputs("[\n", stdout);
    else
        printf("# gatepost %s %s\n", exporting->kind->name, list_formats[exporting->format].name);
    int r = rule_edit_walk(db, exporting->kind->table, visit, exporting, error);
    if (r == 0 && exporting->format == LIST_CIDR)
        cidr_table_print(&exporting->cidr, stdout);
    if (exporting->format == LIST_JSON)
        fputs("\n]\n", stdout);
    if (r == -ENOMEM)
        error_set(error, r, "out of memory");
    return r == -EPIPE ? 0 : r; /* cli_finish says so */
}

static void tell_left_out(const struct exporting *exporting)
{
    const struct cidr_table *cidr = &exporting->cidr;
    if (exporting->n_strange > 0)
        (void)cli_fail(0, "%zu rows are not understood, and left out; gatepost lint shows them", exporting->n_strange);
    if (cidr->n_names > 0)
        (void)cli_fail(0, "%zu host names are left out: a cidr table has none", cidr->n_names);
    if (cidr->n_expired > 0)
        (void)cli_fail(0, "%zu expired rows are left out: in a cidr table they would count", cidr->n_expired);
}

static int read_arguments(struct cli *cli, struct exporting *exporting, int argc, char **argv,
                          const struct option *all_options)
{
    if (cli->json)
        exporting->format = LIST_JSON;
    for (int c; (c = cli_next_option(cli, argc, argv, all_options)) != -1;) {
        if (c != OPTION_FORMAT)
            return STATUS_USAGE;
        exporting->format = list_format_by_name(optarg);
        if (exporting->format > LIST_CIDR)
            return cli_usage("--format: \"%s\" cannot be written: it is plain, json or cidr", optarg);
    }
    if (cli->json)
        exporting->format = LIST_JSON;
    if (argc - optind != 1)
        return cli_usage("export takes one kind");
    if (!(exporting->kind = kind_by_name(argv[optind])))
        return STATUS_USAGE;
    if (exporting->format == LIST_CIDR && !list_kind_has_blocks(exporting->kind))
        return cli_usage("cidr is for blocks of addresses: deny, allow, grant or refuse");
    return STATUS_DONE;
}

static int run_export(struct cli *cli, int argc, char **argv, const struct option *all_options)
{
    struct exporting exporting = { .format = LIST_PLAIN, .cidr = { .now = (int64_t)time(NULL) } };
    struct rule_db *db = NULL;
    struct error error;
    int status = read_arguments(cli, &exporting, argc, argv, all_options);
    if (status == STATUS_DONE)
        status = cli_open(cli, DATABASE_EXPECT, &db);
    if (status == STATUS_DONE) {
        int r = export_rows(&exporting, db, &error);
        if (r < 0)
            status = cli_fail(cli_status_of(r), "%s", error.text);
        tell_left_out(&exporting);
    }
    cidr_table_fini(&exporting.cidr);
    rule_db_close(db);
    return status;
}

static const struct option export_options[] = {
    { "format", required_argument, NULL, OPTION_FORMAT },
    { NULL, 0, NULL, 0 },
};

const struct command export_command = {
    "export",
    "KIND [--format plain|json|cidr]",
    "Prints the rules of a kind as a list, or as a table for Postfix.",
    "gatepost export deny --format cidr",
    export_options,
    run_export,
};
