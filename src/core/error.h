/*
 * error: what a person must read about a failure, filled where the fault is known.
 *
 * A function that can fail returns 0 or a negative errno and, through an optional `struct error *`, says what was wrong
 * and what would be right. Callers on the way up put their context in front. Nobody prints but the edges.
 */
#ifndef GATEPOST_CORE_ERROR_H
#define GATEPOST_CORE_ERROR_H

struct error {
    char text[512];
};

/* Writes the text; a NULL error is left alone. Returns `code`, so that a failing function can return it at once. */
int error_set(struct error *error, int code, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Puts "context: " in front of the text. Returns `code`. */
int error_prefix(struct error *error, int code, const char *format, ...) __attribute__((format(printf, 3, 4)));

#endif
