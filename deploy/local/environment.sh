#!/bin/sh
# Makes the virtual environment .venv exactly as requirements.lock says: environment.sh PYTHON
# Needs Python 3.11 to 3.13 and its venv module, which Debian packages apart.
set -eu

python=$1
lock=requirements.lock
uv_lock=deploy/local/requirements-uv.lock

say() { printf '%s\n' "$*"; }
fail() { say "$*" >&2; exit 1; }

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi
}

may_use_apt() {
    command -v apt-get >/dev/null 2>&1 && { [ "$(id -u)" = 0 ] || sudo -n true 2>/dev/null; }
}

"$python" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null ||
    fail "Python 3.11 to 3.13 is needed: install python3.11, or say make PYTHON=/path/to/python."

if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
    version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
    may_use_apt || fail "Python's venv module is missing: install the package python$version-venv."
    say "Installing python$version-venv ..."
    { as_root apt-get update && as_root env DEBIAN_FRONTEND=noninteractive \
        apt-get install -y --no-install-recommends "python$version-venv"; } >.venv.log 2>&1 ||
        fail "python$version-venv could not be installed; see .venv.log."
    rm -f .venv.log
fi

# Without pip: the environment holds what the lock names and nothing else.
[ -x .venv/bin/python ] || "$python" -m venv --without-pip "$(readlink -f .venv)"  # may be a link

if ! cmp -s "$uv_lock" .venv/.uv/installed; then
    say "Installing uv ..."
    rm -rf .venv/.uv
    "$python" -m venv .venv/.uv
    .venv/.uv/bin/python -m pip --disable-pip-version-check install --quiet --no-deps \
        --require-hashes --only-binary :all: --requirement "$uv_lock"
    cp "$uv_lock" .venv/.uv/installed
fi

say "Installing $(grep -c '^[a-z]' "$lock") packages ..."
.venv/.uv/bin/uv pip sync --quiet --require-hashes --compile-bytecode --python .venv/bin/python "$lock"

# The nusabus command of this checkout, without building a package.
cat > .venv/bin/nusabus <<'END'
#!/bin/sh
root=$(CDPATH= cd -- "$(dirname -- "$0")/../.." && pwd)
PYTHONPATH=$root${PYTHONPATH:+:$PYTHONPATH} exec "$root/.venv/bin/python" -m adapters.cli "$@"
END
chmod +x .venv/bin/nusabus
