#include "daemon/privileges.h"

#include "daemon/log.h"

#include <errno.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

int find_identity(const char *user, const char *group, struct identity *identity, struct error *error)
{
    *identity = (struct identity){ (uid_t)-1, (gid_t)-1 };
    if (user[0]) {
        const struct passwd *entry = getpwnam(user);
        if (!entry)
            return error_set(error, -EINVAL, "user: there is no user \"%s\"", user);
        identity->uid = entry->pw_uid;
        identity->gid = entry->pw_gid;
    }
    if (group[0]) {
        const struct group *entry = getgrnam(group);
        if (!entry)
            return error_set(error, -EINVAL, "group: there is no group \"%s\"", group);
        identity->gid = entry->gr_gid;
    }
    return 0;
}

int drop_privileges(const char *user, const char *group, struct error *error)
{
    struct identity identity;
    int r = find_identity(user, group, &identity, error);
    if (r < 0)
        return r;
    if (identity.uid == geteuid() && (identity.gid == (gid_t)-1 || identity.gid == getegid()))
        return 0; /* we are them already, and need not be able to change */
    if (user[0] && initgroups(user, identity.gid) < 0)
        return error_set(error, -errno, "the groups of user \"%s\" cannot be taken: %s", user, strerror(errno));
    if (identity.gid != (gid_t)-1 && setgid(identity.gid) < 0)
        return error_set(error, -errno, "group \"%s\" cannot be taken: %s", group, strerror(errno));
    if (identity.uid != (uid_t)-1 && setuid(identity.uid) < 0)
        return error_set(error, -errno, "user \"%s\" cannot be taken: %s", user, strerror(errno));
    return 0;
}

void make_folder_of(const char *path, const struct identity *identity)
{
    char folder[PATH_MAX];
    const char *slash = strrchr(path, '/');
    size_t n = slash ? (size_t)(slash - path) : 0;
    if (n == 0 || n >= sizeof folder)
        return;
    memcpy(folder, path, n);
    folder[n] = '\0';
    if (mkdir(folder, 0755) == 0 && chown(folder, identity->uid, identity->gid) < 0)
        log_warning("%s: cannot be given to its user: %s", folder, strerror(errno));
}

void raise_descriptor_limit(uint32_t wanted)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur >= wanted)
        return;
    limit.rlim_cur = limit.rlim_max < wanted ? limit.rlim_max : wanted;
    if (setrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur < wanted)
        log_warning("the limit of open descriptors is %llu, and max_connections needs %u",
                    (unsigned long long)limit.rlim_cur, wanted);
}
