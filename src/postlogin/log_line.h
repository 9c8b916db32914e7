/*
 * log_line: a line for syslog that nobody waits for.
 *
 * syslog(3) waits as long as /dev/log is full, and a stopped or busy syslog daemon would so keep users from their mail.
 * Here the line is one datagram, in the form that syslog(3) gives it, which goes out at once or is lost.
 */
#ifndef GATEPOST_POSTLOGIN_LOG_LINE_H
#define GATEPOST_POSTLOGIN_LOG_LINE_H

/* Logs with facility mail and the given severity (LOG_WARNING …). The text is cut where it is too long, and its control
 * characters are replaced by `?`. Leaves errno as it was. */
void log_line(int severity, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
