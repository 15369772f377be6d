#!/bin/sh
# From a build to a proxy: writes a configuration and a random key that only you can read, starts the
# service, and prints the line that asks it. What is there already is used as it is.
#
#     scripts/quickstart.sh [--bin FILE] [--dir FOLDER] [--write-only]
#
# --bin         the program; target/release/proxy-checker if it is not given
# --dir         where config.json and env are, or come to be: data
# --write-only  starts nothing
set -eu
here=$(cd "$(dirname "$0")/.." && pwd)
bin=$here/target/release/proxy-checker
dir=data
start=yes
while [ $# -gt 0 ]; do
    case $1 in
    --bin) bin=$2 && shift ;;
    --dir) dir=$2 && shift ;;
    --write-only) start=no ;;
    *)
        sed -n '2,9s/^# \{0,1\}//p' "$0" >&2
        exit 2
        ;;
    esac
    shift
done
config=$dir/config.json
env=$dir/env

# `write MODE FILE`: the standard input, if the file is not there; never half of it.
write() {
    if [ -e "$2" ]; then
        return
    fi
    (umask 077 && cat >"$2.new")
    chmod "$1" "$2.new"
    mv "$2.new" "$2"
    echo "wrote $2"
}

mkdir -p "$dir"
# Under systemd a user who is in no group reads the configuration: it names the key's variable, not the key.
write "${CONFIG_MODE:-600}" "$config" <"$here/config.example.json"
key=$(od -An -N24 -tx1 /dev/urandom | tr -d ' \n')
sed "s/^PROXY_CHECKER_API_KEY=\$/&$key/" "$here/deploy/env.example" | write 600 "$env"
[ $start = yes ] || exit 0

set -a
# shellcheck disable=SC1090,SC1091
. "$(cd "$dir" && pwd)/env"
set +a
addr=$(sed -n 's/.*"addr": *"\([^"]*\)".*/\1/p' "$config" | head -n 1)
case $addr in :*) addr=127.0.0.1$addr ;; esac
say() {
    echo
    echo "The service runs. Ask it for a proxy (the first comes within seconds):"
    echo
    echo "    curl -H \"X-Api-Key: $PROXY_CHECKER_API_KEY\" http://$addr/get-proxy"
    echo
}

if [ ! -x "$bin" ]; then
    echo "$bin: not there; build it with \`make release\`" >&2
    exit 1
fi
if "$bin" health --config "$config" >/dev/null 2>&1; then
    say
    exit 0
fi
"$bin" serve --config "$config" &
service=$!
trap 'kill -TERM $service 2>/dev/null || :' INT TERM
until "$bin" health --config "$config" >/dev/null 2>&1; do
    # It says itself why it cannot start.
    kill -0 $service 2>/dev/null || { wait $service || exit $?; exit 1; }
    sleep 0.2
done
say
echo "Ctrl-C ends it, with all that it knows saved; start it again with: make quickstart"
# A signal ends the first wait before the service has ended.
wait $service || wait $service || status=$?
exit "${status:-0}"
