/*
 * explain_print: an explanation, for people and for programs.
 */
#ifndef GATEPOST_CLI_EXPLAIN_PRINT_H
#define GATEPOST_CLI_EXPLAIN_PRINT_H

#include "core/explanation.h"

/* Where what is known of logins comes from. */
enum login_source { LOGIN_ASSUMED_NONE, LOGIN_PRETENDED, LOGIN_OF_DAEMON };

void explain_print_text(const struct explanation *explanation, const struct request *request, enum login_source source);
void explain_print_json(const struct explanation *explanation, const struct request *request);

#endif
