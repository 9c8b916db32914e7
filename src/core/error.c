#include "core/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int error_set(struct error *error, int code, const char *format, ...)
{
    if (error) {
        va_list args;
        va_start(args, format);
        (void)vsnprintf(error->text, sizeof error->text, format, args);
        va_end(args);
    }
    return code;
}

int error_prefix(struct error *error, int code, const char *format, ...)
{
    if (error) {
        char rest[sizeof error->text];
        memcpy(rest, error->text, sizeof rest);
        va_list args;
        va_start(args, format);
        int n = vsnprintf(error->text, sizeof error->text, format, args);
        va_end(args);
        size_t used = n < 0 ? 0 : (size_t)n;
        if (used < sizeof error->text)
            (void)snprintf(error->text + used, sizeof error->text - used, ": %.*s", (int)(sizeof error->text - used),
                           rest);
    }
    return code;
}
