#!/usr/bin/env python3
"""Installs the package of `make deb` in a Debian of its own (debootstrap, target/systems), and holds
what is there then: files, modes, key, unit; what an upgrade keeps; what is left after a purge.

Needs root. Exits with 1 if something is not as it should be.
"""

import argparse
import json
import re
import shutil
import stat
import sys
from pathlib import Path

from debian import FOLDER, ROOT, SUITE, as_root, run, system

ENV, CONFIG = "etc/proxy-checker/env", "etc/proxy-checker/config.json"
DATA = "var/lib/private/proxy-checker"
UNIT = "usr/lib/systemd/system/proxy-checker.service"
# Path, mode, and the file of this repository that it is.
FILES = [
    ("usr/bin/proxy-checker", 0o755, None),
    (CONFIG, 0o644, "config.example.json"),
    ("etc/security/limits.d/90-proxy-checker.conf", 0o644, "deploy/limits.conf"),
    ("usr/lib/sysctl.d/90-proxy-checker.conf", 0o644, "deploy/sysctl.conf"),
    (UNIT, 0o644, "deploy/proxy-checker.service"),
    ("usr/share/man/man1/proxy-checker.1.gz", 0o644, None),
    ("usr/share/man/man1/proxy-checker-check.1.gz", 0o644, None),
    ("usr/share/bash-completion/completions/proxy-checker", 0o644, None),
    ("usr/share/zsh/vendor-completions/_proxy-checker", 0o644, None),
    ("usr/share/fish/vendor_completions.d/proxy-checker.fish", 0o644, None),
    ("usr/share/doc/proxy-checker/copyright", 0o644, None),
    ("usr/share/doc/proxy-checker/docs/operations.md", 0o644, "docs/operations.md"),
]
# What dpkg and apt write about themselves.
NOT_OURS = re.compile(r"^(var/(lib/(dpkg|apt|systemd)|log|cache)|tmp|proc|root|dev|run)(/|$)")


def expect(holds, what):
    if not holds:
        sys.exit(what)


class System:
    """A copy of the smallest Debian, with what the package and its unit need."""

    def __init__(self, package):
        self.root = FOLDER / f"{SUITE}-deb"
        shutil.rmtree(self.root, ignore_errors=True)
        run("cp", "-a", system(), self.root)
        shutil.copy("/etc/resolv.conf", self.root / "etc/resolv.conf")
        shutil.copy(package, self.root / "tmp/proxy-checker.deb")
        self.run("apt-get", "update", "-qq")
        # What the package says it needs, so that it is not taken for what the package leaves behind.
        needed = re.findall(r"(?:^|, )([a-z0-9.+-]+)", run("dpkg-deb", "--field", package, "Depends"))
        self.run("apt-get", "install", "-qqy", "--no-install-recommends", "systemd", *needed)

    def run(self, *command):
        """In the tree, with a /proc of its own that goes with the command."""
        script = 'mount -t proc proc "$1/proc" && exec chroot "$@"'
        return run("unshare", "--mount", "--pid", "--fork", "sh", "-c", script, "sh", self.root, *command)

    def files(self):
        """Every path, but for what dpkg and apt write about themselves."""
        paths = (path.relative_to(self.root).as_posix() for path in self.root.rglob("*"))
        return {path for path in paths if not NOT_OURS.match(path)}

    def path(self, path):
        return self.root / path


def holds_files(tree):
    for path, mode, source in FILES:
        found = tree.path(path).stat()
        expect((found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode)) == (0, 0, mode),
               f"/{path}: {found.st_uid}:{found.st_gid} {stat.S_IMODE(found.st_mode):o}")
        same = not source or tree.path(path).read_bytes() == (ROOT / source).read_bytes()
        expect(same, f"/{path} is not {source}")
    conffiles = re.findall(r"^ /(\S+)", tree.run("dpkg-query", "-W", "-f", "${Conffiles}", "proxy-checker"), re.M)
    expect(sorted(conffiles) == [CONFIG, FILES[2][0]], f"conffiles: {conffiles}")
    print(f"installed: {len(FILES)} files with their modes, conffiles /{' /'.join(conffiles)}")


def holds_the_key(tree):
    found = tree.path(ENV).stat()
    expect((found.st_uid, stat.S_IMODE(found.st_mode)) == (0, 0o600), f"/{ENV} is not root's alone")
    key = re.search(r"^PROXY_CHECKER_API_KEY=([0-9a-f]{48})$", tree.path(ENV).read_text(), re.M)
    expect(key, f"/{ENV} has no key")
    said = tree.run("env", f"PROXY_CHECKER_API_KEY={key[1]}", "proxy-checker", "doctor", "--offline", "--json",
                    "--config", f"/{CONFIG}")
    expect(json.loads(said), "doctor said nothing")
    return key[1]


def holds_the_unit(tree):
    said = tree.run("systemd-analyze", "verify", f"/{UNIT}")
    expect("proxy-checker" not in said, f"systemd-analyze verify: {said}")
    tree.run("systemctl", "enable", "proxy-checker.service")
    link = tree.path("etc/systemd/system/multi-user.target.wants/proxy-checker.service")
    expect(link.is_symlink(), "the unit cannot be enabled")
    print("the unit is verified, and can be enabled")


def upgrade(tree, key):
    """What the operator changed, and the key, outlive the same package once more."""
    config = tree.path(CONFIG)
    config.write_text(config.read_text().replace("127.0.0.1:8083", "127.0.0.1:8093"))
    tree.run("dpkg", "--install", "/tmp/proxy-checker.deb")
    expect("127.0.0.1:8093" in config.read_text(), "an upgrade overwrites the configuration")
    expect(holds_the_key(tree) == key, "an upgrade changes the key")
    print("an upgrade keeps configuration and key")


def gone(tree, before):
    kept = tree.path(DATA) / "data/ledger"
    kept.mkdir(parents=True)
    tree.run("dpkg", "--remove", "proxy-checker")
    left = tree.files() - before
    expect({CONFIG, ENV} < left and UNIT not in left and not any("wants" in path for path in left),
           f"removed, and there is left: {sorted(left)}")
    said = tree.run("dpkg", "--purge", "proxy-checker")
    expect(f"rm -r /{DATA}" in said, f"a purge does not say what it leaves: {said}")
    left = {path for path in tree.files() - before if not f"{path}/".startswith("var/lib/private/")}
    expect(not left and kept.exists(), f"purged, and there is left: {sorted(left)}")
    lost = before - tree.files()
    expect(not lost, f"purged, and there is no more: {sorted(lost)}")
    print(f"a removal keeps what was configured, a purge leaves /{DATA} and says so")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("package", type=Path, help="the .deb")
    options = parser.parse_args()
    as_root()
    tree = System(options.package)
    before = tree.files()
    said = tree.run("apt-get", "install", "-qqy", "--no-install-recommends", "/tmp/proxy-checker.deb")
    expect("systemctl enable --now proxy-checker" in said, f"it does not say how to start it: {said}")
    holds_files(tree)
    key = holds_the_key(tree)
    holds_the_unit(tree)
    upgrade(tree, key)
    gone(tree, before)
    shutil.rmtree(tree.root)


if __name__ == "__main__":
    main()
