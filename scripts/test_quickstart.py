#!/usr/bin/env python3
"""Holds scripts/quickstart.sh and scripts/install.sh: what they write, that they overwrite nothing, and
that the line that is printed at the end gives a proxy – from a farm of mock proxies on this machine.
Exits with 1 if something is not as it should be.
"""

import argparse
import json
import os
import re
import stat
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from stage import Farm, binary, free_port, stop

ROOT = Path(__file__).resolve().parent.parent
START = ROOT / "scripts/quickstart.sh"


def expect(holds, what):
    if not holds:
        sys.exit(what)


def run(*command, status=0, **environment):
    done = subprocess.run([str(word) for word in command], cwd=ROOT, capture_output=True, text=True, check=False,
                          timeout=120, env={**os.environ, **environment})
    expect(done.returncode == status, f"{command}: {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def key_of(env):
    found = re.search(r"^PROXY_CHECKER_API_KEY=([0-9a-f]{48})$", env.read_text(), re.M)
    expect(found, f"{env} has no key")
    return found[1]


def writes_once(program, folder):
    """Two files, readable for their owner; a second run changes neither."""
    one, two = folder / "one", folder / "two"
    for place in (one, two):
        run(START, "--write-only", "--dir", place)
    config, env = one / "config.json", one / "env"
    expect((mode(config), mode(env)) == (0o600, 0o600), f"modes {mode(config):o} and {mode(env):o}")
    expect(key_of(env) != key_of(two / "env"), "two hosts have the same key")
    said = run(program, "doctor", "--offline", "--json", "--config", config, PROXY_CHECKER_API_KEY=key_of(env))
    expect(json.loads(said), "doctor said nothing")
    config.write_text(config.read_text() + "\n")
    before = [(path.read_bytes(), path.stat().st_mtime_ns) for path in (config, env)]
    run(START, "--write-only", "--dir", one)
    expect(before == [(path.read_bytes(), path.stat().st_mtime_ns) for path in (config, env)],
           "a second run changes what is there")
    expect(sorted(os.listdir(one)) == ["config.json", "env"], f"there is {os.listdir(one)}")
    print("quickstart: writes configuration and key once, for their owner")


def line_of(process, seconds=60):
    """The line that asks, out of what the script says."""
    until = time.monotonic() + seconds
    for line in process.stdout:
        if line.strip().startswith("curl "):
            return line.strip()
        expect(time.monotonic() < until, f"no line within {seconds} s")
    sys.exit(f"quickstart ended with {process.wait()}")


def asks(line, seconds=30):
    """What the printed line gives, tried until there is a proxy."""
    until = time.monotonic() + seconds
    while True:
        said = run("sh", "-c", f"{line} -s --noproxy '*' -w '\\n%{{http_code}}'").split()
        if said and said[-1] == "200":
            return said[0]
        expect(time.monotonic() < until, f"{line}: {said}")
        time.sleep(0.1)


def starts(program, bench, folder):
    """From nothing to a proxy, with the sources replaced by a farm."""
    with Farm(bench, folder, 100, "forwards") as farm:
        place = folder / "start"
        run(START, "--write-only", "--dir", place)
        config = json.loads((place / "config.json").read_text())
        config["aggregator"].update(allow_private=True, sources=[{"url": farm.url, "type": "http", "enabled": True}])
        config["checker"].update(test_url=farm.target, timeout_ms=4000, concurrency_total=200)
        config["api"]["addr"] = f"127.0.0.1:{free_port()}"
        config["storage"]["path"] = str(folder / "ledger")
        (place / "config.json").write_text(json.dumps(config, indent=2))
        command = [START, "--bin", program, "--dir", place]
        with open(folder / "service.log", "wb") as log:
            process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True)
        try:
            line = line_of(process)
            proxy = asks(line)
            listed = farm.list.read_text()
            expect(proxy in listed, f"{proxy} is none of the farm's")
            expect(line in run(*command), "a second start does not find the first")
        finally:
            stop(process)
        expect(process.returncode == 0, f"SIGTERM: {process.returncode}\n{(folder / 'service.log').read_text()}")
        expect((folder / "ledger").exists(), "nothing is saved")
    print(f"quickstart: {line.split(' http')[0][:24]}… gives {proxy}, a second start finds the first, SIGTERM ends both")


def installs(program, folder):
    """Into a tree, under another prefix; twice; and away again."""
    tree, prefix = folder / "tree", "/opt/checker"
    words = ["make", "--no-print-directory"]
    places = [f"DESTDIR={tree}", f"PREFIX={prefix}", f"BIN={program}"]
    said = run(*words, "install", *places)
    expect("systemctl enable --now proxy-checker" in said, f"it does not say how to start: {said}")
    unit = tree / f"{prefix[1:]}/lib/systemd/system/proxy-checker.service"
    expect(f"\nExecStart={prefix}/bin/proxy-checker serve" in unit.read_text(), "the unit starts something else")
    config, env = tree / "etc/proxy-checker/config.json", tree / "etc/proxy-checker/env"
    modes = [(prefix[1:] + "/bin/proxy-checker", 0o755), ("etc/proxy-checker/config.json", 0o644),
             ("etc/proxy-checker/env", 0o600), (unit.relative_to(tree), 0o644)]
    for path, wanted in modes:
        expect(mode(tree / path) == wanted, f"/{path}: mode {mode(tree / path):o}")
    key = key_of(env)
    config.write_text("{}")
    run(*words, "install", *places)
    expect((config.read_text(), key_of(env)) == ("{}", key), "a second install changes what was configured")
    said = run(*words, "uninstall", *places)
    left = {str(path.relative_to(tree)) for path in tree.rglob("*") if path.is_file()}
    expect(left == {"etc/proxy-checker/config.json", "etc/proxy-checker/env"}, f"there is left: {left}")
    expect(all(f"kept: {tree}/{path}" in said for path in left), f"it does not say what it keeps: {said}")
    run(*words, "install", *places[:2], f"BIN={folder}/nothing", status=2)
    print(f"install: {len(modes)} files with their modes under PREFIX and DESTDIR, twice, and away again")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bin-dir", default="target/debug")
    options = parser.parse_args()
    program, bench = (binary(options.bin_dir, name) for name in ("proxy-checker", "proxy-bench"))
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        writes_once(program, folder)
        starts(program, bench, folder)
        installs(program, folder)


if __name__ == "__main__":
    main()
