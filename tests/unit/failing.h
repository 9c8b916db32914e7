/*
 * failing: allocations that fail when a test wants it.
 *
 * The linker sends the program's calls of malloc and its like here (--wrap, see Makefile.am), also Check's and those of
 * static libraries; shared libraries' own are left alone. Nothing should be asserted while one is to fail.
 */
#ifndef GATEPOST_TESTS_FAILING_H
#define GATEPOST_TESTS_FAILING_H

#include <stdbool.h>
#include <stddef.h>

static long left = -1; /* allocations until one fails; below 0: none fails */

static bool fails(void)
{
    return left >= 0 && left-- == 0;
}

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *old, size_t n);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *old, size_t n);

void *__wrap_malloc(size_t n)
{
    return fails() ? NULL : __real_malloc(n);
}

void *__wrap_calloc(size_t n, size_t size)
{
    return fails() ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *old, size_t n)
{
    return fails() ? NULL : __real_realloc(old, n);
}

#endif
