#!/usr/bin/env bash
# What every script here needs first: a Python that runs, uv, and the virtual environment with everything in it.
# Nothing outside of the checkout is changed, except that uv and pip keep their caches where they always do.
# Sourced by the scripts; `_lib.sh setup` runs it by itself.

set -euo pipefail

ROOT="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)"
VENV="$ROOT/.venv"
cd "$ROOT"

fail() {
    echo "error: $*" >&2
    exit 1
}

report() { echo "$*" >&2; }

# The version of a Python as 3.12, 3.13 or 3.14, and nothing when it does not run (as a pyenv shim may not) or is another.
python_version() {
    "$1" -c 'import sys, ssl, ctypes
v = sys.version_info
print("%d.%d" % v[:2] if (3, 12) <= v < (3, 15) and v.releaselevel == "final" else "")' 2>/dev/null || true
}

# The newest Python from 3.12 on, on PATH or among pyenv's; nothing when there is none.
find_python() {
    local candidate path version newest="" found=""
    for candidate in python3.14 python3.13 python3.12 python3 \
        "${PYENV_ROOT:-$HOME/.pyenv}"/versions/*/bin/python3; do
        path="$(command -v "$candidate" 2>/dev/null)" || continue
        version="$(python_version "$path")"
        if [ -n "$version" ] && [ "${version#3.}" -gt "${newest:-0}" ]; then
            newest="${version#3.}"
            found="$path"
        fi
    done
    echo "$found"
}

runs() { "$1" --version >/dev/null 2>&1; }

# Sets UV: the one on PATH, the one beside the Python found, or a private one under .local/uv.
ensure_uv() {
    local python="$1" candidate any
    for candidate in uv "${python:+$(dirname "$python")/uv}" "$ROOT/.local/uv/bin/uv" "$HOME/.local/bin/uv"; do
        if [ -n "$candidate" ] && command -v "$candidate" >/dev/null 2>&1 && runs "$candidate"; then
            UV="$candidate"
            return
        fi
    done
    report "Installing uv under .local/uv ..."
    mkdir -p "$ROOT/.local"
    UV="$ROOT/.local/uv/bin/uv"
    for any in "$python" python3 /usr/bin/python3; do
        [ -n "$any" ] && runs "$any" || continue
        if { "$any" -m venv "$ROOT/.local/uv" && "$ROOT/.local/uv/bin/python" -m pip install -q uv; } >/dev/null 2>&1 && runs "$UV"; then
            return
        fi
        rm -rf "$ROOT/.local/uv" # Debian's Python may come without venv, but with pip
        if "$any" -m pip install -q --target "$ROOT/.local/uv" uv >/dev/null 2>&1 && runs "$UV"; then
            return
        fi
        rm -rf "$ROOT/.local/uv"
    done
    if command -v curl >/dev/null 2>&1 &&
        curl -LsSf https://astral.sh/uv/install.sh 2>/dev/null | UV_UNMANAGED_INSTALL="$ROOT/.local/uv/bin" sh >/dev/null 2>&1 && runs "$UV"; then
        return
    fi
    fail "uv is missing and could not be installed: python3 -m pip install uv, or https://docs.astral.sh/uv/"
}

# Makes .venv exactly what uv.lock says; a tenth of a second when it already is.
ensure_venv() {
    local python="" log="$ROOT/.local/uv-sync.log"
    if grep -qsF "$VENV" "$VENV/bin/activate" && [ -n "$(python_version "$VENV/bin/python")" ]; then
        python="$VENV/bin/python"
    else
        rm -rf "$VENV" # of a Python that is gone, or copied from elsewhere: its programs name their old place
        python="$(find_python)"
        [ -n "$python" ] || report "No Python from 3.12 to 3.14 is installed; uv downloads one."
    fi
    ensure_uv "$(find_beside "$python")"
    mkdir -p "$ROOT/.local"
    [ -d "$VENV" ] || report "Making .venv with ${python:-a downloaded Python} ..."
    local options=(--frozen --all-extras --group dev --project "$ROOT")
    if [ -n "$python" ]; then
        options+=(--python "$python" --no-python-downloads)
    else
        options+=(--python 3.13)
    fi
    if ! UV_PROJECT_ENVIRONMENT="$VENV" "$UV" sync "${options[@]}" >"$log" 2>&1; then
        tail -n 20 "$log" >&2
        fail "uv could not make the virtual environment; its whole answer is in $log"
    fi
}

# The Python that a virtual environment was made from: its folder may have uv beside it.
find_beside() {
    [ -n "$1" ] || return 0
    "$1" -c 'import os, sys; print(os.path.realpath(sys.executable))' 2>/dev/null || true
}

ensure_environment() {
    [ "${PAYMENTS_ENV_READY:-}" = 1 ] && return
    ensure_venv
    export PAYMENTS_ENV_READY=1
}

# Prints what stands above the code of the script that was called: its sentence, and its options.
explain() {
    echo "usage: ./scripts/$1.sh [ARGUMENT ...]"
    sed -n '2,/^[^#]/ s/^# \{0,1\}//p' "$ROOT/scripts/$1.sh"
}

# Opens the just recipe of the same name, with the arguments given.
recipe() {
    local argument
    for argument in "${@:2}"; do
        case "$argument" in -h | --help) explain "$1" && exit ;; esac
    done
    ensure_environment
    exec "$VENV/bin/just" --justfile "$ROOT/justfile" --working-directory "$ROOT" "$@"
}

if [ "${BASH_SOURCE[0]}" = "$0" ] && [ "${1:-}" = setup ]; then
    ensure_environment
fi
