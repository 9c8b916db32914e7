/*
 * backup: a copy of a database that others go on reading and changing.
 *
 * The pages are copied as of one moment, through SQLite's backup interface. VACUUM INTO would do as well, but cannot
 * say how far it is, nor be stopped halfway, and would give rows new rowids. A reader's snapshot is held meanwhile, so
 * that no commit of others makes it begin anew. The copy is in WAL mode like the original, and complete in its one
 * file.
 */
#ifndef GATEPOST_STORE_BACKUP_H
#define GATEPOST_STORE_BACKUP_H

#include "store/database.h"

enum backup_stage { BACKUP_COPYING, BACKUP_CHECKING };

/* Called again and again; total is 0 where it is not known. Returning false stops the backup. */
typedef bool backup_go_on(void *context, enum backup_stage stage, uint64_t done, uint64_t total);

/* Copies the database to the file `to`: into a temporary file beside it, with rights no wider than the database's,
 * which is checked, brought to the disk, and takes the place of `to` only then. Where that fails, an older `to` is as
 * it was, and nothing is left beside it.
 *
 * Returns 0 and the size, or a negative errno with the fault in *error: -EEXIST where what is there must not be
 * replaced (the database itself or what belongs to it, a folder, a link, another file than an older backup, a database
 * in use); -ECANCELED where go_on has stopped it; -EBUSY where the database is locked; -EBADMSG where the
 * database cannot be read, or the copy, and so the database, is damaged; any other where `to` cannot be written. */
int backup_write(const struct database *db, const struct database_kind *kind, const char *to, backup_go_on *go_on,
                 void *context, uint64_t *size_bytes, struct error *error);

#endif
