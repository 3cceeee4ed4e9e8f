#!/usr/bin/env bash
# Follow the logs of all services, or of those named.
. "$(dirname "${BASH_SOURCE[0]}")/_lib.sh"
recipe logs "$@"
