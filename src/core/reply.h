/*
 * reply: a decision to the bytes that Postfix gets.
 */
#ifndef GATEPOST_CORE_REPLY_H
#define GATEPOST_CORE_REPLY_H

#include "core/decide.h"

enum {
    REPLY_NETWORK_MAX_BYTES = 256, /* of one piece of text that came from the network */
    /* A text of placeholders, each of 9 bytes at least, and the action in front. */
    REPLY_MAX_BYTES = SETTING_TEXT_MAX_BYTES / 9 * REPLY_NETWORK_MAX_BYTES + SETTING_TEXT_MAX_BYTES + 128
};

/* Writes what comes after action= to text, without line end, and returns its length. Control characters from the
 * network become `?`. Never empty, never digits alone: Postfix would take that for a permit. The size may be less than
 * REPLY_MAX_BYTES; the text is cut then. */
size_t reply_action(const struct decision *decision, const struct request *request, const struct settings *settings,
                    char *text, size_t size);

/* Writes the whole reply, with an empty line, LF alone at the end of lines (Postfix hangs on CRLF), and returns its
 * length, which is less than REPLY_MAX_BYTES. */
size_t reply_write(const struct decision *decision, const struct request *request, const struct settings *settings,
                   char text[REPLY_MAX_BYTES]);

/* DUNNO, OK, REFUSE's verb or code, or BCC, for logs. */
const char *reply_verb(const struct decision *decision, const struct settings *settings);

#endif
