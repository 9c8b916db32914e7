/*
 * options: the daemon's command line, made from the table of configuration keys.
 */
#ifndef GATEPOST_DAEMON_OPTIONS_H
#define GATEPOST_DAEMON_OPTIONS_H

#include "conf/config.h"

enum options_mode { OPTIONS_RUN, OPTIONS_CHECK, OPTIONS_HELP, OPTIONS_VERSION };

/* Reads the options and the configuration file into *config, options last. Returns 0; -EINVAL for an option that is
 * wrong
 * (*usage is true) or a configuration file that is; or another negative errno, with the fault in *error. The caller
 * calls config_fini, after a failure too. */
int options_read(int argc, char **argv, struct config *config, enum options_mode *mode, bool *usage,
                 struct error *error);

/* Prints the options with what they mean and their presets. */
void options_print_help(void);

#endif
