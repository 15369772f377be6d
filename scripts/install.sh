#!/bin/sh
# Installs the service, or takes it away again; `make install` and `make uninstall` call it.
#
#     BIN=target/release/proxy-checker PREFIX=/usr/local DESTDIR= scripts/install.sh install|uninstall
#
# What an operator changes (/etc/proxy-checker) is written once, and neither overwritten nor removed.
set -eu
cd "$(dirname "$0")/.."
: "${BIN:=target/release/proxy-checker}" "${PREFIX:=/usr/local}" "${DESTDIR:=}"
program=$PREFIX/bin/proxy-checker
unit=$PREFIX/lib/systemd/system/proxy-checker.service
sysctl=$PREFIX/lib/sysctl.d/90-proxy-checker.conf
limits=/etc/security/limits.d/90-proxy-checker.conf
config=/etc/proxy-checker/config.json
env=/etc/proxy-checker/env

# Only for the system that runs: not where a package is made, or a tree prepared.
systemd() {
    if [ -z "$DESTDIR" ] && [ -d /run/systemd/system ]; then
        systemctl "$@"
    fi
}

install_all() {
    if [ ! -x "$BIN" ]; then
        echo "$BIN: not there; build it with \`make release\`" >&2
        exit 1
    fi
    # `cargo test --release` leaves one in the same place.
    if grep -q PROXY_CHECKER_TEST_FAULTS "$BIN"; then
        echo "$BIN: a build for tests, which makes faults when it is told to; build it with \`make release\`" >&2
        exit 1
    fi
    install -D -m 755 "$BIN" "$DESTDIR$program"
    install -d "$DESTDIR$(dirname "$unit")"
    sed "s|^ExecStart=/usr/bin/proxy-checker|ExecStart=$program|" deploy/proxy-checker.service >"$DESTDIR$unit"
    chmod 644 "$DESTDIR$unit"
    install -D -m 644 deploy/sysctl.conf "$DESTDIR$sysctl"
    install -D -m 644 deploy/limits.conf "$DESTDIR$limits"
    scripts/manual.sh "$BIN" "$DESTDIR$PREFIX"
    CONFIG_MODE=644 scripts/quickstart.sh --write-only --dir "$DESTDIR/etc/proxy-checker"
    systemd daemon-reload
    systemd try-restart proxy-checker.service
    echo "installed: $("$BIN" --version) as $program"
    echo "look at $config, then: systemctl enable --now proxy-checker"
}

uninstall_all() {
    systemd disable --now proxy-checker.service
    rm -f "$DESTDIR$program" "$DESTDIR$unit" "$DESTDIR$sysctl" "$DESTDIR$limits"
    share=$DESTDIR$PREFIX/share
    rm -f "$share"/man/man1/proxy-checker.1.gz "$share"/man/man1/proxy-checker-*.1.gz \
        "$share/bash-completion/completions/proxy-checker" "$share/zsh/vendor-completions/_proxy-checker" \
        "$share/fish/vendor_completions.d/proxy-checker.fish"
    systemd daemon-reload
    for kept in "$config" "$env" /var/lib/private/proxy-checker; do
        [ ! -e "$DESTDIR$kept" ] || echo "kept: $DESTDIR$kept"
    done
}

case "${1:-}" in
install) install_all ;;
uninstall) uninstall_all ;;
*)
    sed -n '2,6s/^# \{0,1\}//p' "$0" >&2
    exit 2
    ;;
esac
