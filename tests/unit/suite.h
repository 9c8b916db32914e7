/*
 * suite: what the Check suites share. Each program has one suite and prints TAP.
 */
#ifndef GATEPOST_TESTS_SUITE_H
#define GATEPOST_TESTS_SUITE_H

#include <check.h>
#include <stdlib.h>

enum { SUITE_TIMEOUT_S = 60 };

/* A case with the time that a slow machine under sanitizers may need. */
static inline TCase *suite_case(Suite *suite, const char *name)
{
    TCase *tcase = tcase_create(name);
    tcase_set_timeout(tcase, SUITE_TIMEOUT_S);
    suite_add_tcase(suite, tcase);
    return tcase;
}

/* Runs the suite and frees it; returns main's exit status. */
static inline int suite_run(Suite *suite)
{
    SRunner *runner = srunner_create(suite);
    srunner_set_tap(runner, "-");
    srunner_run_all(runner, CK_SILENT);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* The number of rows of a table, for tcase_add_loop_test. */
#define COUNT(table) ((int)(sizeof(table) / sizeof *(table)))

#endif
