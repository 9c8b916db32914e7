/*
 * mail: mail addresses and domains in the form in which they are compared.
 *
 * Local parts are compared after full Unicode case folding, as Postfix's tables do it; bytes that are no UTF-8 are
 * folded in ASCII only. Domains are compared in lower case, without the blanks and the trailing dot that Postfix drops,
 * and as A-labels (UTS 46, non-transitional).
 */
#ifndef GATEPOST_CORE_MAIL_H
#define GATEPOST_CORE_MAIL_H

#include "core/str.h"

enum { MAIL_SMALL_BYTES = 512 }; /* an address longer than this costs an allocation */

/* All three point into the structure itself or into heap: it must not be copied. Bare: domain is empty, and whole is
 * the local part; else whole is local@domain. */
struct mail_addr {
    struct str whole, local, domain;
    char *heap;
    char small[MAIL_SMALL_BYTES];
};

enum mail_reading {
    MAIL_AS_SENT,     /* without @ it is bare */
    MAIL_AS_REWRITTEN /* without @, a!b is b@a and a%b is a@b, as Postfix's trivial-rewrite has it; else it is bare */
};

/* Reads text, with or without enclosing <>; the domain is what follows the last @. Returns 0, or -ENOMEM. The caller
 * calls mail_fini, after a failure too. */
int mail_parse(struct mail_addr *addr, struct str text, enum mail_reading reading);

/* The same for a domain alone: local and whole are empty. */
int mail_parse_domain(struct mail_addr *addr, struct str text);

/* The address of the given local part, which must be folded, at the domain of addr, or bare where that is. Returns 0,
 * or -ENOMEM. */
int mail_with_local(struct mail_addr *other, const struct mail_addr *addr, struct str local);

void mail_fini(struct mail_addr *addr);

/* The text without enclosing <>. */
struct str mail_trim(struct str text);

/* The local part holds @, ! or %: Postfix sends such mail on to where that points. */
bool mail_is_routed(struct str local);

/* The local part up to the first of the delimiters that is not its first character; the whole where there is none. */
struct str mail_without_extension(struct str local, struct str delimiters);

/* [192.0.2.1] or [IPv6:2001:db8::1] (RFC 5321, 4.1.3). */
bool domain_is_literal(struct str domain);

/* Labels of 1 to 63 letters, digits, - and _, none beginning or ending with -, 253 bytes at most in all. */
bool domain_is_host_name(struct str domain);

/* A single label that is no literal, which Postfix may complete with its own domain (append_dot_mydomain). */
bool domain_is_single_label(struct str domain);

/* Cuts the first label off *domain, so that *domain is what the whole is below; false where nothing is left. To be
 * begun with domain_begin. */
bool domain_next_parent(struct str *domain);

/* A domain that begins with a dot, which is no host name, is not below what follows that dot. */
struct str domain_begin(struct str domain);

/* The local part as it was sent, of what mail_parse reads. */
struct str mail_sent_local(struct str text, enum mail_reading reading);

#endif
