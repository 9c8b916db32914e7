/*
 * request_file: requests as they were recorded, out of a file, whatever else may be in it.
 *
 * The file is read piece by piece into one buffer, in which the requests are parsed where they lie. What is malformed
 * is passed over up to the next empty line without being kept; so is a last request that is not finished. A file in
 * which nothing is found for long is given up.
 */
#ifndef GATEPOST_REPLAY_REQUEST_FILE_H
#define GATEPOST_REPLAY_REQUEST_FILE_H

#include "core/error.h"
#include "core/request.h"

enum {
    REQUEST_FILE_MAX_BYTES = 131072,   /* of one request: a daemon takes half of it by default, and adds the time */
    REQUEST_FILE_MAX_FAULTS = 1000,    /* malformed requests in a row, after which the file is given up */
    REQUEST_FILE_MAX_BARREN = 64 << 20 /* likewise bytes without a request */
};

struct request_file {
    const char *name; /* for messages */
    int fd;
    char *buffer;
    size_t at, n;          /* what is not parsed yet begins at `at` */
    uint64_t offset, line; /* of that in the file; the first line is 1 */
    struct request_parser parser;
    bool skipping, in_line; /* up to an empty line; the line has begun before `at` */
    bool ended;             /* there is nothing more to read */
    bool given_up;
    unsigned faults; /* since the last request, and */
    uint64_t barren; /* bytes */
    uint64_t n_requests, n_malformed;
};

/* Opens the file; "-" is standard input. The path must outlive it. Returns 0, -EISDIR, or another negative errno with
 * the fault in *error. The caller calls request_file_close, after a failure too. */
int request_file_open(struct request_file *file, const char *path, struct error *error);
void request_file_close(struct request_file *file);

enum request_file_step {
    REQUEST_FILE_TAKEN,
    REQUEST_FILE_MALFORMED,
    REQUEST_FILE_MORE, /* request_file_read must be called */
    REQUEST_FILE_END
};

/* Where a malformed request begins, and what is wrong with it. */
struct request_fault {
    uint64_t line, offset;
    const char *text; /* a constant */
};

/* The next request, or the next fault. A request stays valid until request_file_read. */
enum request_file_step request_file_take(struct request_file *file, struct request *request,
                                         struct request_fault *fault);

/* Reads on, waiting for what is not there yet. Returns 0, also at the end, or a negative errno with the fault in
 * *error. */
int request_file_read(struct request_file *file, struct error *error);

#endif
