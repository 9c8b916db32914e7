/*
 * privileges: what the process may do.
 */
#ifndef GATEPOST_DAEMON_PRIVILEGES_H
#define GATEPOST_DAEMON_PRIVILEGES_H

#include "core/error.h"

#include <stdint.h>
#include <sys/types.h>

struct identity {
    uid_t uid; /* (uid_t)-1: stay who we are */
    gid_t gid; /* (gid_t)-1: likewise */
};

/* Looks up who is meant by user and group, either of which may be "". Returns 0, or -EINVAL with the fault in *error.
 */
int find_identity(const char *user, const char *group, struct identity *identity, struct error *error);

/* Becomes user and group for good, with the user's groups. Returns 0, or a negative errno with the fault in *error. */
int drop_privileges(const char *user, const char *group, struct error *error);

/* Makes the folder of the file at path where it is absent, for that user and group. Where it cannot, that comes out
 * when the file is made. */
void make_folder_of(const char *path, const struct identity *identity);

/* Raises the limit of open descriptors to `wanted`, as far as may be; says so in the log where it stays lower. */
void raise_descriptor_limit(uint32_t wanted);

#endif
