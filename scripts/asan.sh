#!/usr/bin/env bash
# Runs the tests of what is `unsafe`, the probe ring, with AddressSanitizer: scripts/asan.sh. Works with
# stable Rust, whose library is built without it: what is ours, and all crates, are looked at. Memory that the
# kernel writes to is not seen by it; that no buffer is ours and the kernel's at once is held by assertions.
set -euo pipefail
cd "$(dirname "$0")/.."
target=$(rustc -vV | sed -n 's/^host: //p')
runtime=$(rustc --print target-libdir --target "$target")
if ! compgen -G "$runtime/librustc-*_rt.asan.a" >/dev/null; then
  echo "asan: this Rust ($(rustc --version)) has no AddressSanitizer for $target; use a toolchain of rustup" >&2
  echo "  for x86_64-unknown-linux-gnu: rustup toolchain install stable --target x86_64-unknown-linux-gnu" >&2
  exit 1
fi
# Sanitizers are an unstable option of a stable compiler. Executors of glommio leak at their end, and whatever
# a test's thread leaves behind, so leaks are not looked for.
export RUSTC_BOOTSTRAP=1 RUSTFLAGS="${RUSTFLAGS:-} -Zsanitizer=address"
export ASAN_OPTIONS="detect_leaks=0:detect_stack_use_after_return=1:strict_string_checks=1:${ASAN_OPTIONS:-}"
cargo test --locked --target "$target" --target-dir target/asan -p proxy-shards --lib -- net:: "$@"
