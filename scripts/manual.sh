#!/bin/sh
# Writes what shells and man want, as the program itself prints it: scripts/manual.sh BIN DIR. Under DIR
# are share/man/man1 (a page for the program and for each command), and completions for bash, zsh and fish.
set -eu
bin=${1:?usage: scripts/manual.sh BIN DIR} dir=${2:?usage: scripts/manual.sh BIN DIR}/share

pages=$dir/man/man1
install -d "$pages" "$dir/bash-completion/completions" "$dir/zsh/vendor-completions" "$dir/fish/vendor_completions.d"
rm -f "$pages"/proxy-checker*.1.gz
"$bin" man | gzip -9n >"$pages/proxy-checker.1.gz"
commands=$("$bin" --help | sed -n '/^Commands:/,/^$/s/^  \([a-z][a-z-]*\) .*/\1/p')
for command in $commands; do
    [ "$command" = help ] || "$bin" man "$command" | gzip -9n >"$pages/proxy-checker-$command.1.gz"
done
"$bin" completions bash >"$dir/bash-completion/completions/proxy-checker"
"$bin" completions zsh >"$dir/zsh/vendor-completions/_proxy-checker"
"$bin" completions fish >"$dir/fish/vendor_completions.d/proxy-checker.fish"
