/*
 * login_url: the value of the configuration key `logins`.
 *
 * A URL may hold a password. It stands on the command line or in the configuration as it is, or, kept from other eyes,
 * as file:/path, where the first line of that file is the URL.
 */
#ifndef GATEPOST_CONF_LOGIN_URL_H
#define GATEPOST_CONF_LOGIN_URL_H

#include "core/error.h"

#include <stdbool.h>

enum { LOGIN_URL_SIZE = 4096 };

/* Writes the URL that the value is or names. *is_open says that others may read the file it was in. Returns 0, or a
 * negative errno with the fault in *error, which shows nothing of a URL. */
int login_url_read(const char *value, char url[LOGIN_URL_SIZE], bool *is_open, struct error *error);

/* Makes unreadable, in place, what stands between the scheme and the last @: user and password, if there are any. */
void login_url_hide(char *value);

#endif
