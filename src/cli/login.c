/*
 * gatepost login: what the daemon's store has of logins.
 */
#include "cli/command.h"
#include "console/control.h"
#include "console/times.h"
#include "core/array.h"
#include "core/block.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

enum { CURSOR_SIZE = 4096 };

struct login {
    char *address, *user;
    int64_t ends_at;
    bool waits;
};

struct listing {
    struct login *logins;
    size_t n, size;
};

/* What the daemon says of a login: action=OK, OK not recorded, DEFER why or REJECT why. */
static int status_of_reply(struct control *control)
{
    static const struct str rejected = STR("REJECT "), deferred = STR("DEFER ");
    struct str name, value;
    if (!control_next(control, &name, &value) || !str_is(name, "action"))
        return cli_fail(EX_UNAVAILABLE, "the daemon's reply cannot be understood");
    if (str_is(value, "OK"))
        return STATUS_DONE;
    if (value.n > rejected.n && str_equal(str_first(value, rejected.n), rejected))
        return cli_fail(EX_DATAERR, "%.*s", STR_ARGS(str_from(value, rejected.n)));
    if (value.n > deferred.n && str_equal(str_first(value, deferred.n), deferred))
        return cli_fail(EX_UNAVAILABLE, "%.*s", STR_ARGS(str_from(value, deferred.n)));
    return cli_fail(STATUS_REFUSED, "not recorded: logins of this address do not count, or pop_before_smtp is 0");
}

/* Asks the daemon something about an address, and maybe a user. */
static int ask(struct cli *cli, struct control **control, const char *command, const char *user, const char *address)
{
    struct ip_addr addr;
    if (!ip_parse(str_of(address), &addr))
        return cli_fail(EX_DATAERR, "\"%s\" is not an IP address", address);
    int status = control_open(cli, control);
    if (status == STATUS_DONE)
        status = control_put(*control, "command", str_of(command));
    if (status == STATUS_DONE && user)
        status = control_put(*control, "user", str_of(user));
    if (status == STATUS_DONE)
        status = control_put(*control, "client_address", str_of(address));
    if (status == STATUS_DONE)
        status = control_ask(*control);
    return status == STATUS_DONE ? status_of_reply(*control) : status;
}

static int login_add(struct cli *cli, int argc, char **argv)
{
    struct control *control = NULL;
    if (argc != 2)
        return cli_usage("login add takes a user and an address");
    int status = ask(cli, &control, "login_add", argv[0], argv[1]);
    if (status == STATUS_DONE) {
        fputs("recorded: ", stdout);
        cli_put(stdout, argv[0]);
        printf(" at %s\n", argv[1]);
    }
    control_close(control);
    return status;
}

static int login_remove(struct cli *cli, int argc, char **argv)
{
    struct control *control = NULL;
    struct str name, value = { "", 0 };
    unsigned long n = 0;
    if (argc != 1)
        return cli_usage("login remove takes an address");
    int status = ask(cli, &control, "login_remove", NULL, argv[0]);
    if (status == STATUS_DONE) {
        if (control_next(control, &name, &value) && str_is(name, "removed"))
            (void)str_to_number(value, ULONG_MAX, &n);
        if (n == 0)
            status = cli_fail(STATUS_REFUSED, "no login is on record at %s", argv[0]);
        else
            printf("removed: %lu login%s at %s\n", n, n == 1 ? "" : "s", argv[0]);
    }
    control_close(control);
    return status;
}

/* Listing. */

static char *cut_word(char **rest)
{
    char *word = *rest, *blank = strchr(word, ' ');
    if (blank)
        *blank = '\0';
    *rest = blank ? blank + 1 : word + strlen(word);
    return word;
}

/* ADDRESS ENDS USER. */
static bool take_login(struct listing *listing, struct str value, bool waits)
{
    if (!ARRAY_RESERVE(listing->logins, listing->size, listing->n))
        return false;
    char *text = strndup(value.p, value.n);
    if (!text)
        return false;
    struct login *login = &listing->logins[listing->n++];
    login->address = cut_word(&text);
    login->ends_at = strtoll(cut_word(&text), NULL, 10);
    login->user = text;
    login->waits = waits;
    return true;
}

static void listing_fini(struct listing *listing)
{
    for (size_t i = 0; i < listing->n; i++)
        free(listing->logins[i].address);
    free(listing->logins);
}

/* A part of the list; *cursor is where the next one begins, empty at the end. */
static int take_part(struct control *control, struct listing *listing, char cursor[], size_t size)
{
    struct str name, value;
    int status = status_of_reply(control);
    cursor[0] = '\0';
    while (status == STATUS_DONE && control_next(control, &name, &value)) {
        bool waits = str_is(name, "waiting");
        if ((waits || str_is(name, "login")) && !take_login(listing, value, waits))
            status = cli_fail(EX_OSERR, "out of memory");
        else if (str_is(name, "cursor") && value.n < size)
            (void)snprintf(cursor, size, "%.*s", STR_ARGS(value));
    }
    return status;
}

static int collect(struct control *control, struct listing *listing)
{
    char cursor[CURSOR_SIZE] = "waiting", last[CURSOR_SIZE];
    bool waiting = true, more;
    int status = STATUS_DONE;
    do {
        (void)snprintf(last, sizeof last, "%s", cursor);
        status = control_put(control, "command", str_of("login_list"));
        if (status == STATUS_DONE)
            status = control_put(control, "cursor", str_of(cursor));
        if (status == STATUS_DONE)
            status = control_ask(control);
        if (status == STATUS_DONE)
            status = take_part(control, listing, cursor, sizeof cursor);
        if (status == STATUS_DONE && cursor[0] != '\0' && strcmp(cursor, last) == 0)
            status = cli_fail(EX_UNAVAILABLE, "the list does not go on: something else is kept among the logins");
        more = cursor[0] != '\0' || waiting;
        waiting = waiting && cursor[0] != '\0'; /* those that wait come first, then the store's */
    } while (status == STATUS_DONE && more);
    return status;
}

/* By address, in the order of the numbers, then by user; the store's before the one that waits to prolong it. */
static int compare_logins(const void *left, const void *right)
{
    const struct login *a = left, *b = right;
    struct ip_addr x = { 0 }, y = { 0 };
    bool both = ip_parse(str_of(a->address), &x) && ip_parse(str_of(b->address), &y);
    int order = both ? ip_compare(&x, &y) : strcmp(a->address, b->address);
    if (order == 0)
        order = strcmp(a->user, b->user);
    return order ? order : a->waits - b->waits;
}

static void print_login(const struct login *login, bool json, bool first)
{
    char until[TIMES_TEXT_SIZE];
    if (json) {
        fputs(first ? " {\"address\": " : ",\n {\"address\": ", stdout);
        cli_put_json(stdout, login->address);
        fputs(", \"user\": ", stdout);
        cli_put_json(stdout, login->user);
        printf(", \"ends\": %" PRId64 ", \"waiting\": %s}", login->ends_at, login->waits ? "true" : "false");
        return;
    }
    times_format(login->ends_at, until);
    printf("%-15s ", login->address);
    cli_put(stdout, login->user);
    printf("  until %s%s\n", until, login->waits ? "  (waits for the store)" : "");
}

/* A store may name a login twice while it changes. */
static void print_listing(struct listing *listing, bool json)
{
    size_t shown = 0;
    if (listing->n > 0)
        qsort(listing->logins, listing->n, sizeof *listing->logins, compare_logins);
    if (json)
        fputs("[\n", stdout);
    for (size_t i = 0; i < listing->n; i++)
        if (i == 0 || compare_logins(&listing->logins[i - 1], &listing->logins[i]) != 0)
            print_login(&listing->logins[i], json, shown++ == 0);
    if (json)
        fputs("\n]\n", stdout);
}

static int login_list(struct cli *cli, int argc, char **argv)
{
    struct control *control = NULL;
    struct listing listing = { 0 };
    (void)argv;
    if (argc != 0)
        return cli_usage("login list takes no arguments");
    int status = control_open(cli, &control);
    if (status == STATUS_DONE)
        status = collect(control, &listing);
    if (status == STATUS_DONE || listing.n > 0) /* with the store away, those that wait for it */
        print_listing(&listing, cli->json);
    listing_fini(&listing);
    control_close(control);
    return status;
}

static int run_login(struct cli *cli, int argc, char **argv, const struct option *all_options)
{
    static const struct {
        const char *name;
        int (*run)(struct cli *cli, int argc, char **argv);
    } commands[] = { { "add", login_add }, { "list", login_list }, { "remove", login_remove } };
    if (cli_next_option(cli, argc, argv, all_options) != -1)
        return STATUS_USAGE;
    if (optind == argc)
        return cli_usage("login add, login list or login remove?");
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
        if (strcmp(argv[optind], commands[i].name) == 0)
            return commands[i].run(cli, argc - optind - 1, argv + optind + 1);
    return cli_usage("there is no command \"login %s\": it is add, list or remove", argv[optind]);
}

const struct command login_command = {
    "login",
    "add USER ADDRESS | list [--json] | remove ADDRESS",
    "Records, lists or removes mailbox logins, by the daemon.",
    "gatepost login add alice@example.com 192.0.2.7",
    NULL,
    run_login,
};
