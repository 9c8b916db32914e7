/*
 * gatepost-postlogin: run by Dovecot's script-login after each login. Reports the login to gatepostd and becomes the
 * command that it was given, which leads to the user's mail.
 *
 * Dovecot refuses the login where this program fails, and waits where it hangs. So whatever goes wrong is a line of
 * syslog, and the command is run. Standard output is the user's connection, and Dovecot takes standard error for a
 * report of errors: once the command is known, nothing is written to either. The environment, the signals and the
 * other descriptors are left as they are, for the command.
 */
#include "config.h"

#include "core/error.h"
#include "core/str.h"
#include "postlogin/event.h"
#include "postlogin/log_line.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syslog.h>
#include <unistd.h>

#define DEFAULT_SOCKET "/run/gatepost/login"

enum {
    BUDGET_MS = 250,       /* for connecting, sending and reading together */
    VALUE_MAX_BYTES = 256, /* of a value from the environment, in the log */
    EXIT_BAD_USAGE = 2,
    EXIT_CANNOT_RUN = 126, /* as a shell has it */
    EXIT_NOT_FOUND = 127
};

enum mode { MODE_RUN, MODE_HELP, MODE_VERSION };

struct options {
    enum mode mode;
    const char *socket_path, *service;
    char **command; /* with its arguments, ending in NULL; NULL: none */
};

/* Returns 0, or -EINVAL with the fault in *error. */
static int read_options(int argc, char **argv, struct options *options, struct error *error)
{
    static const struct option known[] = {
        { "socket", required_argument, NULL, 's' },
        { "service", required_argument, NULL, 'n' },
        { "help", no_argument, NULL, 'h' },
        { "version", no_argument, NULL, 'V' },
        { NULL, 0, NULL, 0 },
    };
    opterr = 0;
    for (;;) {
        const char *word = argv[optind];
        int option = getopt_long(argc, argv, "+:hV", known, NULL);
        if ((option == 's' || option == 'n') && strncmp(optarg, "--", 2) == 0)
            option = ':'; /* the next option, as the value was forgotten */
        switch (option) {
        case -1:
            if (optind >= argc)
                return error_set(error, -EINVAL, "there is no command to run");
            if (strcmp(word, "--") != 0 && (argv[optind][0] & 0x80)) /* a dash of typography, from a web page */
                return error_set(error, -EINVAL, "there is no option %s", word);
            options->command = argv + optind;
            return 0;
        case 's':
            options->socket_path = optarg;
            break;
        case 'n':
            options->service = optarg;
            break;
        case 'h':
        case 'V':
            if (argc > 2) /* nobody who asks for it has more to say; with a user's mail, it is a slip */
                return error_set(error, -EINVAL, "%s stands beside a command", word);
            options->mode = option == 'h' ? MODE_HELP : MODE_VERSION;
            return 0;
        case ':':
            return error_set(error, -EINVAL, "%s needs a value", word);
        default:
            return error_set(error, -EINVAL, "there is no option %s", word);
        }
    }
}

static bool is_program(const char *path)
{
    struct stat found;
    return path[0] == '/' && stat(path, &found) == 0 && S_ISREG(found.st_mode) && eaccess(path, X_OK) == 0;
}

/* The likely command where the command line is wrong: what follows `--`, or what begins with the path of a program,
 * whichever comes first. Dovecot's own program stands at the end and is named by its path, so a slip in the
 * configuration keeps nobody from his mail. NULL where there is none. */
static char **find_command(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--") == 0)
            return argv[i + 1] ? argv + i + 1 : NULL;
        if (is_program(argv[i]))
            return argv + i;
    }
    return NULL;
}

/* A value of the environment, for the log. */
static const char *shown(const char *value)
{
    return value && *value ? value : "?";
}

static void report(const struct options *options)
{
    struct deadline deadline = deadline_in(BUDGET_MS);
    struct event event = { getenv("USER"), getenv("IP"), options->service };
    struct error error;
    enum event_result result = event_send(options->socket_path, &event, &deadline, &error);
    if (result != EVENT_TAKEN)
        log_line(result == EVENT_KEPT ? LOG_NOTICE : LOG_WARNING, "login of %.*s from %.*s %s: %s", VALUE_MAX_BYTES,
                 shown(event.user), VALUE_MAX_BYTES, shown(event.client_address),
                 result == EVENT_KEPT ? "not recorded yet" : "not reported", error.text);
}

/* Becomes the command. Returns the exit status where it cannot. */
static int run(char **command)
{
    (void)execvp(command[0], command);
    int status = errno == ENOENT ? EXIT_NOT_FOUND : EXIT_CANNOT_RUN;
    log_line(LOG_ERR, "cannot run %.*s: %s", VALUE_MAX_BYTES, command[0], strerror(errno));
    return status;
}

static int print_help(void)
{
    printf("usage: gatepost-postlogin [--socket PATH] [--service NAME] [--] COMMAND [arguments]\n"
           "Reports a login to gatepostd and runs COMMAND; for Dovecot, see gatepost-postlogin(8).\n\n"
           "  --socket PATH   the daemon's login socket [" DEFAULT_SOCKET "]\n"
           "  --service NAME  what was logged in to: imap, pop3 ...\n"
           "  -h, --help\n"
           "  -V, --version\n\n"
           "USER and IP in the environment say who logged in, and from where.\n");
    return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
    struct options options = { .mode = MODE_RUN, .socket_path = DEFAULT_SOCKET };
    struct error error;
    int r = read_options(argc, argv, &options, &error);
    if (options.mode == MODE_HELP)
        return print_help();
    if (options.mode == MODE_VERSION) {
        printf("gatepost-postlogin %s\n", PACKAGE_VERSION);
        return EXIT_SUCCESS;
    }
    if (r == 0) {
        report(&options);
        return run(options.command);
    }
    options.command = find_command(argc, argv);
    if (options.command) {
        log_line(LOG_ERR, "no login is reported: %s", error.text);
        return run(options.command);
    }
    fprintf(stderr, "gatepost-postlogin: %s; see gatepost-postlogin --help\n", error.text);
    return EXIT_BAD_USAGE;
}
