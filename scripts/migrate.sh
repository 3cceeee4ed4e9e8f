#!/usr/bin/env bash
# Bring the schemas of the four services up to date.
. "$(dirname "${BASH_SOURCE[0]}")/_lib.sh"
recipe migrate "$@"
