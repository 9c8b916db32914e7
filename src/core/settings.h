/*
 * settings: the one table of what can be set in the database (table `setting`), and a set of their values.
 *
 * The loader, the command line and the manual page take names, types, ranges, defaults and descriptions from here. The
 * CHECKs of sql/schema.sql say the same in SQL; a test holds the two against each other.
 */
#ifndef GATEPOST_CORE_SETTINGS_H
#define GATEPOST_CORE_SETTINGS_H

#include "core/block.h"
#include "core/error.h"
#include "core/reason.h"

#include <stdint.h>

enum setting {
    SETTING_RELAY_FOR,
    SETTING_UNLISTED_CLIENTS,
    SETTING_POP_BEFORE_SMTP,
    SETTING_POP_BEFORE_SMTP_MATCH,
    SETTING_POP_BEFORE_SMTP_MAX_ACCOUNTS,
    SETTING_POP_BEFORE_SMTP_SKIP,
    SETTING_POP_BEFORE_SMTP_IPV6_PREFIX,
    SETTING_LOCAL_SENDER_AUTH,
    SETTING_REFUSE_NULL_SENDER,
    SETTING_OBSERVE,
    SETTING_REQUIRE_VALID_SENDER,
    SETTING_REFUSE_ROUTED_RECIPIENT,
    SETTING_RECIPIENT_DELIMITER,
    SETTING_LIST_REMOTE_MAIL,
    SETTING_MAX_RECIPIENTS,
    SETTING_SUBMISSION_PORTS,
    SETTING_REFUSE_VRFY,
    SETTING_ARCHIVE_TO,
    SETTING_ARCHIVE,
    SETTING_REPLY_STYLE,
    SETTING_TEXT, /* the texts follow each other in the order of enum reason */
    SETTING_COUNT = SETTING_TEXT + REASON_COUNT,
    SETTING_NONE = SETTING_COUNT
};

/* The numbers of choices, in the order in which the table names them. */
enum { CHOICE_NO, CHOICE_YES, CHOICE_AUTHENTICATED };
enum { RELAY_FOR_NOBODY, RELAY_FOR_ADDRESSES, RELAY_FOR_LOCAL_USERS, RELAY_FOR_LOCAL_HOSTS, RELAY_FOR_ANYONE };
enum { UNLISTED_GRANT, UNLISTED_DENY };
enum { MATCH_SENDER, MATCH_ADDRESS };
enum { ARCHIVE_ALL, ARCHIVE_INBOUND, ARCHIVE_OUTBOUND };
enum { STYLE_VERB, STYLE_CODE };

/* In the number of SETTING_OBSERVE, beside a bit 1 << reason for each reason. */
enum { OBSERVE_ALL = 1 << REASON_COUNT };

enum setting_type {
    SETTING_IS_CHOICE,
    SETTING_IS_NUMBER,
    SETTING_IS_BLOCKS,
    SETTING_IS_REASONS,
    SETTING_IS_PORTS,
    SETTING_IS_DELIMITERS,
    SETTING_IS_ADDRESS,
    SETTING_IS_TEXT
};

enum { SETTING_CHOICES = 5, SETTING_TEXT_MAX_BYTES = 512 };

struct setting_info {
    const char *name;
    enum setting_type type;
    const char *choices[SETTING_CHOICES + 1]; /* ends with NULL */
    uint32_t min, max;                        /* of a number */
    const char *preset;                       /* the value where there is no row */
    const char *unit;                         /* of a number, for the manual; or NULL */
    const char *meaning;                      /* for the manual */
};

/* Never NULL for a setting below SETTING_COUNT; valid for ever. */
const struct setting_info *setting_info(enum setting setting);

/* SETTING_NONE where no setting has that name. */
enum setting setting_by_name(struct str name);

/* Writes what values the setting takes, as words for a person, cut to the size. */
void setting_describe(enum setting setting, char *text, size_t size);

struct settings {
    char *text[SETTING_COUNT];      /* NULL where the preset holds */
    uint32_t number[SETTING_COUNT]; /* of a choice: which; of a number: itself; of reasons: their bits */
};

/* All presets. The caller calls settings_fini. */
void settings_init(struct settings *settings);
void settings_fini(struct settings *settings);

/* Puts a copy of the others into settings that are all presets. Returns 0, or -ENOMEM with some of them copied. */
int settings_copy(struct settings *settings, const struct settings *others);

/* Takes a value. Returns 0; -EINVAL with what would be right in *error; or -ENOMEM. After a failure nothing is changed.
 */
int settings_set(struct settings *settings, enum setting setting, struct str value, struct error *error);

/* Goes back to the preset. */
void settings_unset(struct settings *settings, enum setting setting);

/* Value or preset, as text; valid until the setting is changed. */
struct str settings_text(const struct settings *settings, enum setting setting);

/* Whether port is one of SETTING_SUBMISSION_PORTS. */
bool settings_has_port(const struct settings *settings, struct str port);

/* Whether addr is in one of SETTING_POP_BEFORE_SMTP_SKIP. */
bool settings_skip_login(const struct settings *settings, const struct ip_addr *addr);

/* The part of the address that a login covers. */
struct ip_addr settings_login_addr(const struct settings *settings, const struct ip_addr *addr);

/* Placeholders in a text: cuts the next piece, literal bytes or one placeholder (its name in *name, else empty), off
 * *rest. False at the end, and at a %{…} that is none, which then stands at the front of *rest. */
bool text_next_piece(struct str *rest, struct str *literal, struct str *name);

#endif
