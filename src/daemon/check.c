#include "daemon/check.h"

#include "conf/endpoint.h"
#include "daemon/log.h"
#include "daemon/privileges.h"
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

static unsigned check_lists(const struct config *config)
{
    struct error error;
    struct endpoint endpoint;
    struct block block;
    unsigned faults = 0;
    const struct config_value *listen = &config->value[CONFIG_LISTEN], *allow = &config->value[CONFIG_LISTEN_ALLOW];
    for (size_t i = 0; i < listen->n; i++)
        if (endpoint_parse(listen->texts[i], &endpoint, &error) < 0)
            faults += print_fault(&error);
    for (size_t i = 0; i < allow->n; i++) {
        if (block_parse(str_of(allow->texts[i]), &block, &error) < 0) {
            error_prefix(&error, 0, "listen_allow");
            faults += print_fault(&error);
        }
    }
    return faults;
}

static unsigned check_names(const struct config *config)
{
    struct error error;
    struct identity identity;
    unsigned faults = 0;
    int facility;
    if (find_identity(config_text(config, CONFIG_USER), config_text(config, CONFIG_GROUP), &identity, &error) < 0)
        faults += print_fault(&error);
    if (find_identity("", config_text(config, CONFIG_SOCKET_GROUP), &identity, &error) < 0)
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
    int r = rule_db_open(&db, path, RULE_DB_EXPECT, BUSY_MS, &error);
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
    unsigned faults = check_lists(config) + check_names(config) + check_database(config);
    printf("%u %s found\n", faults, faults == 1 ? "fault" : "faults");
    return faults ? EX_CONFIG : EX_OK;
}
