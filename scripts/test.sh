#!/usr/bin/env bash
# Set up what is missing and run every check and test; arguments go to pytest.
. "$(dirname "${BASH_SOURCE[0]}")/_lib.sh"
recipe test "$@"
