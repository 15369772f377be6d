#!/bin/sh
# Puts a tool of crates.io into target/tools, in the version that is named, unless it is there:
# scripts/tool.sh cargo-deny 0.20.2. Prints where it is.
set -eu
name=${1:?usage: scripts/tool.sh NAME VERSION} version=${2:?usage: scripts/tool.sh NAME VERSION}
root=$(cd "$(dirname "$0")/.." && pwd)/target/tools
if ! grep -qs "\"$name $version " "$root/.crates.toml"; then
    cargo install "$name" --version "$version" --locked --root "$root" >&2
fi
echo "$root/bin/$name"
