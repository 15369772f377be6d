#!/usr/bin/env python3
"""A stranger's walk: the commands of README.md, in the order in which they stand there.

They are read from its code blocks and run as they are, but for what a stranger has and a test has not:
the built program is that of --bin-dir, proxies and lists are a farm of mock proxies on this machine, and
the port is a free one. A command that is neither run nor named here with its reason fails the walk, so
README cannot say what nobody has tried. Exits with 1 if a command does not do what README says.
"""

import argparse
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from stage import Farm, binary, free_port, stop

ROOT = Path(__file__).resolve().parent.parent
BEHAVIOURS = "forwards,socks5,refuses,own_page"
SECONDS_MAX = 60
# What is not run here, and where it is.
ELSEWHERE = {
    "make test": "is what runs this",
    "make quickstart": "scripts/test_quickstart.py",
    "docker build": "make test-image",
    "docker run": "make test-image",
}


def commands(text):
    """The lines of the code blocks, each with its continuation, without their comments."""
    blocks = "\n".join(line[4:] for line in text.splitlines() if line.startswith("    ") and line.strip())
    return [re.sub(r"\s{2,}#.*", "", line) for line in blocks.replace("\\\n", " ").splitlines()]


class Walk:
    """A stranger in a folder of the test's, with what was exported and what runs meanwhile."""

    def __init__(self, bin_dir, farm, folder):
        self.farm, self.folder, self.bin_dir = farm, Path(folder), Path(bin_dir).resolve()
        self.port, self.service, self.environment = free_port(), None, dict(os.environ)
        self.done, self.elsewhere = 0, 0
        shutil.copy(ROOT / "config.example.json", self.folder)
        truths = [json.loads(line) for line in farm.truth.read_text().splitlines()]
        alive = [truth["proxy"] for truth in truths if truth["verdicts"] == ["alive"]]
        self.http = next(proxy.split("//")[1] for proxy in alive if proxy.startswith("http://"))
        self.socks = next(proxy.split("//")[1] for proxy in alive if proxy.startswith("socks5://"))

    def fail(self, command, why):
        log = self.folder / "service.log"
        sys.exit(f"README.md: {command}\n{why}\n{log.read_text()[-3000:] if log.exists() else ''}")

    def here(self, command):
        """The command with the program, the proxies and the port that this machine has."""
        probes = f" --allow-private --test-url {self.farm.target} "
        command = re.sub(r"proxy-checker (check|explain) ", lambda found: found[0] + probes.lstrip(), command)
        command = command.replace("proxy-checker parse ", "proxy-checker parse --allow-private ")
        for word, ours in {
            "target/release/": f"{self.bin_dir}/", "127.0.0.1:8083": f"127.0.0.1:{self.port}",
            "https://lists.example/http.txt": self.farm.url, "user:password@1.2.3.4:1080": self.socks,
            "1.2.3.4:8080": self.http, "curl ": "curl --fail --silent --show-error --noproxy '*' ",
        }.items():
            command = command.replace(word, ours)
        return command

    def configured(self):
        """As `change what you need` has it: where the lists come from, and where the service listens."""
        config = json.loads((ROOT / "config.example.json").read_text())
        config["aggregator"].update(allow_private=True,
                                    sources=[{"url": self.farm.url, "type": "http", "enabled": True}])
        config["checker"].update(test_url=self.farm.target, timeout_ms=4000, concurrency_total=500)
        config["api"]["addr"] = f"127.0.0.1:{self.port}"
        return config

    def serve(self, command):
        """`make run` without a configuration has lists of the internet; here it has one with the farm's."""
        stop(self.service)
        config = self.configured()
        if command == "make run":
            config["api"]["enable_api_key_auth"] = False
            (self.folder / "run.json").write_text(json.dumps(config))
            command = "target/release/proxy-checker serve --config run.json"
        else:
            (self.folder / "config.json").write_text(json.dumps(config))
        with open(self.folder / "service.log", "wb") as log:
            self.service = subprocess.Popen(shlex.split(self.here(command)), cwd=self.folder, stdin=subprocess.DEVNULL,
                                            stdout=log, stderr=log, env=self.environment)
        self.began = time.monotonic()

    def run(self, command):
        """One that ends by itself: tried until it succeeds while a service is about to have something."""
        until = time.monotonic() + SECONDS_MAX
        while True:
            done = subprocess.run(["bash", "-o", "pipefail", "-c", self.here(command)], cwd=self.folder, check=False,
                                  capture_output=True, text=True, timeout=SECONDS_MAX, env=self.environment)
            if done.returncode == 0 or not command.startswith("curl ") or "|" in command:
                break
            if self.service and self.service.poll() is not None or time.monotonic() > until:
                break
            time.sleep(0.1)
        if done.returncode:
            self.fail(command, f"exit status {done.returncode}\n{done.stdout}{done.stderr}")
        return done.stdout

    def step(self, command):
        if found := next((name for name in ELSEWHERE if command.startswith(name)), None):
            self.elsewhere += 1
            print(f"  {found:<16} {ELSEWHERE[found]}")
            return
        self.done += 1
        if command.startswith("export "):
            name, value = command.removeprefix("export ").split("=", 1)
            self.environment[name] = value
        elif command.startswith("make run") or " serve " in f"{command} ":
            self.serve(command)
        elif re.match(r"(curl|cp|echo|target/release/)", command):
            said = self.run(command)
            if not said.strip() and not command.startswith("cp "):
                self.fail(command, "it says nothing")
            if "/get-proxy" in command and "format" not in command and not self.listed(said):
                self.fail(command, f"no proxy of the list: {said}")
            if self.done == 2:
                print(f"  the first proxy came {time.monotonic() - self.began:.1f} s after the start: {said.strip()}")
        else:
            self.fail(command, "the walk does not know this command: run it in scripts/walk.py, or say there where it is held")

    def listed(self, said):
        lines = said.split()
        return lines and all(f"//{line}\n" in self.farm.list.read_text() for line in lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bin-dir", default="target/debug")
    options = parser.parse_args()
    for name in ("proxy-checker", "proxy-bench"):
        binary(options.bin_dir, name)
    steps = commands((ROOT / "README.md").read_text())
    began = time.monotonic()
    with (tempfile.TemporaryDirectory() as folder,
          Farm(binary(options.bin_dir, "proxy-bench"), folder, 200, BEHAVIOURS) as farm):
        walk = Walk(options.bin_dir, farm, folder)
        try:
            for command in steps:
                walk.step(command)
        finally:
            stop(walk.service)
        if walk.service is None or walk.service.returncode != 0:
            sys.exit("README.md: the service did not stop in order")
    took = time.monotonic() - began
    print(f"README.md: {walk.done} commands walked in {took:.0f} s, {walk.elsewhere} held elsewhere")


if __name__ == "__main__":
    main()
