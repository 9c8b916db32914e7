#include "console/kind.h"

#include "console/cli.h"

#include <string.h>

const struct kind kinds[KIND_COUNT] = {
    { "deny", RULE_ACCESS_BLOCK, "deny", 0 },
    { "allow", RULE_ACCESS_BLOCK, "grant", 0 },
    { "grant", RULE_RELAY_GRANT, "grant", 0 },
    { "refuse", RULE_RELAY_GRANT, "refuse", 0 },
    { "kill", RULE_KILL_ENTRY, NULL, 0 },
    { "accept", RULE_ACCEPT_ENTRY, NULL, KIND_HAS_CLIENT },
    { "domain", RULE_LOCAL_DOMAIN, NULL, KIND_HAS_RELAY },
    { "user", RULE_LOCAL_USER, NULL, KIND_HAS_ACCOUNT },
    { "list", RULE_LOCAL_LIST, NULL, KIND_HAS_REMOTE_MAIL },
};

const char kind_names[] = "deny, allow, grant, refuse, kill, accept, domain, user or list";

const struct kind *kind_find(const char *name)
{
    for (size_t i = 0; i < KIND_COUNT; i++)
        if (strcmp(kinds[i].name, name) == 0)
            return &kinds[i];
    return NULL;
}

const struct kind *kind_by_name(const char *name)
{
    const struct kind *kind = kind_find(name);
    if (!kind)
        (void)cli_usage("there is no kind \"%s\": it is %s", name, kind_names);
    return kind;
}

const struct kind *kind_of(enum rule_table table, const char *value)
{
    const struct kind *found = NULL;
    for (size_t i = 0; i < KIND_COUNT; i++) {
        if (kinds[i].table != table)
            continue;
        found = &kinds[i];
        if (!found->value || (value && strcmp(found->value, value) == 0))
            break;
    }
    return found;
}
