/*
 * gatepost backup.
 */
#include "cli/command.h"
#include "console/progress.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>

/* The signal that asked to stop; 0: none has. */
static volatile sig_atomic_t stopped_by;

static void on_signal(int number)
{
    stopped_by = number;
}

/* Whoever stops the backup must not find half a file; and a limit of file sizes is a fault of writing like any other.
 * What the caller has set to be ignored, as nohup does, stays so. */
static void catch_signals(void)
{
    static const int numbers[] = { SIGINT, SIGTERM, SIGHUP };
    struct sigaction take = { .sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND }, there;
    struct sigaction ignore = { .sa_handler = SIG_IGN };
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        if (sigaction(numbers[i], NULL, &there) == 0 && there.sa_handler != SIG_IGN)
            (void)sigaction(numbers[i], &take, NULL);
    (void)sigaction(SIGXFSZ, &ignore, NULL);
}

struct bar {
    struct progress progress;
    enum backup_stage stage;
};

static bool go_on(void *context, enum backup_stage stage, uint64_t done, uint64_t total)
{
    struct bar *bar = context;
    if (stage != bar->stage || !bar->progress.what) {
        progress_end(&bar->progress);
        progress_begin(&bar->progress, stage == BACKUP_COPYING ? "copying" : "checking", total);
        bar->stage = stage;
    }
    progress_at(&bar->progress, done);
    return stopped_by == 0;
}

static int status_of(int code)
{
    switch (code) {
    case -EEXIST:
        return STATUS_REFUSED;
    case -EBUSY:
    case -EBADMSG:
    case -ENOMEM:
        return cli_status_of(code);
    default:
        return EX_IOERR;
    }
}

static int write_backup(struct rule_db *db, const struct cli *cli, const char *to)
{
    struct bar bar = { .stage = BACKUP_COPYING };
    struct error error;
    uint64_t size_bytes = 0;
    catch_signals();
    int r = rule_db_backup(db, to, go_on, &bar, &size_bytes, &error);
    progress_end(&bar.progress);
    if (r < 0)
        return cli_fail(status_of(r), "%s", error.text);
    cli_put(stdout, cli->database);
    fputs(" is backed up in ", stdout);
    cli_put(stdout, to);
    printf(", checked: %" PRIu64 " bytes\n", size_bytes);
    return STATUS_DONE;
}

static int run_backup(struct cli *cli, int argc, char **argv, const struct option *all_options)
{
    struct rule_db *db = NULL;
    if (cli_next_option(cli, argc, argv, all_options) != -1)
        return STATUS_USAGE;
    if (argc - optind != 1 || argv[optind][0] == '\0')
        return cli_usage("backup takes the name of a file");
    int status = cli_open(cli, DATABASE_EXPECT, &db);
    if (status == STATUS_DONE)
        status = write_backup(db, cli, argv[optind]);
    rule_db_close(db);
    if (status != STATUS_DONE && stopped_by != 0)
        (void)raise(stopped_by); /* so that a script that runs us sees what has ended us */
    return status;
}

const struct command backup_command = {
    "backup",
    "FILE",
    "Copies the database to a file, while others use it; an older backup there is replaced.",
    "gatepost backup /var/backups/gatepost.db",
    NULL,
    run_backup,
};
