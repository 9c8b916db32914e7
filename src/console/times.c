#include "console/times.h"

#include "core/str.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <time.h>

enum { SPAN_MAX_DIGITS = 9 };
static const int64_t moment_max = 253402300799; /* the end of the year 9999 */

int times_parse_span(const char *text, int64_t *seconds, struct error *error)
{
    static const struct {
        char unit;
        int64_t seconds;
    } units[] = { { 's', 1 }, { 'm', 60 }, { 'h', 3600 }, { 'd', 86400 }, { 'w', 604800 } };
    struct str all = str_of(text);
    unsigned long n;
    if (all.n >= 2 && all.n <= SPAN_MAX_DIGITS + 1 && str_to_number(str_first(all, all.n - 1), 999999999, &n) &&
        n > 0) {
        for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
            if (units[i].unit == all.p[all.n - 1]) {
                *seconds = (int64_t)n * units[i].seconds;
                return 0;
            }
        }
    }
    return error_set(error, -EINVAL, "\"%s\" is no span of time: write 90s, 15m, 2h, 7d or 4w", text);
}

int times_parse_moment(const char *text, int64_t *moment, struct error *error)
{
    unsigned long n;
    if (str_to_number(str_of(text), INT64_MAX, &n)) {
        *moment = (int64_t)n;
        return 0;
    }
    struct tm parts = { .tm_isdst = -1 };
    const char *end = strptime(text, "%Y-%m-%dT%H:%M", &parts);
    if (end && *end == ':')
        end = strptime(end, ":%S", &parts);
    struct tm asked = parts;
    time_t at = end && *end == '\0' ? mktime(&parts) : -1;
    if (at < 0 || asked.tm_mday != parts.tm_mday || at > moment_max)
        return error_set(error, -EINVAL, "\"%s\" is no time: write Unix seconds or 2026-12-31T18:00", text);
    *moment = at;
    return 0;
}

void times_format(int64_t moment, char text[TIMES_TEXT_SIZE])
{
    time_t at = (time_t)moment;
    struct tm parts;
    int64_t again;
    if (!localtime_r(&at, &parts) || strftime(text, TIMES_TEXT_SIZE, "%Y-%m-%dT%H:%M:%S", &parts) == 0 ||
        times_parse_moment(text, &again, NULL) < 0 || again != moment)
        (void)snprintf(text, TIMES_TEXT_SIZE, "%" PRId64, moment);
}
