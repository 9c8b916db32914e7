/*
 * backup_target: the file that a backup takes the place of, and the temporary one beside it. For backup.c alone.
 */
#ifndef GATEPOST_STORE_BACKUP_TARGET_H
#define GATEPOST_STORE_BACKUP_TARGET_H

#include "store/database.h"

#include <limits.h>

/* Whether `to` may be replaced. Returns 0, or -EEXIST with the reason in *error. */
int backup_target_check(const struct database *db, int64_t application_id, const char *to, struct error *error);

/* Creates an empty file beside `to`, with rights no wider than the database's. Returns 0, or a negative errno with the
 * reason in *error. The caller closes *fd. */
int backup_target_create(const struct database *db, const char *to, char temporary[PATH_MAX], int *fd,
                         struct error *error);

/* Brings the file to the disk, and puts it in the place of `to`. */
int backup_target_replace(int fd, const char *temporary, const char *to, struct error *error);

/* Removes the temporary file and what SQLite may have put beside it. */
void backup_target_discard(const char *temporary);

#endif
