#!/bin/sh
# Run a node of Redis, or a Sentinel: redis.sh node|sentinel. The first master is redis-1; Sentinels write what they learn into their
# own configuration, which lasts as long as the container.
set -eu
password=${REDIS_PASSWORD:-}
case $1 in
    node)
        # Whom a Sentinel names, so that a master that was replaced comes back as a replica.
        master=$(redis-cli -h sentinel-1 -p 26379 --no-auth-warning SENTINEL GET-MASTER-ADDR-BY-NAME mymaster 2>/dev/null | head -n 1 || true)
        [ -n "$master" ] || master=redis-1
        {
            printf 'save ""\nappendonly no\nmaxmemory 128mb\nmaxmemory-policy allkeys-lru\nrepl-timeout 10\n'
            printf 'replica-announce-ip %s\n' "$(hostname)"
            [ -z "$password" ] || printf 'requirepass "%s"\nmasterauth "%s"\n' "$password" "$password"
            [ -n "$password" ] || printf 'protected-mode no\n'
            [ "$master" = "$(hostname)" ] || printf 'replicaof %s 6379\n' "$master"
        } >/tmp/redis.conf
        exec redis-server /tmp/redis.conf
        ;;
    sentinel)
        {
            printf 'port 26379\nprotected-mode no\nsentinel resolve-hostnames yes\nsentinel announce-hostnames yes\n'
            printf 'sentinel announce-ip %s\n' "$(hostname)"
            printf 'sentinel monitor mymaster redis-1 6379 2\nsentinel down-after-milliseconds mymaster 3000\n'
            printf 'sentinel failover-timeout mymaster 10000\nsentinel parallel-syncs mymaster 1\n'
            [ -z "$password" ] || printf 'sentinel auth-pass mymaster %s\n' "$password"
        } >/tmp/sentinel.conf
        exec redis-server /tmp/sentinel.conf --sentinel
        ;;
esac
