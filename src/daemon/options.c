#include "daemon/options.h"

#include "conf/login_url.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

enum { OPTION_CHECK = 256, OPTION_KEY = 512, NAME_SIZE = 40 };

static void option_name(enum config_key key, char name[NAME_SIZE])
{
    (void)snprintf(name, NAME_SIZE, "%s", config_info(key)->name);
    for (char *p = name; *p; p++)
        if (*p == '_')
            *p = '-';
}

static int read_arguments(int argc, char **argv, struct config *over, const char **file, enum options_mode *mode,
                          struct error *error)
{
    static const struct option fixed[] = {
        { "config", required_argument, NULL, 'c' },
        { "check", no_argument, NULL, OPTION_CHECK },
        { "version", no_argument, NULL, 'V' },
        { "help", no_argument, NULL, 'h' },
    };
    enum { N_FIXED = sizeof fixed / sizeof *fixed };
    char names[CONFIG_COUNT][NAME_SIZE];
    struct option options[CONFIG_COUNT + N_FIXED + 1] = { { 0 } };
    for (int k = 0; k < CONFIG_COUNT; k++) {
        option_name((enum config_key)k, names[k]);
        options[k] = (struct option){ names[k], required_argument, NULL, OPTION_KEY + k };
    }
    memcpy(options + CONFIG_COUNT, fixed, sizeof fixed);

    opterr = 0;
    for (int c; (c = getopt_long(argc, argv, ":c:fVh", options, NULL)) != -1;) {
        int r = 0;
        switch (c) {
        case 'c':
            *file = optarg;
            break;
        case 'f': /* the foreground is where we always stay */
            break;
        case 'V':
            *mode = OPTIONS_VERSION;
            return 0;
        case 'h':
            *mode = OPTIONS_HELP;
            return 0;
        case OPTION_CHECK:
            *mode = OPTIONS_CHECK;
            break;
        case ':':
            return error_set(error, -EINVAL, "%s needs a value", argv[optind - 1]);
        case '?': /* what stands behind = may be secret */
            return error_set(error, -EINVAL, "there is no option %.*s", (int)strcspn(argv[optind - 1], "="),
                             argv[optind - 1]);
        default:
            r = config_set(over, (enum config_key)(c - OPTION_KEY), optarg, error);
            if (c == OPTION_KEY + CONFIG_LOGINS)
                login_url_hide(optarg); /* ps shows the arguments to everybody */
        }
        if (r < 0)
            return r;
    }
    if (optind < argc) {
        login_url_hide(argv[optind]);
        return error_set(error, -EINVAL, "\"%s\": gatepostd takes options alone", argv[optind]);
    }
    return 0;
}

/* The usual file may be absent, one that is named may not. */
static int read_file(struct config *config, const char *file, struct error *error)
{
    int r = config_read(config, file ? file : CONFIG_FILE, error);
    return r == -ENOENT && !file ? 0 : r;
}

int options_read(int argc, char **argv, struct config *config, enum options_mode *mode, bool *usage,
                 struct error *error)
{
    struct config over = { 0 };
    const char *file = NULL;
    *mode = OPTIONS_RUN;
    *usage = false;
    int r = config_init(config);
    if (r < 0)
        return error_set(error, r, "out of memory");
    r = read_arguments(argc, argv, &over, &file, mode, error);
    *usage = r == -EINVAL;
    if (r == 0 && (*mode == OPTIONS_RUN || *mode == OPTIONS_CHECK)) {
        r = read_file(config, file, error);
        if (r == 0 && (r = config_override(config, &over)) < 0)
            error_set(error, r, "out of memory");
    }
    config_fini(&over);
    return r;
}

static void print_key(enum config_key key)
{
    const struct config_info *info = config_info(key);
    static const char *const values[] = {
        [CONFIG_IS_TEXT] = "TEXT", [CONFIG_IS_NUMBER] = "N",  [CONFIG_IS_MODE] = "MODE",
        [CONFIG_IS_CHOICE] = NULL, [CONFIG_IS_LIST] = "TEXT",
    };
    char name[NAME_SIZE];
    option_name(key, name);
    printf("  --%s ", name);
    if (values[info->type])
        printf("%s", values[info->type]);
    for (int i = 0; !values[info->type] && info->choices[i]; i++)
        printf("%s%s", i ? "|" : "", info->choices[i]);
    printf("\n        %s", info->meaning);
    for (int i = 0; info->presets[i]; i++)
        printf("%s%s", i ? ", " : " [", info->presets[i]);
    printf("%s%s%s\n", info->presets[0] ? "]" : "", info->type == CONFIG_IS_LIST ? " May be given several times." : "",
           info->in_use ? "" : " Not in use in this version.");
}

void options_print_help(void)
{
    printf("usage: gatepostd [-c FILE] [options]\n"
           "The Postfix policy server of gatepost; see gatepostd(8).\n\n"
           "  -c, --config FILE\n        The configuration file. [" CONFIG_FILE ", where it exists]\n"
           "  -f    Stay in the foreground, as always.\n"
           "  --check\n        Test configuration and database, and exit.\n"
           "  -V, --version\n  -h, --help\n\n"
           "Each key of gatepost.conf(5) is an option, too, and wins over the file:\n");
    for (int k = 0; k < CONFIG_COUNT; k++)
        print_key((enum config_key)k);
}
