#!/bin/sh
# Run a server's command only with passwords of one's own: own-password.sh NAME[?][,NAME[?]...] COMMAND [ARGUMENT...]
# What ends in ? may be empty: nobody can log in with it then. NAME_FILE, where it is set, is a file whose content counts instead of NAME.
# Where APP_ENV=local anything goes. Elsewhere each named variable must be 12 characters or more, and in no file of this
# repository: /published_secrets.txt has the SHA-256 digests of those, as the services compare them.
set -eu
names=$1
shift
for name in $(echo "$names" | tr -d '?' | tr , ' '); do
    file=$(printenv "${name}_FILE" || true)
    if [ -n "$file" ]; then
        value=$(cat "$file")
        export "$name=$value"
    fi
    # Some images read it themselves, and refuse to have both.
    unset "${name}_FILE"
done
if [ "${APP_ENV:-local}" != local ]; then
    for name in $(echo "$names" | tr , ' '); do
        may_be_empty=${name#"${name%\?}"}
        name=${name%\?}
        value=$(printenv "$name" || true)
        [ -z "$may_be_empty" ] || [ -n "$value" ] || continue
        digest=$(printf %s "$value" | sha256sum | cut -d ' ' -f 1)
        if [ "${#value}" -lt 12 ] || grep -qxF "$digest" "${PUBLISHED_SECRETS:-/published_secrets.txt}"; then
            echo "$name is missing, short or published, which only APP_ENV=local may use; make one with \`openssl rand -hex 32\`" >&2
            exit 1
        fi
    done
fi
exec "$@"
