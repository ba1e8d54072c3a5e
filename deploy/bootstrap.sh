#!/bin/sh
# Makes .venv from requirements.lock. Does nothing when that is already so.
set -eu
cd "$(dirname "$0")/.."

UV_VERSION=0.13.9
STAMP=.venv/.orderstream-stamp

say() { printf 'bootstrap: %s\n' "$*"; }
die() {
    printf 'bootstrap: %s\n' "$*" >&2
    exit 3
}

wanted=$(cat requirements.lock pyproject.toml deploy/bootstrap.sh | cksum)
if [ -f "$STAMP" ] && [ "$(cat "$STAMP")" = "$wanted" ] && [ -x .venv/bin/orderstream ] &&
    .venv/bin/python -c '' 2>/dev/null; then
    exit 0
fi

# Run, not only looked up: a version manager's shim may be on PATH and refuse.
suits() {
    "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 12))' 2>/dev/null
}

find_python() {
    for candidate in ${ORDERSTREAM_PYTHON:-} python3.12 python3.11 python3 python; do
        if suits "$candidate"; then
            command -v "$candidate"
            return
        fi
    done
    if command -v uv >/dev/null; then
        uv python find --no-python-downloads '>=3.11,<3.13' 2>/dev/null && return
    fi
    return 1
}

# A working .venv of the right version is kept and brought up to date.
if ! { [ -x .venv/bin/python ] && suits .venv/bin/python; }; then
    python=$(find_python) || die "needs Python 3.11 or 3.12 and found neither python3.12 nor \
python3.11, and python3 is $(python3 -V 2>&1 || echo missing). On Debian or Ubuntu: apt-get \
install python3 python3-venv. If it is elsewhere, set ORDERSTREAM_PYTHON to its path."
    say "making .venv with $("$python" -V) ($python)"
    rm -rf .venv
    if command -v uv >/dev/null; then
        uv venv --quiet --python "$python" .venv
    elif ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
        version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
        if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
            say "this Python has no venv module: apt-get install python$version-venv"
            apt-get update -qq
            DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "python$version-venv" >/dev/null
        else
            die "this Python has no venv module. Run: sudo apt-get install python$version-venv"
        fi
        "$python" -m venv .venv
    else
        "$python" -m venv .venv
    fi
fi

if command -v uv >/dev/null; then
    uv=$(command -v uv)
else
    uv=.venv/bin/uv
    if [ ! -x "$uv" ]; then
        say "installing uv $UV_VERSION into .venv"
        .venv/bin/python -m pip install --quiet --disable-pip-version-check "uv==$UV_VERSION"
    fi
fi

say "installing the packages of requirements.lock"
"$uv" pip sync --quiet --python .venv/bin/python --require-hashes requirements.lock
say "installing orderstream itself"
"$uv" pip install --quiet --python .venv/bin/python --no-deps --no-build-isolation --editable .

printf '%s' "$wanted" >"$STAMP"
say "ready: .venv/bin/orderstream"
