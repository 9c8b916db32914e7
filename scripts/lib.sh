# What the scripts share; sourced, not run. They set top, the source folder.
# shellcheck shell=bash disable=SC2154

say() { printf '%s\n' "$*"; }
die() { printf '%s: %s\n' "${0##*/}" "$*" >&2; exit 1; }

# The packages of the named groups of scripts/packages.
packages_of() {
    local group
    for group in "$@"; do
        sed -n "s/^$group: //p" "$top/scripts/packages"
    done
}

# Installs what is missing of the named groups. Postfix is set up by its package without a configuration, so that none
# is started; a Postfix that is there already is left as it is.
install_missing() {
    local package missing=()
    for package in $(packages_of "$@"); do
        dpkg-query -W -f '${Status}\n' "$package" 2>/dev/null | grep -q ' installed$' || missing+=("$package")
    done
    [ ${#missing[@]} -gt 0 ] || return 0
    [ "$(id -u)" = 0 ] || die "not root, and these packages are missing: ${missing[*]}"
    say "Installing ${missing[*]}"
    export DEBIAN_FRONTEND=noninteractive
    case " ${missing[*]} " in *' postfix '*)
        printf 'postfix postfix/main_mailer_type select No configuration\n' | debconf-set-selections ;;
    esac
    apt-get update -qq
    apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
}

# A TCP port of 127.0.0.1 on which nobody listens.
free_port() {
    local port
    while :; do
        port=$((20000 + RANDOM % 12000))
        (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || break
    done
    printf '%s\n' "$port"
}

# Runs its arguments every tenth of a second until they succeed, for at most 20 seconds.
wait_for() {
    local i
    for ((i = 0; i < 200; i++)); do
        "$@" 2>/dev/null && return 0
        sleep 0.1
    done
    return 1
}
