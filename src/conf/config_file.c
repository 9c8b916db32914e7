/*
 * The configuration file, read by libconfuse.
 */
#include "conf/config.h"
#include "core/str.h"

#include <confuse.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

enum { FILE_MAX_BYTES = 1 << 20 };

/* libconfuse hands its error function nothing of ours. Reading a file is done by one thread, at start. */
static struct {
    const char *path;
    struct error *error;
} reading;

__attribute__((format(printf, 2, 0))) static void on_error(cfg_t *cfg, const char *format, va_list args)
{
    char what[256];
    (void)vsnprintf(what, sizeof what, format, args);
    error_set(reading.error, -EINVAL, "%s:%d: %s", reading.path, cfg ? cfg->line : 0, what);
}

/* The whole file, ended by NUL, which the caller frees. */
static int slurp(const char *path, char **text, struct error *error)
{
    struct stat st;
    FILE *file = fopen(path, "re");
    if (!file)
        return error_set(error, -errno, "%s: %s", path, strerror(errno));
    int r = 0;
    size_t n = 0;
    *text = NULL;
    if (fstat(fileno(file), &st) < 0)
        r = error_set(error, -errno, "%s: %s", path, strerror(errno));
    else if (!S_ISREG(st.st_mode))
        r = error_set(error, -EINVAL, "%s: this is not a file", path);
    else if (st.st_size > FILE_MAX_BYTES)
        r = error_set(error, -EFBIG, "%s: longer than %d bytes", path, FILE_MAX_BYTES);
    else if (!(*text = malloc((size_t)st.st_size + 1)))
        r = error_set(error, -ENOMEM, "out of memory");
    else {
        n = fread(*text, 1, (size_t)st.st_size, file);
        (*text)[n] = '\0';
        if (ferror(file))
            r = error_set(error, -EIO, "%s: cannot be read", path);
        else if (strlen(*text) != n)
            r = error_set(error, -EINVAL, "%s: a NUL; this is not a text file", path);
    }
    (void)fclose(file);
    if (r < 0) {
        free(*text);
        *text = NULL;
    }
    return r;
}

static int take_values(struct config *config, cfg_t *cfg, const char *path, struct error *error)
{
    for (int k = 0; k < CONFIG_COUNT; k++) {
        const char *name = config_info((enum config_key)k)->name;
        for (unsigned i = 0; i < cfg_size(cfg, name); i++) {
            const char *text = cfg_getnstr(cfg, name, i);
            int r = text ? config_set(config, (enum config_key)k, text, error) : 0;
            if (r < 0)
                return error_prefix(error, r, "%s", path);
        }
    }
    return 0;
}

int config_read(struct config *config, const char *path, struct error *error)
{
    char *text = NULL;
    int r = slurp(path, &text, error);
    if (r < 0)
        return r;
    cfg_opt_t opts[CONFIG_COUNT + 1];
    for (int k = 0; k < CONFIG_COUNT; k++) {
        const struct config_info *info = config_info((enum config_key)k);
        opts[k] = info->type == CONFIG_IS_LIST ? (cfg_opt_t)CFG_STR_LIST(info->name, NULL, CFGF_NODEFAULT)
                                               : (cfg_opt_t)CFG_STR(info->name, NULL, CFGF_NODEFAULT);
    }
    opts[CONFIG_COUNT] = (cfg_opt_t)CFG_END();

    cfg_t *cfg = cfg_init(opts, CFGF_NONE);
    if (cfg) {
        reading.path = path;
        reading.error = error;
        error_set(error, -EINVAL, "%s: cannot be parsed", path);
        (void)cfg_set_error_function(cfg, on_error);
        r = cfg_parse_buf(cfg, text) == CFG_SUCCESS ? take_values(config, cfg, path, error) : -EINVAL;
        (void)cfg_free(cfg);
    } else {
        r = error_set(error, -ENOMEM, "out of memory");
    }
    free(text);
    return r;
}
