#include "daemon/check.h"

#include "conf/endpoint.h"
#include "conf/login_url.h"
#include "daemon/log.h"
#include "daemon/privileges.h"
#include "daemon/record_file.h"
#include "store/login_store.h"
#include "store/rule_db.h"

#include <errno.h>
#include <stdio.h>
#include <sysexits.h>

enum { BUSY_MS = 5000 };

static unsigned print_fault(const struct error *error)
{
    fprintf(stderr, "gatepostd: %s\n", error->text);
    return 1;
}

static unsigned check_endpoints(const struct config *config, enum config_key key, bool only_unix)
{
    const struct config_value *listen = &config->value[key];
    struct error error;
    struct endpoint endpoint;
    unsigned faults = 0;
    for (size_t i = 0; i < listen->n; i++) {
        int r = endpoint_parse(listen->texts[i], &endpoint, &error);
        if (r == 0 && only_unix && !endpoint.is_unix)
            r = error_set(&error, -EINVAL, "%s: \"%s\": only unix sockets (unix:/path) can be listened on here",
                          config_info(key)->name, listen->texts[i]);
        if (r < 0)
            faults += print_fault(&error);
    }
    return faults;
}

static unsigned check_allowed(const struct config *config)
{
    const struct config_value *allow = &config->value[CONFIG_LISTEN_ALLOW];
    struct error error;
    struct block block;
    unsigned faults = 0;
    for (size_t i = 0; i < allow->n; i++) {
        if (block_parse(str_of(allow->texts[i]), &block, &error) < 0) {
            error_prefix(&error, 0, "listen_allow");
            faults += print_fault(&error);
        }
    }
    return faults;
}

static unsigned check_logins(const struct config *config)
{
    char url[LOGIN_URL_SIZE];
    struct error error;
    bool is_open;
    if (login_url_read(config_text(config, CONFIG_LOGINS), url, &is_open, &error) < 0 ||
        login_store_check(url, &error) < 0)
        return print_fault(&error);
    /* The folder of the preset is made at start. */
    if (config->value[CONFIG_LOGINS].set && login_store_test(url, &error) < 0)
        return print_fault(&error);
    return 0;
}

/* A user that is none is a fault of its own. */
static unsigned check_record(const struct config *config)
{
    struct error error;
    struct identity identity;
    if (!config->value[CONFIG_RECORD].set ||
        find_identity(config_text(config, CONFIG_USER), "", &identity, &error) < 0 ||
        record_file_check(config_text(config, CONFIG_RECORD), identity.uid, &error) == 0)
        return 0;
    error_prefix(&error, 0, "record");
    return print_fault(&error);
}

static unsigned check_names(const struct config *config)
{
    static const enum config_key groups[] = { CONFIG_SOCKET_GROUP, CONFIG_LOGIN_GROUP, CONFIG_CONTROL_GROUP };
    struct error error;
    struct identity identity;
    unsigned faults = 0;
    int facility;
    if (find_identity(config_text(config, CONFIG_USER), config_text(config, CONFIG_GROUP), &identity, &error) < 0)
        faults += print_fault(&error);
    for (size_t i = 0; i < sizeof groups / sizeof *groups; i++)
        if (find_identity("", config_text(config, groups[i]), &identity, &error) < 0)
            faults += print_fault(&error);
    if (log_parse_target(config_text(config, CONFIG_LOG), &facility, &error) < 0)
        faults += print_fault(&error);
    return faults;
}

static void print_skipped(void *context, const struct rule_row *row, const struct error *why)
{
    ++*(unsigned *)context;
    fprintf(stderr, "gatepostd: a row of %s is skipped: %s\n", rule_tables[row->table].name, why->text);
}

static unsigned check_database(const struct config *config)
{
    const char *path = config_text(config, CONFIG_DATABASE);
    struct error error;
    struct rule_db *db = NULL;
    struct rules *rules = NULL;
    unsigned skipped = 0, faults = 0;
    size_t n = 0;
    int r = rule_db_open(&db, path, DATABASE_EXPECT, BUSY_MS, &error);
    if (r == -ENOENT) {
        printf("%s: absent; the daemon will create it\n", path);
    } else if (r < 0 || rule_db_load(db, &rules, print_skipped, &skipped, &error) < 0) {
        faults += print_fault(&error);
    } else {
        for (int table = 0; table < RULE_TABLE_COUNT; table++)
            n += rules_count(rules, (enum rule_table)table);
        printf("%s: %zu rules and settings, %u rows skipped\n", path, n, skipped);
    }
    rules_free(rules);
    rule_db_close(db);
    return faults;
}

int check_all(const struct config *config)
{
    unsigned faults = check_endpoints(config, CONFIG_LISTEN, false) +
                      check_endpoints(config, CONFIG_LOGIN_LISTEN, true) +
                      check_endpoints(config, CONFIG_CONTROL_LISTEN, true) + check_allowed(config) +
                      check_logins(config) + check_record(config) + check_names(config) + check_database(config);
    printf("%u %s found\n", faults, faults == 1 ? "fault" : "faults");
    return faults ? EX_CONFIG : EX_OK;
}
