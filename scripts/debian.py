"""What the tests on Debian need: its packages on this machine, and whole systems in a folder.

Nothing here names a server: systems come from where apt gets its packages, packages by their names.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "target/systems"
SUITE = os.environ.get("SUITE", "trixie")
SECONDS_MAX = 900
QUIET = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8"}


def run(*command, **more):
    """Runs a command, and says all that it said if it fails. Its standard output."""
    command = [str(word) for word in command]
    more = {"timeout": SECONDS_MAX, "env": QUIET, **more}
    done = subprocess.run(command, capture_output=True, text=True, check=False, **more)
    if done.returncode:
        sys.exit(f"{' '.join(command)}: {done.returncode}\n{done.stdout[-6000:]}{done.stderr[-6000:]}")
    return done.stdout


def install(**packages):
    """Installs those packages whose program is not here: `install(crun="crun")`."""
    path = f"{os.environ.get('PATH', '')}:/usr/local/sbin:/usr/sbin"
    missing = [package for program, package in packages.items()
               if not shutil.which(program.replace("_", "-"), path=path)]
    if not missing:
        return
    if os.geteuid() != 0:
        sys.exit(f"missing: install Debian's packages {' '.join(missing)}")
    run("apt-get", "update", "-qq")
    run("apt-get", "install", "-qqy", "--no-install-recommends", *missing)


def as_root():
    """Trees of another system are root's, and so are containers made without a service."""
    if os.geteuid() != 0:
        sys.exit("this makes a Debian in a folder, which only root can: run it as root")


def mirror():
    """Where apt gets Debian from."""
    found = run("apt-get", "indextargets", "--format", "$(REPO_URI)", "Origin: Debian", "Label: Debian")
    if not found.split():
        run("apt-get", "update", "-qq")
        found = run("apt-get", "indextargets", "--format", "$(REPO_URI)", "Origin: Debian", "Label: Debian")
    return found.split()[0]


def system():
    """The smallest Debian, in a folder that is kept: whoever changes it works on a copy."""
    install(debootstrap="debootstrap")
    folder, made = FOLDER / SUITE, FOLDER / f"{SUITE}.made"
    if not made.exists():
        shutil.rmtree(folder, ignore_errors=True)
        FOLDER.mkdir(parents=True, exist_ok=True)
        run("debootstrap", "--variant=minbase", SUITE, folder, mirror())
        # The packages are installed; an image needs neither them nor what apt knows of others.
        for cache in ("var/cache/apt/archives", "var/lib/apt/lists"):
            shutil.rmtree(folder / cache)
            (folder / cache / "partial").mkdir(parents=True)
        made.touch()
    return folder
