/*
 * danger: what lets strangers relay, and what is said of it.
 */
#ifndef GATEPOST_CONSOLE_DANGER_H
#define GATEPOST_CONSOLE_DANGER_H

#include <stdbool.h>

/* What comes of an accept entry for any client. */
extern const char danger_of_forging[];

/* Whether relay_for with this value trusts what a sender says of itself: local-users and above. */
bool danger_is_relay_for(const char *value);

/* Says so, and that --yes confirms it; returns STATUS_REFUSED. */
int danger_refuse_relay_for(const char *value);

#endif
