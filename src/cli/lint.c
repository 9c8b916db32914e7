/*
 * gatepost lint.
 */
#include "core/lint.h"

#include "cli/command.h"
#include "cli/lint_print.h"
#include "console/progress.h"
#include "core/array.h"
#include "store/rule_edit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { OPTION_SEVERITY = 0x100, OPTION_IGNORE };

/* What is wanted. */
struct choice {
    enum lint_severity least;
    bool ignored[LINT_CODES];
};

struct findings {
    const struct choice *choice;
    struct lint_finding *all;
    size_t n, room;
};

static int take_severity(struct choice *choice, const char *name)
{
    for (int s = 0; s < LINT_SEVERITIES; s++) {
        if (strcmp(name, lint_severity_names[s]) == 0) {
            choice->least = (enum lint_severity)s;
            return STATUS_DONE;
        }
    }
    return cli_usage("--severity: \"%s\" is none of error, warning and note", name);
}

static int take_ignored(struct choice *choice, const char *names)
{
    struct str rest = str_of(names), name;
    while (str_next_word(&rest, &name)) {
        enum lint_code code = lint_code_by_name(name);
        if (code == LINT_NOTHING)
            return cli_usage("--ignore: there is no code \"%.*s\"; gatepost(1) lists them", STR_ARGS(name));
        choice->ignored[code] = true;
    }
    return STATUS_DONE;
}

static int keep(void *context, const struct lint_finding *finding)
{
    struct findings *findings = context;
    const struct choice *choice = findings->choice;
    if (lint_infos[finding->code].severity > choice->least || choice->ignored[finding->code])
        return 0;
    if (!ARRAY_RESERVE(findings->all, findings->room, findings->n))
        return -ENOMEM;
    findings->all[findings->n++] = *finding;
    return 0;
}

/* Reading. */

struct reader {
    struct lint *lint;
    enum rule_table table;
    struct progress progress;
    uint64_t n;
};

static int visit(void *context, const struct stored_row *row)
{
    struct reader *reader = context;
    const struct rule_row rule = stored_row_as_rule(row, reader->table);
    progress_at(&reader->progress, ++reader->n);
    return lint_row(reader->lint, &rule, row->rowid);
}

static int read_tables(struct rule_db *db, struct lint *lint, struct error *error)
{
    struct reader reader = { .lint = lint };
    int r = 0;
    progress_begin(&reader.progress, "rows looked at:", 0);
    for (int table = 0; table < RULE_TABLE_COUNT && r == 0; table++) {
        reader.table = (enum rule_table)table;
        r = rule_edit_walk(db, reader.table, visit, &reader, error);
        if (r == 0)
            r = lint_end(lint, reader.table);
        if (r == -ENOMEM)
            (void)error_set(error, r, "out of memory");
    }
    progress_end(&reader.progress);
    return r;
}

static int find_all(struct rule_db *db, struct findings *findings, int64_t now, struct error *error)
{
    struct lint *lint = lint_new(now, keep, findings);
    if (!lint)
        return error_set(error, -ENOMEM, "out of memory");
    int r = read_tables(db, lint, error);
    lint_free(lint);
    return r;
}

/* Printing. */

static int print_all(struct lint_print *print, const struct findings *findings, struct error *error)
{
    int r = 0;
    for (int severity = 0; severity < LINT_SEVERITIES; severity++)
        for (size_t i = 0; i < findings->n && r == 0 && !ferror(print->out); i++)
            if (lint_infos[findings->all[i].code].severity == (enum lint_severity)severity)
                r = lint_print_finding(print, &findings->all[i], error);
    if (r == 0 && findings->n > 0)
        lint_print_end(print);
    else if (r == 0 && print->json)
        fputs("[]\n", print->out);
    else if (r == 0 && isatty(fileno(print->out)))
        fputs("nothing found\n", print->out);
    return r;
}

static int lint(struct cli *cli, const struct choice *choice)
{
    struct findings findings = { .choice = choice };
    struct lint_print print = { .out = stdout, .json = cli->json, .now = (int64_t)time(NULL) };
    struct rule_db *db = NULL;
    struct error error;
    print.mend.is_usual = !cli->database && !cli->config_file;
    int status = cli_open(cli, DATABASE_EXPECT, &db);
    if (status != STATUS_DONE)
        return status;
    print.mend.database = cli->database;
    print.fetch.db = db;
    int r = rule_db_exec(db, "BEGIN", &error);
    if (r == 0)
        r = find_all(db, &findings, print.now, &error);
    if (r == 0)
        r = print_all(&print, &findings, &error);
    if (r < 0)
        status = cli_fail(cli_status_of(r), "%s", error.text);
    else if (print.n[LINT_ERROR] + print.n[LINT_WARNING] > 0)
        status = STATUS_REFUSED;
    rule_fetch_fini(&print.fetch);
    rule_db_close(db);
    free(findings.all);
    return status;
}

static int run_lint(struct cli *cli, int argc, char **argv, const struct option *all_options)
{
    struct choice choice = { .least = LINT_NOTE };
    int status = STATUS_DONE;
    for (int c; status == STATUS_DONE && (c = cli_next_option(cli, argc, argv, all_options)) != -1;) {
        if (c == OPTION_SEVERITY)
            status = take_severity(&choice, optarg);
        else
            status = c == OPTION_IGNORE ? take_ignored(&choice, optarg) : STATUS_USAGE;
    }
    if (status == STATUS_DONE && argc > optind)
        status = cli_usage("lint takes no arguments, it looks at all rules");
    return status == STATUS_DONE ? lint(cli, &choice) : status;
}

static const struct option lint_options[] = {
    { "severity", required_argument, NULL, OPTION_SEVERITY },
    { "ignore", required_argument, NULL, OPTION_IGNORE },
    { NULL, 0, NULL, 0 },
};

const struct command lint_command = {
    "lint",
    "[--severity error|warning|note] [--ignore CODE,...] [--json]",
    "Looks for what is dangerous, wrong or useless in the rules.",
    "gatepost lint --severity warning --ignore grant-private",
    lint_options,
    run_lint,
};
