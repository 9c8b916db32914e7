/*
 * control: the command line's way to the running daemon (gatepostd(8), CONTROL SOCKET).
 */
#ifndef GATEPOST_CONSOLE_CONTROL_H
#define GATEPOST_CONSOLE_CONTROL_H

#include "console/cli.h"

struct control;

/* Connects to the daemon. Returns 0 with *control, or after a message an exit status. */
int control_open(struct cli *cli, struct control **control);

/* The same once cli_find_control has been called, with the message in *error and not printed. */
int control_try_open(struct cli *cli, struct control **control, struct error *error);

/* NULL is fine. */
void control_close(struct control *control);

/* Puts a pair into the next request. A value that no line can carry is refused with a message and an exit status. */
int control_put(struct control *control, const char *name, struct str value);

/* Sends the request and waits for the reply. Returns 0, or after a message an exit status. */
int control_ask(struct control *control);
/* The same, with the message in *error and not printed. */
int control_try_ask(struct control *control, struct error *error);

/* The next pair of the reply; false at its end. Valid until the next request is asked. */
bool control_next(struct control *control, struct str *name, struct str *value);

#endif
