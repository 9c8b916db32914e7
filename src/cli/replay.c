/*
 * gatepost replay: decides every request of files of requests, counts the answers, and says what would change them.
 */
#include "cli/command.h"
#include "cli/trial.h"
#include "console/progress.h"
#include "core/decide_batch.h"
#include "replay/changes.h"
#include "replay/replay_print.h"
#include "replay/request_file.h"
#include "replay/verdicts.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

enum {
    OPTION_AGAINST = 0x100,
    OPTION_WITH,
    MAX_WITH = 100,
    FAULTS_SHOWN = 10 /* of each file */
};

struct replay {
    const char *against; /* a database; NULL: none */
    char *with[MAX_WITH];
    int n_with;
    char **files;
    int n_files;
    int64_t now; /* the same for all requests */

    struct rules *rules, *after; /* after: to compare with, or NULL */
    struct rule_diff diff;
    struct decide_batch *batch, *batch_after;
    struct request requests[DECIDE_BATCH_MAX];
    int n_requests;

    struct verdicts verdicts;
    struct changes changes;
    uint64_t n_malformed, n_read; /* bytes */
    bool has_rubbish;             /* a file with nothing else in it */
    struct progress progress;
};

/* Arguments. */

static int read_arguments(struct cli *cli, struct replay *replay, int argc, char **argv,
                          const struct option *all_options)
{
    for (int c; (c = cli_next_option(cli, argc, argv, all_options)) != -1;) {
        if (c == OPTION_AGAINST)
            replay->against = optarg;
        else if (c != OPTION_WITH)
            return STATUS_USAGE;
        else if (replay->n_with == MAX_WITH)
            return cli_usage("more than %d times --with", MAX_WITH);
        else
            replay->with[replay->n_with++] = optarg;
    }
    if (replay->against && replay->n_with > 0)
        return cli_usage("either --against or --with");
    if (optind == argc)
        return cli_usage("replay what? Give files of requests, or - for standard input");
    replay->files = argv + optind;
    replay->n_files = argc - optind;
    return STATUS_DONE;
}

static int fail_file(int code, const struct error *error)
{
    return cli_fail(code == -EISDIR ? EX_DATAERR : code == -ENOMEM ? EX_OSERR : EX_UNAVAILABLE, "%s", error->text);
}

/* All files must be there before anything is decided. Adds up their sizes, as far as these are known. */
static int look_at_files(const struct replay *replay, uint64_t *total)
{
    bool is_known = true;
    *total = 0;
    for (int i = 0; i < replay->n_files; i++) {
        struct request_file file;
        struct error error;
        struct stat st = { 0 };
        int r = request_file_open(&file, replay->files[i], &error);
        if (r == 0 && fstat(file.fd, &st) == 0)
            *total += (uint64_t)st.st_size;
        is_known = is_known && S_ISREG(st.st_mode);
        request_file_close(&file);
        if (r < 0)
            return fail_file(r, &error);
    }
    if (!is_known)
        *total = 0;
    return STATUS_DONE;
}

/* Rules. */

static int load_other(struct replay *replay, struct rule_db *db, const char *path)
{
    struct cli other = { .database = strdup(path) };
    struct rule_db *other_db = NULL;
    struct error error;
    int status = other.database ? cli_open(&other, DATABASE_EXPECT, &other_db) : cli_fail(EX_OSERR, "out of memory");
    if (status == STATUS_DONE)
        status = cli_load_rules(other_db, &replay->after);
    int r = status == STATUS_DONE ? rule_diff_read(&replay->diff, db, path, &error) : 0;
    rule_db_close(other_db);
    free(other.database);
    return r < 0 ? cli_fail(cli_status_of(r), "%s", error.text) : status;
}

/* The copy on which commands are tried is removed before anything is decided. */
static int load_rules(struct cli *cli, struct replay *replay)
{
    struct rule_db *db = NULL;
    int status = cli_open(cli, DATABASE_EXPECT, &db);
    if (status == STATUS_DONE)
        status = cli_load_rules(db, &replay->rules);
    if (status == STATUS_DONE && replay->n_with > 0) {
        status = trial_begin(db, replay->with, replay->n_with);
        if (status == STATUS_DONE)
            status = load_other(replay, db, trial_path());
        trial_end();
    } else if (status == STATUS_DONE && replay->against) {
        status = load_other(replay, db, replay->against);
    }
    rule_db_close(db);
    if (status != STATUS_DONE)
        return status;
    if (replay->after)
        changes_init(&replay->changes, replay->rules, replay->after, &replay->diff);
    replay->batch = decide_batch_new();
    replay->batch_after = decide_batch_new();
    return replay->batch && replay->batch_after ? STATUS_DONE : cli_fail(EX_OSERR, "out of memory");
}

/* Deciding. */

static struct decide_query query_of(const struct replay *replay, const struct rules *rules, int i)
{
    return (struct decide_query){ .rules = rules, .request = &replay->requests[i], .now = replay->now };
}

/* Looks up the rules for all requests that have been gathered. */
static int foresee(const struct replay *replay, const struct rules *rules, struct decide_batch *batch)
{
    decide_batch_clear(batch);
    for (int i = 0; i < replay->n_requests; i++) {
        struct decide_query query = query_of(replay, rules, i);
        if (decide_batch_add(batch, &query) < 0)
            return -ENOMEM;
    }
    decide_batch_look_up(batch);
    return 0;
}

static int judge(const struct replay *replay, const struct rules *rules, struct decide_batch *batch, int i,
                 struct verdict *verdict)
{
    struct decide_query query = query_of(replay, rules, i);
    int r = decide_batch_decide(batch, i, &verdict->decision);
    return r < 0 ? r : verdict_finish(verdict, &query);
}

static int decide_one(struct replay *replay, int i)
{
    struct verdict verdict, after;
    int r = judge(replay, replay->rules, replay->batch, i, &verdict);
    if (r == 0 && replay->after)
        r = judge(replay, replay->after, replay->batch_after, i, &after);
    if (r == 0)
        r = verdicts_add(&replay->verdicts, &replay->requests[i], &verdict, replay->after ? &after : NULL);
    if (r == 0 && replay->after)
        r = changes_add(&replay->changes, &replay->requests[i], &verdict, &after);
    return r;
}

static int decide_gathered(struct replay *replay)
{
    int r = foresee(replay, replay->rules, replay->batch);
    if (r == 0 && replay->after)
        r = foresee(replay, replay->after, replay->batch_after);
    for (int i = 0; i < replay->n_requests && r == 0; i++)
        r = decide_one(replay, i);
    replay->n_requests = 0;
    return r < 0 ? cli_fail(EX_OSERR, "out of memory") : STATUS_DONE;
}

/* Reading. */

static void report_fault(struct replay *replay, const struct request_file *file, const struct request_fault *fault)
{
    if (file->n_malformed > FAULTS_SHOWN)
        return;
    progress_end(&replay->progress);
    (void)cli_fail(0, "%s:%" PRIu64 ": a malformed request (from byte %" PRIu64 "): %s", file->name, fault->line,
                   fault->offset, fault->text);
}

static void report_rest(const struct request_file *file)
{
    if (file->n_malformed > FAULTS_SHOWN)
        (void)cli_fail(0, "%s: %" PRIu64 " more malformed requests", file->name, file->n_malformed - FAULTS_SHOWN);
    if (file->given_up)
        (void)cli_fail(0, "%s:%" PRIu64 ": given up: no request has been found for long", file->name, file->line);
}

/* Decides what has been gathered, since reading moves it. */
static int read_on(struct replay *replay, struct request_file *file)
{
    struct error error;
    int status = decide_gathered(replay);
    if (status != STATUS_DONE)
        return status;
    progress_at(&replay->progress, replay->n_read + file->offset);
    int r = request_file_read(file, &error);
    return r < 0 ? fail_file(r, &error) : STATUS_DONE;
}

static int replay_requests(struct replay *replay, struct request_file *file)
{
    struct request_fault fault;
    int status = STATUS_DONE;
    while (status == STATUS_DONE) {
        switch (request_file_take(file, &replay->requests[replay->n_requests], &fault)) {
        case REQUEST_FILE_TAKEN:
            if (++replay->n_requests == DECIDE_BATCH_MAX)
                status = decide_gathered(replay);
            break;
        case REQUEST_FILE_MALFORMED:
            report_fault(replay, file, &fault);
            break;
        case REQUEST_FILE_MORE:
            status = read_on(replay, file);
            break;
        case REQUEST_FILE_END:
            return decide_gathered(replay);
        }
    }
    return status;
}

static int replay_file(struct replay *replay, const char *path)
{
    struct request_file file;
    struct error error;
    int r = request_file_open(&file, path, &error);
    int status = r < 0 ? fail_file(r, &error) : replay_requests(replay, &file);
    replay->n_read += file.offset;
    replay->n_malformed += file.n_malformed;
    if (status == STATUS_DONE) {
        report_rest(&file);
        replay->has_rubbish = replay->has_rubbish || (file.n_requests == 0 && (file.n_malformed > 0 || file.given_up));
    }
    request_file_close(&file);
    return status;
}

static int replay_all(struct replay *replay)
{
    uint64_t total;
    int status = look_at_files(replay, &total);
    progress_begin(&replay->progress, "replaying", total);
    for (int i = 0; i < replay->n_files && status == STATUS_DONE; i++)
        status = replay_file(replay, replay->files[i]);
    progress_end(&replay->progress);
    return status;
}

static int print(const struct cli *cli, const struct replay *replay)
{
    const struct changes *changes = replay->after ? &replay->changes : NULL;
    int r = cli->json ? replay_print_json(&replay->verdicts, replay->n_malformed, changes)
                      : replay_print_text(&replay->verdicts, replay->n_malformed, changes);
    if (r < 0)
        return cli_fail(EX_OSERR, "out of memory");
    return replay->has_rubbish ? EX_DATAERR : STATUS_DONE;
}

static int run_replay(struct cli *cli, int argc, char **argv, const struct option *all_options)
{
    struct replay *replay = calloc(1, sizeof *replay);
    if (!replay)
        return cli_fail(EX_OSERR, "out of memory");
    replay->now = (int64_t)time(NULL);
    int status = read_arguments(cli, replay, argc, argv, all_options);
    if (status == STATUS_DONE)
        status = load_rules(cli, replay);
    if (status == STATUS_DONE)
        status = replay_all(replay);
    if (status == STATUS_DONE)
        status = print(cli, replay);
    changes_fini(&replay->changes);
    verdicts_fini(&replay->verdicts);
    decide_batch_free(replay->batch);
    decide_batch_free(replay->batch_after);
    rule_diff_fini(&replay->diff);
    rules_free(replay->rules);
    rules_free(replay->after);
    free(replay);
    return status;
}

static const struct option replay_options[] = {
    { "against", required_argument, NULL, OPTION_AGAINST },
    { "with", required_argument, NULL, OPTION_WITH },
    { NULL, 0, NULL, 0 },
};

const struct command replay_command = {
    "replay",
    "FILE... [--against OTHER.db | --with COMMAND...] [--json]",
    "Decides recorded requests, and counts the answers.",
    "gatepost replay /var/lib/gatepost/record --with \"add refuse 203.0.113.0/24\"",
    replay_options,
    run_replay,
};
