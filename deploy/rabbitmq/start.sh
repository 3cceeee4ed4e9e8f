#!/bin/sh
# Start compose's RabbitMQ with the users of the four services and of other teams, and the administrator `payments` where it has a password:
# start.sh COMMAND [ARGUMENT...]
# The definitions name the users and their rights, but no password; those come from the settings, of any characters.
set -eu
file=${USERS_FILE:-/etc/rabbitmq/definitions.d/20-users.json}
user() {
    # A backslash, then a quotation mark: all that a JSON string cannot hold as it is, line breaks and the like aside.
    password=$(printf %s "$2" | sed 's/\\/\\\\/g; s/"/\\"/g')
    printf '{"name": "%s", "password": "%s", "tags": [%s]}' "$1" "$password" "$3"
}
umask 077
{
    printf '{"users": ['
    for service in api ledger gateway notifier; do
        user "$service" "$(printenv "$(echo $service | tr a-z A-Z)_RABBITMQ_PASSWORD")" ''
        printf ', '
    done
    for team in orders tenants; do
        user "$team" "$(printenv "$(echo $team | tr a-z A-Z)_RABBITMQ_PASSWORD" || true)" ''
        printf ', '
    done
    # RabbitMQ lets nobody log in without a password.
    user payments "${ADMINISTRATOR_PASSWORD:-}" '"administrator"'
    printf '],\n "vhosts": [{"name": "/"}, {"name": "payments"}],\n "permissions": ['
    printf '{"user": "payments", "vhost": "/", "configure": ".*", "write": ".*", "read": ".*"}, '
    printf '{"user": "payments", "vhost": "payments", "configure": ".*", "write": ".*", "read": ".*"}]}\n'
} >"$file"
# The server runs as this user.
[ "$(id -u)" != 0 ] || ! id rabbitmq >/dev/null 2>&1 || chown rabbitmq "$file"
exec "$@"
