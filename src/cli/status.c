/*
 * gatepost status.
 */
#include "cli/command.h"
#include "cli/status_report.h"
#include "console/screen.h"

#include <signal.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { OPTION_WATCH = 0x100, WATCH_EVERY_S = 2 };

static int print_reply(const struct cli *cli, struct control *control, FILE *out, struct error *error)
{
    struct status_report report;
    int status = STATUS_DONE;
    if (!status_report_read(&report, control))
        status = error_set(error, EX_UNAVAILABLE, "the daemon's reply cannot be understood: is it an older one?");
    else if (cli->json)
        status_report_print_json(out, &report);
    else
        status_report_print(out, &report);
    status_report_fini(&report);
    return status;
}

/* Asks once and prints what the daemon says. Returns 0, or an exit status with the reason in *error. */
static int report_once(struct cli *cli, FILE *out, struct error *error)
{
    struct control *control = NULL;
    int status = control_try_open(cli, &control, error);
    if (status == STATUS_DONE && control_put(control, "command", str_of("status")) != STATUS_DONE)
        status = error_set(error, EX_OSERR, "out of memory");
    if (status == STATUS_DONE)
        status = control_try_ask(control, error);
    if (status == STATUS_DONE)
        status = print_reply(cli, control, out, error);
    control_close(control);
    return status;
}

/* Watching. */

static void on_interrupt(int number)
{
    (void)number;
    _exit(STATUS_DONE);
}

/* A report, or why there is none, as a text of the caller's; NULL where memory is short. */
static char *render(struct cli *cli, bool *is_there)
{
    struct error error;
    char *text = NULL;
    size_t n = 0;
    FILE *out = open_memstream(&text, &n);
    if (!out)
        return NULL;
    *is_there = report_once(cli, out, &error) == STATUS_DONE;
    if (!*is_there) {
        fputs("gatepost: ", out);
        cli_put(out, error.text);
        fputc('\n', out);
    }
    if (fclose(out) == 0)
        return text;
    free(text);
    return NULL;
}

/* Goes on until it is interrupted, or the output is closed. Where that is no terminal, the reports follow each other,
 * and that the daemon is away is said once. */
static int watch(struct cli *cli)
{
    struct sigaction interrupt = { .sa_handler = on_interrupt };
    bool redraw = screen_is_terminal(stdout) && !cli->json, is_there = true;
    (void)sigaction(SIGINT, &interrupt, NULL);
    while (!ferror(stdout)) {
        bool was_there = is_there;
        char *text = render(cli, &is_there);
        if (!text)
            return cli_fail(EX_OSERR, "out of memory");
        if (redraw)
            screen_show(stdout, text);
        else if (is_there || was_there)
            fputs(text, is_there ? stdout : stderr);
        free(text);
        (void)fflush(stdout);
        (void)sleep(WATCH_EVERY_S);
    }
    return STATUS_DONE; /* cli_finish says what is wrong with the output */
}

static int run_status(struct cli *cli, int argc, char **argv, const struct option *all_options)
{
    struct error error;
    bool watches = false;
    for (int c; (c = cli_next_option(cli, argc, argv, all_options)) != -1;) {
        if (c != OPTION_WATCH)
            return STATUS_USAGE;
        watches = true;
    }
    if (optind < argc)
        return cli_usage("status takes no arguments");
    int status = cli_find_control(cli);
    if (status != STATUS_DONE)
        return status;
    if (watches)
        return watch(cli);
    status = report_once(cli, stdout, &error);
    return status == STATUS_DONE ? status : cli_fail(status, "%s", error.text);
}

static const struct option status_options[] = {
    { "watch", no_argument, NULL, OPTION_WATCH },
    { NULL, 0, NULL, 0 },
};

const struct command status_command = {
    "status",       "[--watch] [--json]", "Tells how the running daemon is doing.", "gatepost status --watch",
    status_options, run_status,
};
