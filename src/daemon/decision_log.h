/*
 * decision_log: one line a decision, for people and for programs (logfmt).
 */
#ifndef GATEPOST_DAEMON_DECISION_LOG_H
#define GATEPOST_DAEMON_DECISION_LOG_H

#include "core/decide.h"

/* Whether the decision is of the kind that log_decisions (enum of config.h) and log_level let through. */
bool decision_log_wants(uint32_t log_decisions, const struct decision *decision);

/* Logs the decision with the row or setting that made it, and how long it took. */
void decision_log(const struct decision *decision, const struct request *request, const struct settings *settings,
                  uint64_t microseconds);

#endif
