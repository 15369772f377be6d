#!/usr/bin/env bash
# Runs fuzz targets for so many seconds each: tests/fuzz/run.sh 10. TARGETS="parser tls" names which
# (all), JOBS how many at once (1). Works with stable Rust and a C++ compiler: rustc.sh switches the
# coverage counters on that libFuzzer needs. What is found lands in target/fuzz/artifacts; what is
# learnt, in target/fuzz/corpus.
#
# tests/fuzz/run.sh keep adds to tests/fuzz/corpus some of what was learnt and reaches what nothing there
# does, short and long, up to KEPT_BYTES a target: `cargo test` replays them.
set -euo pipefail
cd "$(dirname "$0")/../.."
what=${1:?usage: tests/fuzz/run.sh SECONDS|keep}
out=$PWD/target/fuzz
kept=tests/fuzz/corpus
KEPT_BYTES=16000
KEPT_INPUTS=40
INPUT_BYTES_MAX=8192
KEPT_INPUT_BYTES_MAX=768

# One run of the target $1, with what is given behind it.
fuzz() {
  local target=$1
  shift
  FUZZ_TARGET=$target "$out/debug/fuzz" "$@" -timeout=10 -rss_limit_mb=2048 \
    -artifact_prefix="$out/artifacts/$target-" </dev/null
}

# Folders with inputs of the target $1 that somebody wrote for it, or for a test.
seeds() {
  echo "$kept/$1"
  case $1 in
    parser) echo src/sources/parse/corpus ;;
    config) echo src/config/testdata ;;
  esac
}

run() {
  local target=$1 log=$out/$1.log dictionary=tests/fuzz/dictionaries/$1 runs
  mkdir -p "$out/corpus/$target" "$out/artifacts"
  local options=(-max_total_time="$what" -max_len="$INPUT_BYTES_MAX" -print_final_stats=1)
  [ ! -e "$dictionary" ] || options+=(-dict="$dictionary")
  # shellcheck disable=SC2046 # the names of the folders have no spaces
  if ! fuzz "$target" "$out/corpus/$target" $(seeds "$target") "${options[@]}" >"$log" 2>&1; then
    tail -n 60 "$log" >&2
    echo "fuzz: $target failed; the input is in target/fuzz/artifacts" >&2
    return 1
  fi
  runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
  echo "fuzz: $target: $runs inputs in $what s, nothing found"
}

keep() {
  local target=$1 merged new step length input bytes
  merged=$(mktemp -d)
  # shellcheck disable=SC2046
  cp $(seeds "$target" | sed 's|$|/*|') "$merged"
  ls "$merged" >"$merged.before"
  fuzz "$target" -merge=1 -max_len="$KEPT_INPUT_BYTES_MAX" "$merged" "$out/corpus/$target" >"$out/$target.log" 2>&1
  new=$(cd "$merged" && comm -13 "$merged.before" <(ls) | xargs -r stat -c '%s %n' | sort -n)
  step=$(($(wc -l <<<"$new") / KEPT_INPUTS + 1))
  bytes=$(cat "$kept/$target"/* | wc -c)
  while read -r length input; do
    bytes=$((bytes + length))
    [ "$bytes" -le "$KEPT_BYTES" ] || break
    cp "$merged/$input" "$kept/$target/"
  done < <(awk "NF && NR % $step == 0" <<<"$new")
  rm -r "$merged" "$merged.before"
  echo "fuzz: $target: $(find "$kept/$target" -type f | wc -l) inputs kept"
}

if [ "${2:-}" ]; then # one target, for the lines below
  if [ "$what" = keep ]; then keep "$2"; else run "$2"; fi
  exit
fi
if ! command -v c++ >/dev/null; then
  echo "fuzz: libFuzzer needs a C++ compiler; installing g++" >&2
  apt-get install --yes --quiet g++ >&2
fi
RUSTC_WRAPPER=$PWD/tests/fuzz/rustc.sh \
  cargo build --quiet --locked --manifest-path tests/fuzz/Cargo.toml --target-dir "$out"
# shellcheck disable=SC2086
printf '%s\n' ${TARGETS:-$(ls "$kept")} | xargs -P "${JOBS:-1}" -I {} tests/fuzz/run.sh "$what" {}
