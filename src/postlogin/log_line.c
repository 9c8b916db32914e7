#include "postlogin/log_line.h"

#include "core/str.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/syslog.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define PROGRAM "gatepost-postlogin"

enum { LINE_MAX_BYTES = 1024 }; /* RFC 3164 */

/* <PRIORITY>Mon dd hh:mm:ss program[pid]: in local time; without a setlocale the month is English. */
static size_t write_header(char *line, size_t size, int severity)
{
    char stamp[sizeof "Jan  1 00:00:00"] = "";
    time_t now = time(NULL);
    struct tm local;
    if (!localtime_r(&now, &local) || strftime(stamp, sizeof stamp, "%b %e %H:%M:%S", &local) == 0)
        stamp[0] = '\0';
    int n = snprintf(line, size, "<%d>%s " PROGRAM "[%ld]: ", LOG_MAIL | severity, stamp, (long)getpid());
    return n < 0 ? 0 : (size_t)n;
}

static void send_line(const char *line, size_t n)
{
    static const struct sockaddr_un log = { .sun_family = AF_UNIX, .sun_path = "/dev/log" };
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return;
    (void)sendto(fd, line, n, MSG_NOSIGNAL, (const struct sockaddr *)&log, sizeof log); /* or it is lost: see above */
    (void)close(fd);
}

void log_line(int severity, const char *format, ...)
{
    static char line[LINE_MAX_BYTES];
    int saved = errno;
    size_t n = write_header(line, sizeof line, severity);
    va_list args;
    va_start(args, format);
    int text = vsnprintf(line + n, sizeof line - n, format, args);
    va_end(args);
    n += text < 0 ? 0 : (size_t)text;
    if (n >= sizeof line)
        n = sizeof line - 1;
    for (size_t i = 0; i < n; i++)
        if (ascii_is_control(line[i]))
            line[i] = '?';
    send_line(line, n);
    errno = saved;
}
