#!/usr/bin/env bash
# Set up what is missing and start servers and services, migrated and seeded; safe to repeat.
. "$(dirname "${BASH_SOURCE[0]}")/_lib.sh"
recipe up "$@"
