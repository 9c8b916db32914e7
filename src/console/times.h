/*
 * times: what a person writes for a time, and reads.
 */
#ifndef GATEPOST_CONSOLE_TIMES_H
#define GATEPOST_CONSOLE_TIMES_H

#include "core/error.h"

#include <stdint.h>

/* 90s, 15m, 2h, 7d or 4w, to seconds. Returns 0, or -EINVAL with what would be right in *error. */
int times_parse_span(const char *text, int64_t *seconds, struct error *error);

/* Unix seconds, or 2026-12-31T18:00 (with or without :seconds) in local time. Returns 0, or -EINVAL likewise. */
int times_parse_moment(const char *text, int64_t *moment, struct error *error);

enum { TIMES_TEXT_SIZE = 32 };

/* As times_parse_moment reads it: in local time, or in Unix seconds where that is ambiguous, as in the hour that is
 * there twice when summer time ends. */
void times_format(int64_t moment, char text[TIMES_TEXT_SIZE]);

#endif
