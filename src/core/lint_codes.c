/*
 * The codes of lint.h and what they mean.
 */
#include "core/lint.h"

const char *const lint_severity_names[LINT_SEVERITIES] = { "error", "warning", "note" };

const struct lint_info lint_infos[LINT_CODES] = {
    [LINT_NOT_UNDERSTOOD] = { "not-understood", LINT_ERROR, "this row does not count, as it is not understood" },
    [LINT_OVERRULED] = { "overruled", LINT_ERROR,
                         "this row does not count: another one has the same key in another spelling, and what "
                         "that says goes before" },
    [LINT_RELAY_ANYONE] = { "relay-anyone", LINT_ERROR,
                            "this is an open relay: everybody can send mail to everywhere through this server" },
    [LINT_FORGED_SENDER] = { "forged-sender", LINT_ERROR,
                             "the sender's address is believed: whoever writes one of yours, as spammers do first, can "
                             "send mail to everywhere through this server" },
    [LINT_GRANT_EVERYBODY] = { "grant-everybody", LINT_ERROR,
                               "this is an open relay: the block is larger than any network, so strangers are in it" },
    [LINT_GRANT_PUBLIC_SUFFIX] = { "grant-public-suffix", LINT_ERROR,
                                   "this is an open relay: everybody can register a name below this one, and so give a "
                                   "client a name that is granted" },
    [LINT_ACCEPT_EVERYBODY] = { "accept-everybody", LINT_ERROR,
                                "this is an open relay: it takes no more than a sender's address that ends so, "
                                "which everybody can write" },
    [LINT_NOBODY_MAY_CONNECT] = { "nobody-may-connect", LINT_ERROR,
                                  "all mail is refused: no client may connect, as no row of access_block grants it" },
    [LINT_GRANT_GREAT_BLOCK] = { "grant-great-block", LINT_WARNING,
                                 "more than 65,536 addresses (IPv6: more than a /32) may relay; one stranger or "
                                 "infected "
                                 "machine among them is enough" },
    [LINT_GRANT_PRIVATE] = { "grant-private", LINT_WARNING,
                             "a whole private range may relay, and what comes through NAT, a proxy or a container "
                             "seems "
                             "to come from one: grant just the networks that are yours" },
    [LINT_GRANT_DOCKER] = { "grant-docker", LINT_WARNING,
                            "with Docker, connections from all the world can seem to come from " LINT_DOCKER_GATEWAY
                            ", and that address may relay" },
    [LINT_ACCEPT_ANY_CLIENT] = { "accept-any-client", LINT_WARNING,
                                 "whoever forges such a sender, wherever it is, can relay: name the client's block" },
    [LINT_ACCEPT_GREAT_BLOCK] = { "accept-great-block", LINT_WARNING,
                                  "whoever forges such a sender from one of more than 65,536 addresses (IPv6: more "
                                  "than "
                                  "a /32) can relay: name a smaller block" },
    [LINT_LOGINS_UNLIMITED] = { "logins-unlimited", LINT_WARNING,
                                "one login lets all at its address relay, also where NAT, webmail or a proxy puts "
                                "strangers at the same address" },
    [LINT_LIST_WITH_DOMAIN] = { "list-with-domain", LINT_WARNING,
                                "Postfix's own lists answer at each local domain, and this row speaks of one of "
                                "them: written without a domain it holds for all" },
    [LINT_HOST_BITS] = { "host-bits", LINT_WARNING,
                         "bits below the mask are set, and do not count: the whole block is meant" },
    [LINT_DUPLICATE] = { "duplicate", LINT_NOTE, "another row says the same of the same key in another spelling" },
    [LINT_SHADOWED] = { "shadowed", LINT_NOTE, "this row changes nothing: broader ones say the same for as long" },
    [LINT_EXPIRED] = { "expired", LINT_NOTE, "this row has expired" },
    [LINT_OBSERVE] = { "observe", LINT_NOTE, "refusals for these reasons are logged, and not made" },
    [LINT_NO_LOCAL_DOMAIN] = { "no-local-domain", LINT_NOTE,
                               "clients may relay, but no domain is known: of all others' mail Postfix alone decides "
                               "what is ours" },
};

enum lint_code lint_code_by_name(struct str name)
{
    for (int code = 0; code < LINT_CODES; code++)
        if (str_is(name, lint_infos[code].name))
            return (enum lint_code)code;
    return LINT_NOTHING;
}
