#include "cli/trial.h"
#include "cli/command.h"

#include "console/words.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { BUSY_MS = 5000, N_FILES = 4, SUFFIX_BYTES = 16 };

static const int ending[] = { SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGXCPU };

enum { N_ENDING = sizeof ending / sizeof *ending };

/* What the handler of signals needs is made beforehand. */
static char folder[PATH_MAX], files[N_FILES][PATH_MAX + SUFFIX_BYTES]; /* the database, and what SQLite has beside it */
static volatile sig_atomic_t is_there;
static struct sigaction before[N_ENDING];

/* Removing; all of it may be called from a handler of signals. */

static void remove_all(void)
{
    if (!is_there)
        return;
    for (int i = 0; i < N_FILES; i++)
        (void)unlink(files[i]);
    (void)rmdir(folder);
    is_there = 0;
}

/* The signal comes again, and ends the process, once the handler has returned. */
static void on_ending(int number)
{
    remove_all();
    (void)raise(number);
}

static void watch_signals(void)
{
    for (int i = 0; i < N_ENDING; i++) {
        struct sigaction action = { .sa_handler = on_ending, .sa_flags = (int)SA_RESETHAND };
        (void)sigaction(ending[i], &action, &before[i]);
        if (before[i].sa_handler == SIG_IGN)
            (void)sigaction(ending[i], &before[i], NULL);
    }
}

void trial_end(void)
{
    if (!is_there)
        return;
    remove_all();
    for (int i = 0; i < N_ENDING; i++)
        (void)sigaction(ending[i], &before[i], NULL);
}

const char *trial_path(void)
{
    return files[0];
}

/* Making. */

static int make_folder(void)
{
    static const char *const suffixes[N_FILES] = { "", "-wal", "-shm", "-journal" };
    const char *where = getenv("TMPDIR");
    int n =
        snprintf(folder, sizeof folder - SUFFIX_BYTES, "%s/gatepost-trial.XXXXXX", where && *where ? where : "/tmp");
    if (n >= (int)sizeof folder - SUFFIX_BYTES)
        return cli_fail(EX_UNAVAILABLE, "TMPDIR: the path is too long");
    is_there = 1;
    watch_signals();
    if (!mkdtemp(folder))
        return cli_fail(EX_UNAVAILABLE, "%s: a copy cannot be made: %s", folder, strerror(errno));
    for (int i = 0; i < N_FILES; i++)
        (void)snprintf(files[i], sizeof files[i], "%s/rules.db%s", folder, suffixes[i]);
    return STATUS_DONE;
}

static int copy(struct rule_db *db)
{
    struct error error;
    int fd = open(trial_path(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0 || close(fd) < 0)
        return cli_fail(EX_UNAVAILABLE, "%s: a copy cannot be made: %s", trial_path(), strerror(errno));
    int r = rule_db_copy(db, trial_path(), BUSY_MS, &error);
    return r < 0 ? cli_fail(cli_status_of(r), "%s", error.text) : STATUS_DONE;
}

/* Commands. */

static const struct command *find_command(const char *name)
{
    static const struct command *const commands[] = { &add_command, &remove_command, &set_command };
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
        if (strcmp(commands[i]->name, name) == 0)
            return commands[i];
    return NULL;
}

/* Without the common options: no command is to reach another database. */
static int run_quietly(const struct command *command, const struct words *words)
{
    static const struct option none[] = { { NULL, 0, NULL, 0 } };
    struct cli cli = { .database = strdup(trial_path()) };
    int status = EX_OSERR, nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC), output = -1;
    if (cli.database && nowhere >= 0 && fflush(stdout) == 0)
        output = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    if (output >= 0 && dup2(nowhere, STDOUT_FILENO) >= 0) {
        optind = 0;
        status = command->run(&cli, words->n, words->word, command->options ? command->options : none);
        (void)fflush(stdout);
        (void)dup2(output, STDOUT_FILENO);
    } else {
        (void)cli_fail(EX_OSERR, "the output cannot be turned off: %s", strerror(errno));
    }
    if (output >= 0)
        (void)close(output);
    if (nowhere >= 0)
        (void)close(nowhere);
    free(cli.database);
    return status;
}

static int run(const char *line)
{
    struct words words;
    struct error error;
    int status;
    const struct command *command = NULL;
    if (words_split(&words, line, &error) < 0)
        status = cli_fail(STATUS_USAGE, "--with \"%s\": %s", line, error.text);
    else if (words.n == 0 || !(command = find_command(words.word[0])))
        status = cli_usage("--with \"%s\": this takes the commands add, remove and set", line);
    else if ((status = run_quietly(command, &words)) != STATUS_DONE)
        (void)cli_fail(0, "nothing is replayed, since this was refused: --with \"%s\"", line);
    words_fini(&words);
    return status;
}

int trial_begin(struct rule_db *db, char *const *commands, int n)
{
    int status = make_folder();
    if (status == STATUS_DONE)
        status = copy(db);
    for (int i = 0; i < n && status == STATUS_DONE; i++)
        status = run(commands[i]);
    return status;
}
