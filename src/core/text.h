/*
 * text: what of other people's text can be shown as it is.
 */
#ifndef GATEPOST_CORE_TEXT_H
#define GATEPOST_CORE_TEXT_H

#include "core/str.h"

/* The bytes of the character other than ASCII that `rest` begins with, where it is well-formed UTF-8 and neither a
 * control character nor one that a terminal or viewer takes for a line end or shows in another order; else 0. */
size_t text_harmless_length(struct str rest);

/* All of the text is so, or printable ASCII. */
bool text_is_harmless(struct str text);

#endif
