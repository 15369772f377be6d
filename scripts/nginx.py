#!/usr/bin/env python3
"""Runs a command with nginx on its PATH, so that it can measure beside it:

    scripts/nginx.py target/release/proxy-bench api

Where nginx is not installed, Debian's package is unpacked into target/nginx: nothing is installed, no
service is started, and no root is needed if the lists of packages are there. Where it cannot be had the
reason is said on standard error, and the command runs without it.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

PACKAGE = "nginx"
FOLDER = Path(__file__).resolve().parent.parent / "target/nginx"
SECONDS_MAX = 300


def run(*command, cwd=None):
    """Runs a command; what it says goes to standard error."""
    subprocess.run(command, cwd=cwd, stdout=sys.stderr, check=True, timeout=SECONDS_MAX)


def starts(program):
    """Whether it runs here, with the libraries that there are."""
    try:
        done = subprocess.run([program, "-v"], capture_output=True, check=False, timeout=30)
    except OSError:
        return False
    return done.returncode == 0


def download(folder):
    """The package as this machine's lists of packages have it; root may fetch the lists anew."""
    try:
        run("apt-get", "-q", "download", PACKAGE, cwd=folder)
    except subprocess.CalledProcessError:
        if os.geteuid() != 0:
            raise
        run("apt-get", "-q", "update")
        run("apt-get", "-q", "download", PACKAGE, cwd=folder)


def unpacked():
    """The program out of its package."""
    program = FOLDER / "root/usr/sbin/nginx"
    if starts(program):
        return program
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    download(FOLDER)
    for package in FOLDER.glob("*.deb"):
        run("dpkg", "-x", str(package), str(FOLDER / "root"))
    if not starts(program):
        raise OSError(f"{program} was unpacked and does not run: a library that it needs is missing")
    return program


def folder_of_nginx():
    """Where it is, or nothing."""
    # It is an administrator's program, and those are not on everyone's PATH.
    installed = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/local/sbin:/usr/sbin")
    if installed:
        return str(Path(installed).parent)
    try:
        return str(unpacked().parent)
    except (OSError, subprocess.SubprocessError) as error:
        print(f"nginx cannot be had ({error}): measuring without it", file=sys.stderr)
        return None


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__.strip())
    folder = folder_of_nginx()
    if folder:
        os.environ["PATH"] = f"{os.environ.get('PATH', '')}:{folder}"
    os.execvp(sys.argv[1], sys.argv[1:])


if __name__ == "__main__":
    main()
