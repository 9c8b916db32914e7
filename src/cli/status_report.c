#include "config.h"

#include "cli/status_report.h"

#include "console/times.h"
#include "core/array.h"

#include <limits.h>
#include <stdlib.h>

enum {
    NAT_PERCENT = 50,
    NAT_REQUESTS = 100, /* before that, a share means little */
    LABEL_WIDTH = 10,
    NAME_WIDTH = 15, /* of actions and reasons */
    COUNT_WIDTH = 10,
    LEFT_WIDTH = 42,
    ENDPOINT_WIDTH = 50
};

/* Reading. */

static struct str cut_word(struct str *rest)
{
    struct str word = str_first(*rest, str_find(*rest, ' '));
    *rest = str_from(*rest, word.n < rest->n ? word.n + 1 : word.n);
    return word;
}

/* A number at the front; what is none is left there, and 0. */
static unsigned long cut_number(struct str *rest)
{
    unsigned long number = 0;
    struct str after = *rest;
    if (str_to_number(cut_word(&after), ULONG_MAX, &number))
        *rest = after;
    return number;
}

static bool add_item(struct status_items *items, struct str value)
{
    if (!ARRAY_RESERVE(items->items, items->size, items->n))
        return false;
    struct status_item *item = &items->items[items->n++];
    item->name = cut_word(&value);
    item->all = cut_number(&value);
    item->minute = cut_number(&value);
    item->rest = value;
    return true;
}

/* NULL where the name is not one of several. */
static struct status_items *items_of(struct status_report *report, struct str name)
{
    const struct {
        const char *name;
        struct status_items *items;
    } lists[] = {
        { "listener", &report->listeners },     { "rules", &report->rules },
        { "requests", &report->requests },      { "refusals", &report->refusals },
        { "granted_client", &report->clients },
    };
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
        if (str_is(name, lists[i].name))
            return lists[i].items;
    return NULL;
}

static unsigned long *number_of(struct status_report *report, struct str name)
{
    const struct {
        const char *name;
        unsigned long *number;
    } numbers[] = {
        { "started", &report->started },
        { "uptime", &report->uptime },
        { "rules_skipped", &report->rules_skipped },
        { "generation", &report->generation },
        { "generation_age", &report->generation_age },
        { "logins_waiting", &report->logins_waiting },
        { "protocol_errors", &report->protocol_errors },
        { "connections_refused", &report->connections_refused },
    };
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        if (str_is(name, numbers[i].name))
            return numbers[i].number;
    return NULL;
}

static void take_other(struct status_report *report, struct str name, struct str value)
{
    if (str_is(name, "version")) {
        report->version = value;
    } else if (str_is(name, "login_store")) {
        report->login_store = cut_word(&value);
        report->login_state = value;
    } else if (str_is(name, "granted")) {
        report->granted = cut_number(&value);
        report->granted_for = cut_number(&value);
    } else if (str_is(name, "stale")) {
        report->is_stale = true;
        report->stale_for = cut_number(&value);
        report->stale_why = value;
    }
}

/* What a newer daemon says beside is passed over. */
bool status_report_read(struct status_report *report, struct control *control)
{
    struct str name, value;
    *report = (struct status_report){ 0 };
    while (control_next(control, &name, &value)) {
        struct status_items *items = items_of(report, name);
        unsigned long *number = number_of(report, name);
        if (items && !add_item(items, value))
            return false;
        if (number)
            *number = cut_number(&value);
        else if (!items)
            take_other(report, name, value);
    }
    return report->version.n > 0;
}

void status_report_fini(struct status_report *report)
{
    free(report->listeners.items);
    free(report->rules.items);
    free(report->requests.items);
    free(report->refusals.items);
    free(report->clients.items);
}

/* For people. */

static void put_span(FILE *out, unsigned long seconds)
{
    unsigned long days = seconds / 86400, hours = seconds / 3600 % 24, minutes = seconds / 60 % 60;
    if (days > 0)
        fprintf(out, "%lud ", days);
    if (days > 0 || hours > 0)
        fprintf(out, "%luh ", hours);
    if (days > 0 || hours > 0 || minutes > 0)
        fprintf(out, "%lum ", minutes);
    fprintf(out, "%lus", seconds % 60);
}

/* With blanks up to the width. */
static void put_padded(FILE *out, struct str text, int width)
{
    cli_put_str(out, text);
    fprintf(out, "%*s", text.n < (size_t)width ? width - (int)text.n : 0, "");
}

static void print_head(FILE *out, const struct status_report *report)
{
    char started[TIMES_TEXT_SIZE];
    times_format((int64_t)report->started, started);
    fputs("gatepostd ", out);
    cli_put_str(out, report->version);
    fputs(", up ", out);
    put_span(out, report->uptime);
    fprintf(out, ", since %s\n", started);
    if (!str_is(report->version, PACKAGE_VERSION))
        fprintf(out, "%*sthis command is of another version, %s\n", LABEL_WIDTH, "", PACKAGE_VERSION);
}

static void print_listeners(FILE *out, const struct status_report *report)
{
    for (size_t i = 0; i < report->listeners.n; i++) {
        const struct status_item *item = &report->listeners.items[i];
        put_padded(out, item->name, LABEL_WIDTH);
        put_padded(out, item->rest, ENDPOINT_WIDTH);
        fprintf(out, " %lu connection%s\n", item->all, item->all == 1 ? "" : "s");
    }
}

static void print_rules(FILE *out, const struct status_report *report)
{
    fprintf(out, "rules     generation %lu, in force for ", report->generation);
    put_span(out, report->generation_age);
    if (report->rules_skipped > 0)
        fprintf(out, "; %lu row%s not understood", report->rules_skipped, report->rules_skipped == 1 ? " is" : "s are");
    fprintf(out, "\n%*s", LABEL_WIDTH - 1, "");
    for (size_t i = 0; i < report->rules.n; i++) {
        fputc(' ', out);
        cli_put_str(out, report->rules.items[i].name);
        fprintf(out, " %lu", report->rules.items[i].all);
    }
    fputc('\n', out);
    if (!report->is_stale)
        return;
    fprintf(out, "%*sSTALE for ", LABEL_WIDTH, "");
    put_span(out, report->stale_for);
    fputs(", the last good rules stay in force: ", out);
    cli_put_str(out, report->stale_why);
    fputc('\n', out);
}

static void print_logins(FILE *out, const struct status_report *report)
{
    fputs("logins    ", out);
    cli_put_str(out, report->login_store);
    fputs(str_is(report->login_state, "down") ? " is DOWN" : " is ", out);
    if (!str_is(report->login_state, "down"))
        cli_put_str(out, report->login_state);
    fprintf(out, ", %lu waiting for it\n", report->logins_waiting);
}

static void print_count(FILE *out, const struct status_item *item)
{
    put_padded(out, item->name, NAME_WIDTH);
    fprintf(out, "%*lu%*lu", COUNT_WIDTH, item->all, COUNT_WIDTH, item->minute);
}

static unsigned percent_of(unsigned long part, unsigned long whole)
{
    return whole > 0 ? (unsigned)(100.0 * (double)part / (double)whole) : 0;
}

/* A line of the column on the left: the actions, what was turned away, and who is busiest. */
static void print_left(FILE *out, const struct status_report *report, size_t line)
{
    const struct status_items *requests = &report->requests, *clients = &report->clients;
    size_t n = requests->n;
    if (line < n) {
        print_count(out, &requests->items[line]);
        fprintf(out, "%*s", LEFT_WIDTH - NAME_WIDTH - 2 * COUNT_WIDTH, "");
    } else if (line == n) {
        fprintf(out, "%-*s%*lu%*s", NAME_WIDTH, "malformed", COUNT_WIDTH, report->protocol_errors,
                LEFT_WIDTH - NAME_WIDTH - COUNT_WIDTH, "");
    } else if (line == n + 1) {
        fprintf(out, "%-*s", LEFT_WIDTH, "busiest granted clients");
    } else if (line - n - 2 < clients->n) {
        const struct status_item *client = &clients->items[line - n - 2];
        put_padded(out, client->name, LEFT_WIDTH - COUNT_WIDTH - 5);
        fprintf(out, "%*lu%4u%%", COUNT_WIDTH, client->all, percent_of(client->all, report->granted));
    } else {
        fprintf(out, "%*s", LEFT_WIDTH, "");
    }
}

enum { LEFT_BESIDE = 2 }; /* lines on the left that are neither an action nor a client */

static void print_columns(FILE *out, const struct status_report *report)
{
    const struct status_items *refusals = &report->refusals;
    size_t left = report->requests.n + LEFT_BESIDE + report->clients.n;
    fprintf(out, "\n%-*s%*s%*s%*s  %-*s%*s%*s\n", NAME_WIDTH, "requests", COUNT_WIDTH, "all", COUNT_WIDTH, "last min.",
            LEFT_WIDTH - NAME_WIDTH - 2 * COUNT_WIDTH, "", NAME_WIDTH, "refused", COUNT_WIDTH, "all", COUNT_WIDTH,
            "last min.");
    for (size_t i = 0; i < left || i < refusals->n; i++) {
        print_left(out, report, i);
        fputs("  ", out);
        if (i < refusals->n)
            print_count(out, &refusals->items[i]);
        fputc('\n', out);
    }
}

static void print_granted(FILE *out, const struct status_report *report)
{
    const struct status_item *first = report->clients.items;
    unsigned percent = report->clients.n > 0 ? percent_of(first->all, report->granted) : 0;
    fprintf(out, "relay_grant let %lu requests through in the last ", report->granted);
    put_span(out, report->granted_for);
    if (report->connections_refused > 0)
        fprintf(out, "; %lu connections were turned away", report->connections_refused);
    fputc('\n', out);
    if (percent < NAT_PERCENT || report->granted < NAT_REQUESTS)
        return;
    fprintf(out, "%u%% of them from ", percent);
    cli_put_str(out, first->name);
    fputs(": if that is a NAT or a proxy, all behind it may relay\n", out);
}

void status_report_print(FILE *out, const struct status_report *report)
{
    print_head(out, report);
    print_listeners(out, report);
    print_rules(out, report);
    print_logins(out, report);
    print_columns(out, report);
    print_granted(out, report);
}

/* For programs. */

static void put_name(FILE *out, const char *before, struct str name)
{
    fputs(before, out);
    cli_put_json_str(out, name);
    fputs(": ", out);
}

static void print_listeners_json(FILE *out, const struct status_items *listeners)
{
    fputs(",\n \"listeners\": [", out);
    for (size_t i = 0; i < listeners->n; i++) {
        fputs(i ? ", {\"kind\": " : "{\"kind\": ", out);
        cli_put_json_str(out, listeners->items[i].name);
        fputs(", \"endpoint\": ", out);
        cli_put_json_str(out, listeners->items[i].rest);
        fprintf(out, ", \"connections\": %lu}", listeners->items[i].all);
    }
    fputc(']', out);
}

static void print_rules_json(FILE *out, const struct status_report *report)
{
    fputs(",\n \"rules\": {", out);
    for (size_t i = 0; i < report->rules.n; i++) {
        put_name(out, i ? ", " : "", report->rules.items[i].name);
        fprintf(out, "%lu", report->rules.items[i].all);
    }
    fprintf(out, "},\n \"rules_skipped\": %lu,\n \"generation\": %lu,\n \"generation_age\": %lu,\n \"stale\": ",
            report->rules_skipped, report->generation, report->generation_age);
    if (!report->is_stale) {
        fputs("null", out);
        return;
    }
    fprintf(out, "{\"seconds\": %lu, \"why\": ", report->stale_for);
    cli_put_json_str(out, report->stale_why);
    fputc('}', out);
}

static void print_counts_json(FILE *out, const char *name, const struct status_items *counts)
{
    fprintf(out, ",\n \"%s\": {", name);
    for (size_t i = 0; i < counts->n; i++) {
        put_name(out, i ? ", " : "", counts->items[i].name);
        fprintf(out, "{\"all\": %lu, \"minute\": %lu}", counts->items[i].all, counts->items[i].minute);
    }
    fputc('}', out);
}

static void print_granted_json(FILE *out, const struct status_report *report)
{
    fprintf(out, ",\n \"granted\": {\"requests\": %lu, \"seconds\": %lu, \"clients\": [", report->granted,
            report->granted_for);
    for (size_t i = 0; i < report->clients.n; i++) {
        const struct status_item *client = &report->clients.items[i];
        put_name(out, i ? ", {" : "{", str_of("address"));
        cli_put_json_str(out, client->name);
        fprintf(out, ", \"requests\": %lu, \"percent\": %u}", client->all, percent_of(client->all, report->granted));
    }
    fputs("]}", out);
}

void status_report_print_json(FILE *out, const struct status_report *report)
{
    fputs("{\"version\": ", out);
    cli_put_json_str(out, report->version);
    fprintf(out, ",\n \"command_version\": \"%s\",\n \"started\": %lu,\n \"uptime\": %lu", PACKAGE_VERSION,
            report->started, report->uptime);
    print_listeners_json(out, &report->listeners);
    print_rules_json(out, report);
    fputs(",\n \"logins\": {\"store\": ", out);
    cli_put_json_str(out, report->login_store);
    fputs(", \"state\": ", out);
    cli_put_json_str(out, report->login_state);
    fprintf(out, ", \"waiting\": %lu}", report->logins_waiting);
    print_counts_json(out, "requests", &report->requests);
    print_counts_json(out, "refusals", &report->refusals);
    fprintf(out, ",\n \"protocol_errors\": %lu,\n \"connections_refused\": %lu", report->protocol_errors,
            report->connections_refused);
    print_granted_json(out, report);
    fputs("}\n", out);
}
