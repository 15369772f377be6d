#!/bin/sh
# The redis-server that tests and benches start for themselves: Debian's package, installed if it is
# missing. Nothing is started here.
set -eu
if command -v redis-server >/dev/null; then
    exit 0
fi
if ! command -v apt-get >/dev/null; then
    echo "the tests of the Redis store need redis-server (6 or newer): install it" >&2
    exit 1
fi
as_root=""
[ "$(id -u)" -eq 0 ] || as_root=sudo
$as_root apt-get update -q
$as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends redis-server
