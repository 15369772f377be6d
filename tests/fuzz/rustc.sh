#!/usr/bin/env bash
# Compiles our own crates with the coverage counters that libFuzzer needs and with the entry points that
# only fuzzing and tests have, and everything else as usual: what is not ours need not be explored, and
# takes most of the time.
case " $* " in
  *" --crate-name proxy_checker "* | *" --crate-name proxy_shards "*)
    exec "$@" --cfg fuzzing \
      -Cpasses=sancov-module \
      -Cllvm-args=-sanitizer-coverage-level=4 \
      -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
      -Cllvm-args=-sanitizer-coverage-pc-table \
      -Cllvm-args=-sanitizer-coverage-trace-compares
    ;;
  *) exec "$@" ;;
esac
