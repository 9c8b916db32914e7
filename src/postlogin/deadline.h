/*
 * deadline: a point of monotonic time that everything the program does on the network must keep to together.
 */
#ifndef GATEPOST_POSTLOGIN_DEADLINE_H
#define GATEPOST_POSTLOGIN_DEADLINE_H

#include <stdbool.h>
#include <time.h>

struct deadline {
    struct timespec at; /* CLOCK_MONOTONIC */
};

/* The deadline that is `ms` from now. */
struct deadline deadline_in(unsigned ms);

/* Whether there is time left, and how much of it. */
bool deadline_left(const struct deadline *deadline, struct timespec *left);

/* Waits until `fd` is ready for one of `events` (of poll(2)). Returns 0, -ETIMEDOUT, or another negative errno. */
int deadline_wait(const struct deadline *deadline, int fd, short events);

/* Sleeps for `ms`, or for what is left. Returns 0, or -ETIMEDOUT at once where nothing is left. */
int deadline_pause(const struct deadline *deadline, unsigned ms);

#endif
