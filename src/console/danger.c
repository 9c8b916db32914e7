#include "console/danger.h"

#include "console/cli.h"

#include <string.h>

const char danger_of_forging[] = "anybody who forges such a sender can relay through this server";

bool danger_is_relay_for(const char *value)
{
    return strcmp(value, "nobody") != 0 && strcmp(value, "addresses") != 0;
}

int danger_refuse_relay_for(const char *value)
{
    return cli_fail(STATUS_REFUSED, "relay_for %s trusts the sender's address: %s. If that is wanted, say --yes", value,
                    strcmp(value, "anyone") == 0 ? "anybody at all can relay through this server" : danger_of_forging);
}
