#include "core/reason.h"

/* Status codes: RFC 5321 (4.2) and RFC 3463, as Postfix passes them on (SMTPD_POLICY_README, access(5)). */
const struct reason_info reasons[REASON_COUNT] = {
    [REASON_ACCESS] = { "access", "REJECT 5.7.1", "521 5.7.1", "access denied" },
    [REASON_SUBMISSION] = { "submission", "REJECT 5.7.0", "530 5.7.0", "authentication required" },
    [REASON_VRFY] = { "vrfy", "REJECT 5.7.1", "502 5.7.1", "command not available" },
    [REASON_KILL] = { "kill", "REJECT 5.7.1", "501 5.7.1", "unacceptable mail address" },
    [REASON_NULL_SENDER] = { "null-sender", "REJECT 5.7.1", "550 5.7.1", "null sender not accepted" },
    [REASON_INVALID_SENDER] = { "invalid-sender", "REJECT 5.1.7", "501 5.1.7", "sender must be user@host" },
    [REASON_LOCAL_SENDER] = { "local-sender", "REJECT 5.7.1", "550 5.7.1", "local sender not authorized" },
    [REASON_ROUTED] = { "routed", "REJECT 5.7.1", "550 5.7.1", "routed recipient, not a gateway" },
    [REASON_LIST] = { "list", "REJECT 5.7.1", "550 5.7.1", "remote mail to this list is not accepted" },
    [REASON_RELAY] = { "relay", "REJECT 5.7.1", "550 5.7.1", "unknown local host %{domain}, not a gateway" },
    [REASON_UNVERIFIED] = { "unverified", "DEFER 4.7.25", "450 4.7.25",
                            "client host name not verified, try again later" },
    [REASON_RECIPIENTS] = { "recipients", "REJECT 5.5.3", "550 5.5.3", "too many recipients" },
    [REASON_UNAVAILABLE] = { "unavailable", "DEFER 4.3.0", "451 4.3.0", "login records unavailable, try again later" },
};

enum reason reason_by_name(struct str name)
{
    for (int r = 0; r < REASON_COUNT; r++)
        if (str_is(name, reasons[r].name))
            return (enum reason)r;
    return REASON_NONE;
}
