/*
 * recorder: policy requests as they come, into a file (gatepost.conf(5), record), for `gatepost replay`.
 *
 * The loop only copies a request into a bounded buffer; a thread writes. Whatever happens to the file costs requests of
 * the record and a warning, never a decision.
 */
#ifndef GATEPOST_DAEMON_RECORDER_H
#define GATEPOST_DAEMON_RECORDER_H

#include "conf/config.h"
#include "core/str.h"

struct recorder;

/* Opens the file and starts the thread, where the configuration, which must outlive the recorder, asks for it; else
 * *recorder is NULL, which is fine for all others. To be called as the user who is to own the file. Returns 0, or a
 * negative errno with the fault in *error. */
int recorder_open(struct recorder **recorder, const struct config *config, struct error *error);

/* Records the bytes of one well-formed request, with its empty line. The lines are made to end in LF alone, and the
 * time (Unix seconds) is put in front of the empty line. */
void recorder_put(struct recorder *recorder, struct str bytes, int64_t now);

/* Has the thread write. The loop calls this once a round. */
void recorder_flush(struct recorder *recorder);

/* Has the file opened anew, where it has been moved away. */
void recorder_reopen(struct recorder *recorder);

/* Writes what is left, waiting for a second at most. */
void recorder_close(struct recorder *recorder);

#endif
