/*
 * name_key: host names, domains and addresses as keys of a trie.
 *
 * A name is written backwards, so that a domain comes before all that is below it, then @ and the local part, and at
 * last a mark: of a domain for all below it (behind its dot), of a suffix, or of what must be met as a whole. One walk
 * through a trie so finds all patterns that cover an address.
 */
#ifndef GATEPOST_CORE_NAME_KEY_H
#define GATEPOST_CORE_NAME_KEY_H

#include "core/rule_key.h"
#include "core/trie.h"

enum name_mark { MARK_BELOW = 1, MARK_SUFFIX, MARK_WHOLE };

/* The key of a name as rule_key has it; local_n is that of an address. `to` has room for name.n + 2 bytes, of which the
 * number used is returned. */
size_t name_key_write(unsigned char *to, enum name_kind kind, struct str name, size_t local_n);

/* The same for local part and domain the other way round: all addresses of one local part stand together. */
size_t name_key_write_local(unsigned char *to, struct str address, size_t local_n);

/* What a key says. The name is written to text, which has room for the bytes of the key, in front of it what marks its
 * kind there: @, @. or @* where at_marks is set, else nothing or a dot. Returns the number of bytes. */
size_t name_key_format(const unsigned char *key, size_t n, bool at_marks, char *text);

/* Bytes up to and with the mark. */
size_t name_key_bytes(const unsigned char *key, size_t n);

enum { NAME_QUERY_BYTES = TRIE_KEY_MAX_BYTES + 1 };

/* An address or a domain to be looked for. */
struct name_query {
    struct trie_query query;
    unsigned char text[NAME_QUERY_BYTES];
};

/* Local part and domain as compared; either may be empty. What is longer than any key is cut off. */
void name_query_init(struct name_query *name, struct str local, struct str domain);

/* The same for a domain that is written backwards already; it is no longer than a key. */
void name_query_init_backwards(struct name_query *name, struct str domain);

/* For all that a key stands for, n bytes of it up to and with its mark: what covers all of that is found, the key
 * itself among it. */
void name_query_init_key(struct name_query *name, const unsigned char *key, size_t n);

#endif
