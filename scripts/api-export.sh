#!/usr/bin/env bash
# Write the OpenAPI and AsyncAPI documents to docs/api.
. "$(dirname "${BASH_SOURCE[0]}")/_lib.sh"
recipe api-export "$@"
