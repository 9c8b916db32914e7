/*
 * record_file: a file to which requests are appended, bounded and rotated.
 *
 * At half of what both may have, FILE is renamed to FILE.1, in place of an older one, and begun anew. It is for its
 * owner alone. Only whole requests, each ended by an empty line, stay in it: what could not be written whole, be it
 * for a full disk or a loss of power, is cut off again.
 */
#ifndef GATEPOST_DAEMON_RECORD_FILE_H
#define GATEPOST_DAEMON_RECORD_FILE_H

#include "core/error.h"

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct record_file {
    char path[PATH_MAX], older[PATH_MAX];
    uint64_t max_bytes; /* of each of both */
    int fd;             /* -1: not open */
    uint64_t size_bytes;
    dev_t dev;
    ino_t ino;
};

/* max_bytes is for both files together. Nothing is opened. Returns 0, or -ENAMETOOLONG
 * with the fault in *error. */
int record_file_init(struct record_file *file, const char *path, uint64_t max_bytes, struct error *error);

/* Opens the file, or makes it; does nothing where it is open. Refused are symbolic links, what is no regular file,
 * belongs to somebody else, or holds something other than requests. Returns 0, or a negative errno with the fault in
 * *error. */
int record_file_open(struct record_file *file, struct error *error);

/* Appends n bytes of whole requests, opening the file where that has to be, be it that it is no longer at its path.
 * *lost says how many requests have not been written: all that come after a fault, and what is too long for the file.
 * Returns 0, or a negative errno with the fault in *error. */
int record_file_append(struct record_file *file, const char *bytes, size_t n, size_t *lost, struct error *error);

void record_file_close(struct record_file *file);

/* Whether record_file_open by that user ((uid_t)-1: by us) would do, changing nothing. Returns 0, or a negative errno
 * with the fault in *error. */
int record_file_check(const char *path, uid_t owner, struct error *error);

#endif
