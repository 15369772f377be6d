#!/usr/bin/env python3
"""The service against a farm of mock proxies on this machine: no network is needed.

Starts both, shows how soon the first proxy is served, the figures and a few proxies, uses one of
them, and stops everything again. Exits with 1 if something is not as it should be.
"""

import argparse
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

from stage import TARGET, Farm, binary, stop

BEHAVIOURS = (
    "forwards,forwards_auth,late,socks4,socks5,refuses,silent,mute,closes_at_once,resets,garbage,"
    "own_page,bad_gateway,asks_auth,redirects,http_as_socks5"
)
DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def configuration(farm, port):
    return {
        "aggregator": {
            "interval_seconds": 60,
            "allow_private": True,
            "sources": [{"url": farm.url, "type": "http", "enabled": True}],
        },
        "checker": {"test_url": TARGET, "timeout_ms": 4000, "concurrency_total": 2000},
        "api": {"addr": f"127.0.0.1:{port}"},
        "storage": {"type": "sled", "path": "ledger"},
        "logging": {"level": "info", "format": "text"},
    }


class Service:
    """`proxy-checker serve` in a process of its own, as a context."""

    def __init__(self, program, folder, farm):
        self.port = free_port()
        self.log = Path(folder) / "service.log"
        config = Path(folder) / "config.json"
        config.write_text(json.dumps(configuration(farm, self.port), indent=2))
        self.command = [program, "serve", "--config", str(config)]
        self.folder = folder
        self.process = None

    def __enter__(self):
        self.started = time.monotonic()
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                self.command, cwd=self.folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        return self

    def __exit__(self, *_):
        stop(self.process)

    def get(self, path):
        """The body, or None if there is none yet."""
        try:
            with DIRECT.open(f"http://127.0.0.1:{self.port}{path}", timeout=5) as answer:
                return answer.read().decode()
        except urllib.error.HTTPError as error:
            if error.code == 503:
                return None
            self.fail(f"{path}: HTTP {error.code}: {error.read().decode()}")
        except OSError:
            return None

    def wait_for(self, what, ask, seconds):
        """Asks until `ask` gives something."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            if self.process.poll() is not None:
                self.fail(f"the service ended with status {self.process.returncode}")
            found = ask()
            if found:
                return found
            time.sleep(0.01)
        self.fail(f"{what}: not within {seconds} s")

    def fail(self, message):
        sys.exit(f"demo: {message}\nThe end of its log:\n{self.log.read_text()[-4000:]}")


def swept(service):
    stat = json.loads(service.get("/stat") or "{}")
    total = stat.get("total_scraped", 0)
    return stat if total and stat["total_alive"] + stat["total_dead"] == total else None


def use(proxy):
    """Fetches the target through an HTTP proxy, as a client would."""
    through = urllib.request.ProxyHandler({"http": proxy})
    with urllib.request.build_opener(through).open(TARGET, timeout=5) as answer:
        return answer.status


def demo(options, folder):
    program = binary(options.bin_dir, "proxy-checker")
    bench = binary(options.bin_dir, "proxy-bench")
    with Farm(bench, folder, options.count, BEHAVIOURS) as farm:
        truths = map(json.loads, farm.truth.read_text().splitlines())
        alive = sum(truth["verdicts"] == ["alive"] for truth in truths)
        print(f"A farm of {options.count} mock proxies is up; {alive} of them work.")
        with Service(program, folder, farm) as service:
            first = service.wait_for("a first proxy", lambda: service.get("/get-proxy"), 30)
            soon = time.monotonic() - service.started
            print(f"The first proxy was served {soon:.2f} s after the start: {first.strip()}\n")
            stat = service.wait_for("the end of the sweep", lambda: swept(service), 60)
            took = time.monotonic() - service.started
            print(f"GET /stat, when all were checked ({took:.1f} s after the start):")
            for key in ("total_scraped", "total_alive", "total_dead", "alive_percent"):
                print(f"  {key:<14} {stat[key]}")
            print("\nGET /get-proxy?limit=5&format=url")
            print("".join(f"  {line}\n" for line in service.get("/get-proxy?limit=5&format=url").splitlines()))
            if stat["total_alive"] != alive:
                service.fail(f"{stat['total_alive']} alive, but {alive} work")
            proxy = service.get("/get-proxy?protocol=http&format=url").strip()
            status = use(proxy)
            print(f"Used one of them: {TARGET} through {proxy} answers {status}.")
            if status != 204:
                service.fail("the proxy that was served does not work")
            stop(service.process)
            if service.process.returncode != 0:
                service.fail(f"it did not stop in order: status {service.process.returncode}")
    print("Stopped in order. For real lists: make run")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bin-dir", default="target/release", help="where the programs are")
    parser.add_argument("--count", type=int, default=2000, help="mock proxies")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(130))
    os.environ["NO_COLOR"] = "1"
    with tempfile.TemporaryDirectory(prefix="proxy-checker-demo-") as folder:
        try:
            demo(options, folder)
        except KeyboardInterrupt:
            sys.exit(130)


if __name__ == "__main__":
    main()
