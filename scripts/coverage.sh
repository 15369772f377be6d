#!/bin/sh
# Which lines the tests run: cargo-llvm-cov with the LLVM tools of rustc's own version (Debian's package if
# rustup's component is missing), then scripts/coverage.py, which holds the bounds.
set -eu
cd "$(dirname "$0")/.."

major=$(rustc -vV | sed -n 's/^LLVM version: \([0-9]*\).*/\1/p')
in_rust=$(rustc --print sysroot)/lib/rustlib/$(rustc -vV | sed -n 's/^host: //p')/bin
if [ -x "$in_rust/llvm-profdata" ]; then
    LLVM_COV=$in_rust/llvm-cov LLVM_PROFDATA=$in_rust/llvm-profdata
else
    if ! command -v "llvm-profdata-$major" >/dev/null; then
        as_root=""
        [ "$(id -u)" -eq 0 ] || as_root=sudo
        $as_root apt-get update -q
        $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "llvm-$major"
    fi
    LLVM_COV=$(command -v "llvm-cov-$major") LLVM_PROFDATA=$(command -v "llvm-profdata-$major")
fi
# A process that a test kills leaves a profile that is not whole.
LLVM_PROFDATA_FLAGS="--failure-mode=all"
export LLVM_COV LLVM_PROFDATA LLVM_PROFDATA_FLAGS

scripts/redis.sh
cov=$(scripts/tool.sh cargo-llvm-cov 0.9.1)
"$cov" llvm-cov clean --workspace
"$cov" llvm-cov --no-report --workspace --locked --no-fail-fast "$@"
mkdir -p target/coverage
# Without their names only the first package is reported.
packages="-p proxy-checker -p proxy-shards"
"$cov" llvm-cov report --json $packages --output-path target/coverage/coverage.json
"$cov" llvm-cov report --html $packages --output-dir target/coverage
python3 scripts/coverage.py target/coverage/coverage.json
