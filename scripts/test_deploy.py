#!/usr/bin/env python3
"""Holds the files in deploy/ against what systemd and this kernel make of them.

`systemd-analyze` (Debian's package systemd; installed if it is missing and this is root) must find
nothing wrong with the unit and an exposure of 2.0 at most; each key of sysctl.conf must be one that
Linux has; and the binary must start under the unit's limits and environment, say READY=1 and feed
its watchdog. Exits with 1 if something is not as it should be.
"""

import argparse
import json
import os
import pathlib
import re
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile

from stage import binary

ROOT = pathlib.Path(__file__).resolve().parent.parent
DEPLOY = ROOT / "deploy"
UNIT = "proxy-checker.service"
EXPOSURE_MAX = 2.0


def analyzer():
    if not shutil.which("systemd-analyze"):
        if os.geteuid() != 0:
            sys.exit("systemd-analyze is missing: install Debian's package systemd")
        subprocess.run(["apt-get", "update", "-qq"], check=True)
        subprocess.run(["apt-get", "install", "-qqy", "--no-install-recommends", "systemd"],
                       check=True, stdout=subprocess.DEVNULL)
    return shutil.which("systemd-analyze")


def verify(program, folder):
    """systemd wants the binary where the unit says, so it is told where ours is."""
    text = (DEPLOY / UNIT).read_text().replace("/usr/bin/proxy-checker", str(program))
    unit = pathlib.Path(folder) / UNIT
    unit.write_text(text)
    said = subprocess.run([analyzer(), "verify", unit], capture_output=True, text=True)
    ours = [line for line in (said.stdout + said.stderr).splitlines() if UNIT in line]
    if said.returncode or ours:
        sys.exit(f"systemd-analyze verify: {said.stdout}{said.stderr}")
    said = subprocess.run(
        [analyzer(), "security", "--offline=true", f"--threshold={int(EXPOSURE_MAX * 10)}", unit],
        capture_output=True, text=True, env={**os.environ, "SYSTEMD_COLORS": "0"})
    found = re.search(r"Overall exposure level for \S+: ([0-9.]+)", said.stdout)
    if said.returncode or not found:
        sys.exit(f"systemd-analyze security: {said.stdout}{said.stderr}")
    print(f"{UNIT}: verified, exposure {found[1]} of at most {EXPOSURE_MAX}")


def settings(unit, key):
    return [line.split("=", 1)[1] for line in unit.splitlines() if line.startswith(key + "=")]


def limits(unit):
    nofile, memlock = settings(unit, "LimitNOFILE")[0], settings(unit, "LimitMEMLOCK")[0]
    wanted = {resource.RLIMIT_NOFILE: int(nofile),
              resource.RLIMIT_MEMLOCK: int(memlock.rstrip("M")) << 20}

    def apply():
        for kind, value in wanted.items():
            _, hard = resource.getrlimit(kind)
            most = value if hard == resource.RLIM_INFINITY else min(value, hard)
            resource.setrlimit(kind, (most, most))

    return apply


def serves(program, folder):
    """The binary in the place of the service, with this script in the place of systemd."""
    unit = (DEPLOY / UNIT).read_text()
    folder = pathlib.Path(folder)
    config = json.loads((ROOT / "config.example.json").read_text())
    config["aggregator"]["sources"] = []
    config["api"].update(addr="127.0.0.1:0")
    (folder / "config.json").write_text(json.dumps(config))
    variables = dict(line.split("=", 1) for line in settings(unit, "Environment"))
    example = (DEPLOY / "env.example").read_text().splitlines()
    names = [line.split("=", 1)[0] for line in example if re.match(r"[A-Z_]+=", line)]
    if config["api"]["api_key_env"] not in names:
        sys.exit(f"deploy/env.example does not name {config['api']['api_key_env']}")
    manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    manager.bind(str(folder / "notify"))
    manager.settimeout(30)
    watchdog = int(settings(unit, "WatchdogSec")[0]) * 1_000_000
    service = subprocess.Popen(
        [program, "serve", "--config", folder / "config.json"], cwd=folder,
        preexec_fn=limits(unit), stderr=subprocess.PIPE, text=True,
        env={"PATH": os.environ["PATH"], "NOTIFY_SOCKET": str(folder / "notify"),
             "WATCHDOG_USEC": str(watchdog), **variables, **{name: "a-key" for name in names}})
    try:
        wanted = ["READY=1", "WATCHDOG=1", "STOPPING=1"]
        while wanted:
            if manager.recv(4096).decode().startswith(wanted[0]):
                if wanted.pop(0) == "WATCHDOG=1":
                    service.send_signal(signal.SIGTERM)
        status = service.wait(timeout=int(settings(unit, "TimeoutStopSec")[0]))
    except (TimeoutError, subprocess.TimeoutExpired) as error:
        service.kill()
        sys.exit(f"the service under the unit's limits: {error}\n{service.stderr.read()}")
    if status:
        sys.exit(f"the service ended with {status}\n{service.stderr.read()}")
    print("the binary starts under the unit's limits, is ready, feeds its watchdog and stops")


def known_keys():
    """Keys of parts of the kernel that are not loaded here, such as conntrack, begin with `-`."""
    lines = (DEPLOY / "sysctl.conf").read_text().splitlines()
    keys = [line.split("=")[0].strip() for line in lines if line and line[0] != "#"]
    missing = [key for key in keys
               if key[0] != "-" and not pathlib.Path("/proc/sys", *key.split(".")).exists()]
    if missing:
        sys.exit(f"deploy/sysctl.conf: this kernel has no {', '.join(missing)}")
    print(f"sysctl.conf: {len(keys)} keys")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bin-dir", default="target/debug")
    program = pathlib.Path(binary(parser.parse_args().bin_dir, "proxy-checker")).resolve()
    for part in (verify, serves):
        with tempfile.TemporaryDirectory() as folder:
            part(program, folder)
    known_keys()


if __name__ == "__main__":
    main()
