#!/usr/bin/env bash
# Write the demo tenants, users, roles, policies and accounts; safe to repeat.
. "$(dirname "${BASH_SOURCE[0]}")/_lib.sh"
recipe seed "$@"
