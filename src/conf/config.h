/*
 * config: the one table of what can be configured, and a set of its values.
 *
 * The configuration file (libconfuse), the long options, --help and gatepost.conf(5) all come from the table.
 */
#ifndef GATEPOST_CONF_CONFIG_H
#define GATEPOST_CONF_CONFIG_H

#include "core/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CONFIG_FILE "/etc/gatepost/gatepost.conf"

enum config_key {
    CONFIG_DATABASE,
    CONFIG_LISTEN,
    CONFIG_LISTEN_ALLOW,
    CONFIG_SOCKET_MODE,
    CONFIG_SOCKET_GROUP,
    CONFIG_LOGIN_LISTEN,
    CONFIG_LOGIN_MODE,
    CONFIG_LOGIN_GROUP,
    CONFIG_CONTROL_LISTEN,
    CONFIG_CONTROL_MODE,
    CONFIG_CONTROL_GROUP,
    CONFIG_HTTP_LISTEN,
    CONFIG_LOGIN_KEY_FILE,
    CONFIG_LOGINS,
    CONFIG_REDIS_PREFIX,
    CONFIG_REDIS_TIMEOUT_MS,
    CONFIG_RECORD,
    CONFIG_RECORD_MAX_MB,
    CONFIG_USER,
    CONFIG_GROUP,
    CONFIG_LOG,
    CONFIG_LOG_LEVEL,
    CONFIG_LOG_DECISIONS,
    CONFIG_MAX_CONNECTIONS,
    CONFIG_MAX_REQUEST_BYTES,
    CONFIG_POLL_MS,
    CONFIG_COUNT
};

/* The numbers of choices, in the order in which the table names them. */
enum { LEVEL_ERROR, LEVEL_WARNING, LEVEL_INFO, LEVEL_DEBUG };
enum { DECISIONS_ALL, DECISIONS_REFUSALS, DECISIONS_NONE };

enum config_type {
    CONFIG_IS_TEXT,
    CONFIG_IS_NUMBER,
    CONFIG_IS_MODE, /* in octal */
    CONFIG_IS_CHOICE,
    CONFIG_IS_LIST /* may be given several times */
};

enum { CONFIG_PRESETS = 2, CONFIG_CHOICES = 4 };

struct config_info {
    const char *name; /* in the file; as an option with dashes for underscores */
    enum config_type type;
    const char *presets[CONFIG_PRESETS + 1]; /* end with NULL; none: not set */
    const char *choices[CONFIG_CHOICES + 1]; /* end with NULL */
    uint32_t min, max;                       /* of a number */
    bool in_use;                             /* by this version */
    const char *meaning;                     /* for --help and the manual */
};

/* Never NULL for a key below CONFIG_COUNT; valid for ever. */
const struct config_info *config_info(enum config_key key);

struct config_value {
    char **texts;
    size_t n;
    uint32_t number; /* of a number or mode: itself; of a choice: which */
    bool set;        /* otherwise it is the preset */
};

struct config {
    struct config_value value[CONFIG_COUNT];
};

/* All presets. Returns 0, or -ENOMEM. The caller calls config_fini, after a failure too. */
int config_init(struct config *config);
void config_fini(struct config *config);

/* Sets a value; of a list, the first one replaces the presets and the others are added. Returns 0; -EINVAL with what
 * would be right in *error; or -ENOMEM. */
int config_set(struct config *config, enum config_key key, const char *value, struct error *error);

/* Reads a configuration file. Returns 0, or a negative errno with file, line and fault in *error; -ENOENT where there
 * is no such file. */
int config_read(struct config *config, const char *path, struct error *error);

/* What `over` sets replaces what `config` has. Returns 0, or -ENOMEM. */
int config_override(struct config *config, const struct config *over);

/* The value, or "" where it is not set; of a list the first one. */
const char *config_text(const struct config *config, enum config_key key);

uint32_t config_number(const struct config *config, enum config_key key);

#endif
