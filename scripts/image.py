"""Builds the image of `Dockerfile` without a registry and without a service: buildah in a chroot, on
a base that debootstrap made, with the Rust toolchain and the crates of this machine."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from debian import ROOT, SECONDS_MAX, SUITE, as_root, install, run, system

FOLDER = ROOT / "target/image"
BASE, BUILDER, IMAGE = (f"localhost/{name}" for name in ("debian", "debian-rust", "proxy-checker"))
# Where the builder sees the toolchain and the crates: empty folders of every Debian, so that no place
# to mount them on is left in the image.
TOOLCHAIN, CRATES = "/opt", "/srv"
# A release build is most of it: ten minutes on two busy CPUs.
BUILD_SECONDS_MAX = 3600


def buildah(*words, **more):
    """buildah with storage of its own, which is not the machine's."""
    own = ["buildah", f"--root={FOLDER}/storage", f"--runroot={FOLDER}/run"]
    return run(*own, *words, **more).strip()


def known(name):
    return name in json.dumps([image.get("names") for image in json.loads(buildah("images", "--json"))])


def bases():
    """The two that the Dockerfile asks for, under names of this machine."""
    if not known(f"{BASE}:{SUITE}"):
        root = system()
        container = buildah("from", "scratch")
        mounted = Path(buildah("mount", container))
        run("cp", "-a", *root.iterdir(), mounted)
        buildah("umount", container)
        buildah("commit", "--rm", "--format=docker", container, f"{BASE}:{SUITE}")
    if not known(f"{BUILDER}:{SUITE}"):
        container = buildah("from", f"{BASE}:{SUITE}")
        inside = ["run", "--isolation=chroot", container, "--"]
        buildah(*inside, "apt-get", "update", "-qq")
        buildah(*inside, "apt-get", "install", "-qqy", "--no-install-recommends",
                "gcc", "libc6-dev", "ca-certificates")
        buildah(*inside, "mkdir", "-p", "/usr/local/cargo")
        buildah(*inside, "ln", "-s", CRATES, "/usr/local/cargo/registry")
        path = f"{TOOLCHAIN}/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
        # The crates are there: nothing is asked of the network in the middle of a build.
        buildah("config", f"--env=PATH={path}", "--env=CARGO_HOME=/usr/local/cargo",
                "--env=CARGO_NET_OFFLINE=true", container)
        buildah("commit", "--rm", "--format=docker", container, f"{BUILDER}:{SUITE}")


def built():
    """Builds the image, as `docker build` would, and returns its description."""
    as_root()
    install(buildah="buildah", crun="crun")
    cargo = os.environ.get("CARGO", "cargo")
    if not shutil.which(cargo):
        sys.exit("cargo is missing: the image is built with the toolchain of this machine")
    bases()
    run(cargo, "fetch", "--locked", cwd=ROOT, timeout=SECONDS_MAX, env=os.environ)
    sysroot = run("rustc", "--print", "sysroot", cwd=ROOT, env=os.environ).strip()
    crates = Path(os.environ.get("CARGO_HOME", Path.home() / ".cargo")) / "registry"
    revision = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False)
    buildah("build", "--isolation=chroot", "--format=docker", "--layers",
            f"--build-arg=BUILDER={BUILDER}:{SUITE}", f"--build-arg=BASE={BASE}:{SUITE}",
            f"--volume={sysroot}:{TOOLCHAIN}:ro", f"--volume={crates}:{CRATES}",
            f"--build-arg=COMMIT={revision.stdout.strip()[:12]}",
            f"--label=org.opencontainers.image.revision={revision.stdout.strip() or 'unknown'}",
            f"--tag={IMAGE}", ROOT, timeout=BUILD_SECONDS_MAX)
    return described(IMAGE)


def described(name):
    """What `docker inspect` says of an image."""
    return json.loads(buildah("inspect", "--type=image", name))["Docker"]


def size(name):
    """Bytes of an image, its base included."""
    said = json.loads(buildah("images", "--json", name))[0]["size"]
    number, unit = re.match(r"([0-9.]+) ?([kMG]?B)", said).groups()
    return int(float(number) * {"B": 1, "kB": 1e3, "MB": 1e6, "GB": 1e9}[unit])


class Root:
    """The files of an image, as a context."""

    def __init__(self, name):
        self.name = name

    def __enter__(self):
        self.container = buildah("from", "--pull-never", self.name)
        return Path(buildah("mount", self.container))

    def __exit__(self, *_):
        buildah("umount", self.container)
        buildah("rm", self.container)
