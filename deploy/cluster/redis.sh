#!/bin/sh
# Starts Redis with redis.conf and the password of the environment; without one it does not start.
set -eu
if [ -z "${PROXY_CHECKER_REDIS_PASSWORD:-}" ]; then
    echo "PROXY_CHECKER_REDIS_PASSWORD is empty: put one into .env (docker-compose.yml says how)" >&2
    exit 1
fi
exec redis-server - "$@" <<END
$(cat "${REDIS_CONF:-/etc/redis/redis.conf}")
requirepass "$PROXY_CHECKER_REDIS_PASSWORD"
END
