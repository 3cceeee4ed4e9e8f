#!/bin/sh
# Print every Secret that deploy/kubernetes refers to, with new random passwords and keys, as one YAML stream:
#   ./deploy/kubernetes/make-secrets.sh | kubectl create --namespace payments -f -
# Nothing is written to a file. `create` refuses Secrets that exist, so that a second run replaces no key: docs/secrets.md says
# how each is replaced. With STRIPE_SECRET_KEY and STRIPE_WEBHOOK_SECRETS in the environment, the gateway's Secret has them too;
# BACKUP_ACCESS_KEY_ID and BACKUP_SECRET_ACCESS_KEY make the Secret of the backups. Without them it prints what is left out.
set -eu
[ -z "${BACKUP_ACCESS_KEY_ID:-}" ] || : "${BACKUP_SECRET_ACCESS_KEY:?}"
[ -n "${BACKUP_ACCESS_KEY_ID:-}" ] || echo "no backup-secrets: overlays/production needs them" >&2
[ -n "${STRIPE_SECRET_KEY:-}" ] && [ -n "${STRIPE_WEBHOOK_SECRETS:-}" ] ||
    echo "no stripe-secret-key and stripe-webhook-secrets in gateway-secrets: components/stripe needs both" >&2
random() { openssl rand -hex 32; }
begin() { printf -- '---\napiVersion: v1\nkind: Secret\nmetadata:\n  name: %s\ntype: Opaque\ndata:\n' "$1"; }
key() { printf '  %s: %s\n' "$1" "$(printf %s "$2" | openssl base64 -A)"; }

redis=$(random)
users=
for service in api ledger gateway notifier; do
    begin "$service-owner-secrets"
    key database-password "$(random)"
    broker=$(random)
    users="$users{\"name\": \"$service\", \"password\": \"$broker\", \"tags\": []}, "
    begin "$service-secrets"
    key database-password "$(random)"
    key rabbitmq-password "$broker"
    key operations-token "$(random)"
    case $service in
        api)
            key redis-password "$redis"
            key jwt-private-key "$(openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 2>/dev/null)"
            key console-key "$(openssl rand -base64 32)"
            ;;
        gateway)
            key encryption-key "$(openssl rand -base64 32)"
            [ -z "${STRIPE_SECRET_KEY:-}" ] || key stripe-secret-key "$STRIPE_SECRET_KEY"
            [ -z "${STRIPE_WEBHOOK_SECRETS:-}" ] || key stripe-webhook-secrets "$STRIPE_WEBHOOK_SECRETS"
            ;;
        notifier) key encryption-key "$(openssl rand -base64 32)" ;;
    esac
done
begin redis-secrets
key password "$redis"
monitoring=$(random)
begin keda-rabbitmq
key host "http://monitoring:$monitoring@rabbitmq.payments.svc:15672/payments"
begin rabbitmq-users
all="\"configure\": \".*\", \"write\": \".*\", \"read\": \".*\""
key users.json "{\"users\": [$users{\"name\": \"monitoring\", \"password\": \"$monitoring\", \"tags\": [\"monitoring\"]}, \
{\"name\": \"redrive\", \"password\": \"$(random)\", \"tags\": []}, \
{\"name\": \"payments\", \"password\": \"$(random)\", \"tags\": [\"administrator\"]}], \
\"vhosts\": [{\"name\": \"/\"}, {\"name\": \"payments\"}], \
\"permissions\": [{\"user\": \"payments\", \"vhost\": \"/\", $all}, {\"user\": \"payments\", \"vhost\": \"payments\", $all}]}"
if [ -n "${BACKUP_ACCESS_KEY_ID:-}" ]; then
    begin backup-secrets
    key access-key-id "$BACKUP_ACCESS_KEY_ID"
    key secret-access-key "$BACKUP_SECRET_ACCESS_KEY"
fi
