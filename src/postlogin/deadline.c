#include "postlogin/deadline.h"

#include <errno.h>
#include <poll.h>
#include <stddef.h>

enum { NS_PER_MS = 1000000, NS_PER_S = 1000000000 };

/* CLOCK_MONOTONIC cannot fail on Linux. */
static struct timespec now(void)
{
    struct timespec time = { 0 };
    (void)clock_gettime(CLOCK_MONOTONIC, &time);
    return time;
}

struct deadline deadline_in(unsigned ms)
{
    struct deadline deadline = { now() };
    deadline.at.tv_sec += ms / 1000;
    deadline.at.tv_nsec += (long)(ms % 1000) * NS_PER_MS;
    if (deadline.at.tv_nsec >= NS_PER_S) {
        deadline.at.tv_sec++;
        deadline.at.tv_nsec -= NS_PER_S;
    }
    return deadline;
}

bool deadline_left(const struct deadline *deadline, struct timespec *left)
{
    struct timespec time = now();
    left->tv_sec = deadline->at.tv_sec - time.tv_sec;
    left->tv_nsec = deadline->at.tv_nsec - time.tv_nsec;
    if (left->tv_nsec < 0) {
        left->tv_sec--;
        left->tv_nsec += NS_PER_S;
    }
    return left->tv_sec >= 0 && (left->tv_sec > 0 || left->tv_nsec > 0);
}

int deadline_wait(const struct deadline *deadline, int fd, short events)
{
    struct pollfd ready = { .fd = fd, .events = events };
    struct timespec left;
    while (deadline_left(deadline, &left)) {
        int n = ppoll(&ready, 1, &left, NULL);
        if (n > 0)
            return 0;
        if (n < 0 && errno != EINTR)
            return -errno;
    }
    return -ETIMEDOUT;
}

int deadline_pause(const struct deadline *deadline, unsigned ms)
{
    struct timespec left, pause = { ms / 1000, (long)(ms % 1000) * NS_PER_MS };
    if (!deadline_left(deadline, &left))
        return -ETIMEDOUT;
    if (left.tv_sec < pause.tv_sec || (left.tv_sec == pause.tv_sec && left.tv_nsec < pause.tv_nsec))
        pause = left;
    (void)nanosleep(&pause, NULL); /* woken early, it is a shorter pause */
    return 0;
}
