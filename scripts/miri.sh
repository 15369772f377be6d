#!/usr/bin/env bash
# Runs what Miri can run of the data plane's pure parts: scripts/miri.sh. The ring itself is system calls, which
# it has not; tags, addresses, wheels and handshakes are not.
set -euo pipefail
cd "$(dirname "$0")/.."
toolchain=${MIRI_TOOLCHAIN:-nightly}
if ! cargo "+$toolchain" miri --version >/dev/null 2>&1; then
  echo "miri: there is none: rustup component add miri rust-src --toolchain $toolchain" >&2
  exit 1
fi
export MIRIFLAGS="-Zmiri-disable-isolation ${MIRIFLAGS:-}"
cargo "+$toolchain" miri test --locked --target-dir target/miri -p proxy-shards --lib -- \
  net::slot net::wheel beat handshake "$@"
