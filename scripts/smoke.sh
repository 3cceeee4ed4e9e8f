#!/usr/bin/env bash
# Check the running platform from log-in to received webhook; exit code 0 only if all of it works.
. "$(dirname "${BASH_SOURCE[0]}")/_lib.sh"
recipe smoke "$@"
