#!/bin/sh
# Runs a command on Debian 13, on a machine that has another Linux: debian13.sh COMMAND ...
#
# The command sees the /usr, /etc and /var of a Debian 13 in place of this machine's, in a mount
# namespace of its own, and the checkout with a .venv and a .run of their own. Whatever it starts
# ends with it, and no mount is left behind. Debian 13 is fetched once, into /var/lib/nusabus.
# `debian13.sh --server COMMAND ...` runs one server so, as the same process, beside what this
# machine runs. `debian13.sh --fetch` only fetches.
set -eu

root=/var/lib/nusabus/debian13
suite=trixie
packages="ca-certificates curl git make postgresql procps python3 python3-venv rabbitmq-server"

fail() { printf '%s\n' "$*" >&2; exit 1; }

mirror() { # the one that this machine uses, else Debian's own
    apt-get indextargets --format '$(REPO_URI)' 2>/dev/null | grep -E '/debian/?$' | head -1 ||
        true
}

fetch() {
    if ! command -v debootstrap >/dev/null 2>&1; then
        command -v apt-get >/dev/null 2>&1 ||
            fail "debootstrap is missing, and there is no apt-get: install the package debootstrap."
        { apt-get update && DEBIAN_FRONTEND=noninteractive \
            apt-get install -y --no-install-recommends debootstrap; } >"$root.log" 2>&1 ||
            fail "debootstrap could not be installed; see $root.log."
    fi
    echo "Fetching Debian 13 into $root ..."
    rm -rf --one-file-system "$root.new"
    url=$(mirror)
    unshare --mount --propagation private -- \
        debootstrap --variant=minbase "$suite" "$root.new" "${url:-http://deb.debian.org/debian}" \
        >"$root.log" 2>&1 || fail "Debian 13 could not be fetched; see $root.log."
    # No package may start its server: 101 says that a policy forbids it, see invoke-rc.d(8).
    printf '#!/bin/sh\nexit 101\n' >"$root.new/usr/sbin/policy-rc.d"
    chmod +x "$root.new/usr/sbin/policy-rc.d"
    network "$root.new"
    # shellcheck disable=SC2086  (a list of packages)
    unshare --mount --propagation private -- sh -c '
        for each in proc dev sys; do mount --rbind "/$each" "$0/$each"; done
        exec chroot "$0" sh -c "
            apt-get update &&
            DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $*"
        ' "$root.new" $packages >>"$root.log" 2>&1 ||
        fail "The packages of Debian 13 could not be installed; see $root.log."
    mv "$root.new" "$root"
}

network() { # names are resolved, and authorities trusted, as on this machine
    for file in /etc/hosts /etc/resolv.conf; do
        [ ! -e "$file" ] || cp -L "$file" "$1$file"
    done
}

[ "$(uname -s)" = Linux ] || fail "This needs Linux."
[ "$(id -u)" = 0 ] || fail "Mounts need root: run this with sudo."
mkdir -p "$(dirname "$root")"
chmod 755 "$(dirname "$root")"
if [ ! -d "$root" ]; then
    exec 9>"$root.lock"
    flock 9
    [ -d "$root" ] || fetch
    exec 9>&-
fi
[ "${1:-}" != --fetch ] || exit 0

here=$(pwd -P)
case $here/ in
    /usr/* | /etc/* | /var/*) fail "Move the checkout: /usr, /etc and /var are Debian 13's here." ;;
esac

# Run in the new mount namespace: ROOT OWN COMMAND ..., where OWN holds what is the checkout's own.
# /var comes last, as ROOT lies below it.
wear='
    root=$1 own=$2
    shift 2
    bundle=/etc/ssl/certs/ca-certificates.crt
    [ ! -e $bundle ] || mount --bind $bundle "$root$bundle"
    if [ "$own" ]; then
        unset LOCAL_BROKER
        mount --bind "$own/venv" .venv
        mount --bind "$own/run" .run
    fi
    for each in usr etc var; do mount --rbind "$root/$each" "/$each"; done
    export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
    exec "$@"
'
if [ "${1:-}" = --server ]; then
    shift
    exec unshare --mount --propagation private -- sh -euc "$wear" sh "$root" "" "$@"
fi

for each in "$root"/var/lib/nusabus/checkouts/*/origin; do
    [ ! -f "$each" ] || [ -d "$(cat "$each")" ] || rm -rf "$(dirname "$each")"
done
own=$root/var/lib/nusabus/checkouts/$(printf %s "$here" | sha256sum | cut -c 1-16)
mkdir -p "$own/venv" "$own/run" .venv .run
chmod 711 "$own/run"
printf %s "$here" >"$own/origin"
network "$root"
exec unshare --mount --propagation private --pid --fork --kill-child --mount-proc -- \
    sh -euc "$wear" sh "$root" "$own" "$@"
