#!/usr/bin/env bash
# Set up what is missing, start everything, make one payment go through and show the book; leave it running.
. "$(dirname "${BASH_SOURCE[0]}")/_lib.sh"
recipe demo "$@"
