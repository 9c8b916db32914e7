#include "conf/config.h"

#include "core/str.h"

#include <errno.h>
#include <stdlib.h>

enum { MODE_MAX = 0777 };

static const struct config_info infos[CONFIG_COUNT] = {
    [CONFIG_DATABASE] = { "database",
                          CONFIG_IS_TEXT,
                          { "/var/lib/gatepost/gatepost.db" },
                          { NULL },
                          0,
                          0,
                          true,
                          "The database of rules (SQLite). It is created where it is absent." },
    [CONFIG_LISTEN] = { "listen",
                        CONFIG_IS_LIST,
                        { "inet:127.0.0.1:10040" },
                        { NULL },
                        0,
                        0,
                        true,
                        "Where Postfix asks: inet:host:port, inet:[IPv6 address]:port or unix:/path." },
    [CONFIG_LISTEN_ALLOW] = { "listen_allow",
                              CONFIG_IS_LIST,
                              { "127.0.0.0/8", "::1" },
                              { NULL },
                              0,
                              0,
                              true,
                              "The blocks from which TCP connections are taken; others are closed, with a warning." },
    [CONFIG_SOCKET_MODE] = { "socket_mode",
                             CONFIG_IS_MODE,
                             { "0666" },
                             { NULL },
                             0,
                             MODE_MAX,
                             true,
                             "The mode of unix policy sockets, in octal. Postfix's smtpd must be able to write "
                             "there." },
    [CONFIG_SOCKET_GROUP] = { "socket_group",
                              CONFIG_IS_TEXT,
                              { NULL },
                              { NULL },
                              0,
                              0,
                              true,
                              "The group of unix policy sockets." },
    [CONFIG_LOGIN_LISTEN] = { "login_listen",
                              CONFIG_IS_LIST,
                              { "unix:/run/gatepost/login" },
                              { NULL },
                              0,
                              0,
                              true,
                              "Where logins are reported: unix:/path." },
    [CONFIG_LOGIN_MODE] = { "login_mode",
                            CONFIG_IS_MODE,
                            { "0660" },
                            { NULL },
                            0,
                            MODE_MAX,
                            true,
                            "The mode of the login sockets, in octal. Who can write there can open the relay." },
    [CONFIG_LOGIN_GROUP] = { "login_group",
                             CONFIG_IS_TEXT,
                             { NULL },
                             { NULL },
                             0,
                             0,
                             true,
                             "The group of the login sockets." },
    [CONFIG_CONTROL_LISTEN] = { "control_listen",
                                CONFIG_IS_LIST,
                                { "unix:/run/gatepost/control" },
                                { NULL },
                                0,
                                0,
                                true,
                                "Where the command line talks to the daemon: unix:/path. Who can write there can open "
                                "the relay." },
    [CONFIG_CONTROL_MODE] = { "control_mode",
                              CONFIG_IS_MODE,
                              { "0660" },
                              { NULL },
                              0,
                              MODE_MAX,
                              true,
                              "The mode of the control sockets, in octal." },
    [CONFIG_CONTROL_GROUP] = { "control_group",
                               CONFIG_IS_TEXT,
                               { NULL },
                               { NULL },
                               0,
                               0,
                               true,
                               "The group of the control sockets." },
    [CONFIG_HTTP_LISTEN] = { "http_listen",
                             CONFIG_IS_LIST,
                             { NULL },
                             { NULL },
                             0,
                             0,
                             false,
                             "Where metrics and health are shown: inet:host:port." },
    [CONFIG_LOGIN_KEY_FILE] = { "login_key_file",
                                CONFIG_IS_TEXT,
                                { NULL },
                                { NULL },
                                0,
                                0,
                                false,
                                "The file with the key of Dovecot's reports over HTTP." },
    [CONFIG_LOGINS] = { "logins",
                        CONFIG_IS_TEXT,
                        { "sqlite:/var/lib/gatepost/logins.db" },
                        { NULL },
                        0,
                        0,
                        true,
                        "Where logins are kept: sqlite:/path, redis://[user:password@]host[:port][/db], "
                        "redis+unix:///path[?db=N], "
                        "redis+sentinel://[user:password@]host:port[,host:port...]/name[/db], "
                        "or file:/path, where the first line of that file is one of these." },
    [CONFIG_REDIS_PREFIX] = { "redis_prefix",
                              CONFIG_IS_TEXT,
                              { "gatepost:" },
                              { NULL },
                              0,
                              0,
                              true,
                              "What the names of Redis keys begin with." },
    [CONFIG_REDIS_TIMEOUT_MS] = { "redis_timeout_ms",
                                  CONFIG_IS_NUMBER,
                                  { "500" },
                                  { NULL },
                                  1,
                                  60000,
                                  true,
                                  "The longest wait for one look-up in Redis, in milliseconds." },
    [CONFIG_RECORD] = { "record",
                        CONFIG_IS_TEXT,
                        { NULL },
                        { NULL },
                        0,
                        0,
                        true,
                        "A file to which every policy request is appended, as food for gatepost replay. Only the "
                        "daemon's user can read it." },
    [CONFIG_RECORD_MAX_MB] = { "record_max_mb",
                               CONFIG_IS_NUMBER,
                               { "100" },
                               { NULL },
                               1,
                               1048576,
                               true,
                               "The greatest size of that file and the one before it together, in MiB." },
    [CONFIG_USER] = { "user",
                      CONFIG_IS_TEXT,
                      { NULL },
                      { NULL },
                      0,
                      0,
                      true,
                      "The user to become once the sockets are bound." },
    [CONFIG_GROUP] = { "group",
                       CONFIG_IS_TEXT,
                       { NULL },
                       { NULL },
                       0,
                       0,
                       true,
                       "The group to become; without it, that of the user." },
    [CONFIG_LOG] = { "log",
                     CONFIG_IS_TEXT,
                     { "stderr" },
                     { NULL },
                     0,
                     0,
                     true,
                     "Where to log: stderr, or syslog:FACILITY such as syslog:mail." },
    [CONFIG_LOG_LEVEL] = { "log_level",
                           CONFIG_IS_CHOICE,
                           { "info" },
                           { "error", "warning", "info", "debug", NULL },
                           0,
                           0,
                           true,
                           "The least important messages that are logged." },
    [CONFIG_LOG_DECISIONS] = { "log_decisions",
                               CONFIG_IS_CHOICE,
                               { "all" },
                               { "all", "refusals", "none", NULL },
                               0,
                               0,
                               true,
                               "Which decisions are logged, a line each. Refusals are deferrals, too, and what observe "
                               "lets pass." },
    [CONFIG_MAX_CONNECTIONS] = { "max_connections",
                                 CONFIG_IS_NUMBER,
                                 { "10000" },
                                 { NULL },
                                 1,
                                 1000000,
                                 true,
                                 "The most connections at a time; others are closed, with a warning." },
    [CONFIG_MAX_REQUEST_BYTES] = { "max_request_bytes",
                                   CONFIG_IS_NUMBER,
                                   { "65536" },
                                   { NULL },
                                   1024,
                                   16777216,
                                   true,
                                   "The longest request, in bytes." },
    [CONFIG_POLL_MS] = { "poll_ms",
                         CONFIG_IS_NUMBER,
                         { "50" },
                         { NULL },
                         1,
                         60000,
                         true,
                         "How often to look for changes of the rules, in milliseconds. A change is in force after "
                         "twice this time." },
};

const struct config_info *config_info(enum config_key key)
{
    return &infos[key];
}

static void clear(struct config_value *value)
{
    for (size_t i = 0; i < value->n; i++)
        free(value->texts[i]);
    free(value->texts);
    *value = (struct config_value){ 0 };
}

static int append(struct config_value *value, const char *text)
{
    char **wider = realloc(value->texts, (value->n + 1) * sizeof *wider);
    if (!wider)
        return -ENOMEM;
    value->texts = wider;
    if (!(wider[value->n] = strdup(text)))
        return -ENOMEM;
    value->n++;
    return 0;
}

static bool parse_octal(const char *text, uint32_t *mode)
{
    char *end;
    if (!ascii_is_digit(*text))
        return false;
    unsigned long n = strtoul(text, &end, 8);
    *mode = (uint32_t)n;
    return *end == '\0' && n <= MODE_MAX;
}

static int parse(const struct config_info *info, const char *text, uint32_t *number, struct error *error)
{
    unsigned long n;
    *number = 0;
    switch (info->type) {
    case CONFIG_IS_NUMBER:
        if (!str_to_number(str_of(text), info->max, &n) || n < info->min)
            return error_set(error, -EINVAL, "%s: \"%s\" is not a number from %u to %u", info->name, text, info->min,
                             info->max);
        *number = (uint32_t)n;
        return 0;
    case CONFIG_IS_MODE:
        if (!parse_octal(text, number))
            return error_set(error, -EINVAL, "%s: \"%s\" is not a mode such as 0660", info->name, text);
        return 0;
    case CONFIG_IS_CHOICE:
        for (uint32_t i = 0; info->choices[i]; i++) {
            if (strcmp(text, info->choices[i]) == 0) {
                *number = i;
                return 0;
            }
        }
        error_set(error, -EINVAL, "%s: \"%s\" is not one of", info->name, text);
        for (uint32_t i = 0; error && info->choices[i]; i++) {
            size_t used = strlen(error->text);
            strncat(error->text, i ? ", " : " ", sizeof error->text - used - 1);
            strncat(error->text, info->choices[i], sizeof error->text - strlen(error->text) - 1);
        }
        return -EINVAL;
    case CONFIG_IS_TEXT:
    case CONFIG_IS_LIST:
        break;
    }
    return *text ? 0 : error_set(error, -EINVAL, "%s: an empty value", info->name);
}

int config_init(struct config *config)
{
    *config = (struct config){ 0 };
    for (int k = 0; k < CONFIG_COUNT; k++)
        for (int i = 0; infos[k].presets[i]; i++)
            if (append(&config->value[k], infos[k].presets[i]) < 0 ||
                parse(&infos[k], infos[k].presets[i], &config->value[k].number, NULL) < 0)
                return -ENOMEM;
    return 0;
}

void config_fini(struct config *config)
{
    for (int k = 0; k < CONFIG_COUNT; k++)
        clear(&config->value[k]);
}

int config_set(struct config *config, enum config_key key, const char *text, struct error *error)
{
    struct config_value *value = &config->value[key];
    uint32_t number;
    int r = parse(&infos[key], text, &number, error);
    if (r < 0)
        return r;
    if (!value->set || infos[key].type != CONFIG_IS_LIST)
        clear(value);
    value->set = true;
    value->number = number;
    return append(value, text) < 0 ? error_set(error, -ENOMEM, "out of memory") : 0;
}

int config_override(struct config *config, const struct config *over)
{
    for (int k = 0; k < CONFIG_COUNT; k++) {
        if (!over->value[k].set)
            continue;
        clear(&config->value[k]);
        config->value[k].set = true;
        config->value[k].number = over->value[k].number;
        for (size_t i = 0; i < over->value[k].n; i++)
            if (append(&config->value[k], over->value[k].texts[i]) < 0)
                return -ENOMEM;
    }
    return 0;
}

const char *config_text(const struct config *config, enum config_key key)
{
    return config->value[key].n ? config->value[key].texts[0] : "";
}

uint32_t config_number(const struct config *config, enum config_key key)
{
    return config->value[key].number;
}
