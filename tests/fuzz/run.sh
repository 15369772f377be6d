#!/usr/bin/env bash
# Runs every fuzz target for so many seconds: tests/fuzz/run.sh 10. Works with stable Rust and a C++
# compiler: rustc.sh switches the coverage counters on that libFuzzer needs. What is found lands in
# target/fuzz/artifacts; what is learnt, in target/fuzz/corpus.
set -euo pipefail
cd "$(dirname "$0")/../.."
seconds=${1:?usage: tests/fuzz/run.sh SECONDS}
out=$PWD/target/fuzz
if ! command -v c++ >/dev/null; then
  echo "fuzz: libFuzzer needs a C++ compiler; installing g++" >&2
  apt-get install --yes --quiet g++ >&2
fi
RUSTC_WRAPPER=$PWD/tests/fuzz/rustc.sh \
  cargo build --quiet --locked --manifest-path tests/fuzz/Cargo.toml --target-dir "$out"

for target in parser conversation socks; do
  case $target in
    parser) seeds=src/sources/parse/corpus ;;
    *) seeds=tests/fuzz/seeds/$target ;;
  esac
  mkdir -p "$out/corpus/$target" "$out/artifacts"
  log=$out/$target.log
  if ! "$out/debug/$target" "$out/corpus/$target" "$seeds" -max_total_time="$seconds" \
    -max_len=8192 -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
    -artifact_prefix="$out/artifacts/$target-" >"$log" 2>&1; then
    tail -n 40 "$log" >&2
    echo "fuzz: $target failed; the input is in target/fuzz/artifacts" >&2
    exit 1
  fi
  runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
  echo "fuzz: $target: $runs inputs in $seconds s, nothing found"
done
