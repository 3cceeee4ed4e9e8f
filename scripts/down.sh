#!/usr/bin/env bash
# Stop everything that up or demo started; with --wipe remove the data as well.
. "$(dirname "${BASH_SOURCE[0]}")/_lib.sh"
recipe down "$@"
