/*
 * editor: a text, given to the user's editor in a file of its own.
 */
#ifndef GATEPOST_LISTS_EDITOR_H
#define GATEPOST_LISTS_EDITOR_H

#include "core/error.h"

#include <stdbool.h>
#include <stdio.h>

enum { EDITOR_PATH_SIZE = 4096 };

/* A folder that nobody else can look into, and a file in it. */
struct editor {
    char folder[EDITOR_PATH_SIZE];
    char path[EDITOR_PATH_SIZE];
    FILE *out; /* to write the text to, until it is edited */
};

/* Makes the file, below TMPDIR; its name ends in name. Returns 0, or a negative errno with the fault in *error. */
int editor_open(struct editor *editor, const char *name, struct error *error);

/* Runs VISUAL, else EDITOR, else editor, and waits for it. Returns 0 when it has left with status 0; or a negative
 * errno with what became of it in *error. */
int editor_run(struct editor *editor, struct error *error);

/* Removes file and folder, unless `keep`. */
void editor_close(struct editor *editor, bool keep);

#endif
