#!/bin/sh
# Holds what the program is made of: licences, banned crates and sources by deny.toml, advisories if their
# database can be had, dependencies that nobody uses, and the oldest Rust that is promised.
set -eu
cd "$(dirname "$0")/.."

deny=$(scripts/tool.sh cargo-deny 0.20.2)
machete=$(scripts/tool.sh cargo-machete 0.9.2)

"$deny" --locked check licenses bans sources
if "$deny" --locked fetch db >target/tools/fetch.log 2>&1; then
    "$deny" --locked check advisories
else
    echo "supply: ADVISORIES WERE NOT CHECKED: their database cannot be reached from here:" >&2
    tail -n 3 target/tools/fetch.log >&2
fi
"$machete" --with-metadata . 

oldest=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)
if cargo "+$oldest.0" --version >/dev/null 2>&1 || rustup toolchain install --profile minimal "$oldest.0"; then
    cargo "+$oldest.0" check --workspace --all-targets --locked --target-dir target/oldest
    echo "supply: Rust $oldest compiles it"
else
    echo "supply: Rust $oldest cannot be had here; install it to hold rust-version in Cargo.toml" >&2
    exit 1
fi
