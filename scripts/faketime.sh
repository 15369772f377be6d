#!/bin/sh
# libfaketime, with which the fault suite sets the clock of one process and of no other: Debian's package,
# installed if it is missing. Nothing is started here.
set -eu
if ls /usr/lib/*/faketime/libfaketimeMT.so.1 /usr/lib*/faketime/libfaketimeMT.so.1 2>/dev/null | grep -q .; then
    exit 0
fi
if ! command -v apt-get >/dev/null; then
    echo "the cases of the fault suite that set the clock need libfaketime (0.9.10 or newer), and are not run without it" >&2
    exit 0
fi
as_root=""
[ "$(id -u)" -eq 0 ] || as_root=sudo
$as_root apt-get update -q
$as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends libfaketime
