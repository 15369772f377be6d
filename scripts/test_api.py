#!/usr/bin/env python3
"""The API as strangers see it: a property-based client against its own description, every example of
docs/api.md, and the clients of docs/clients, over a farm of mock proxies on this machine.

Exits with 1 if anything is found. Its tools come from PyPI into a virtual environment of their own
in target/; all that it starts is on loopback.
"""

import argparse
import os
import re
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from api_examples import clients, examples
from stage import Farm, Service, binary, free_port, swept

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / "target" / "api-venv"
# Pinned, so that a finding is ours and not that of a new release.
TOOLS = ("schemathesis==4.32.5", "requests==2.34.2", "Scrapy==2.19.0")
KEY = "a-key-of-the-test"
BEHAVIOURS = "forwards,forwards_auth,socks4,socks5,refuses,own_page,closes_at_once"
# These answer 400 to what the description cannot know: names of sources and targets, and what is an
# address. The oracle holds the first to account.
NARROWER = ("getProxy", "proxy", "report")

SETTINGS = """
[checks]
not_a_server_error.expected-statuses = ["2xx", "3xx", "4xx", "503"]
# One bad parameter may stand behind another that wins (`all=1` over `limit`), case may not count, and
# names that are not known are let be: the oracle knows which, this check does not.
negative_data_rejection.enabled = false
"""


def tools():
    """The virtual environment, made if it is not there or not the pinned one."""
    mark = VENV / "tools.txt"
    if mark.is_file() and mark.read_text().split() == list(TOOLS):
        return VENV / "bin"
    print(f"Installing {', '.join(TOOLS)} into {VENV} ...", flush=True)
    made = subprocess.run([sys.executable, "-m", "venv", str(VENV)], capture_output=True, text=True)
    if made.returncode:
        sys.exit(f"no virtual environment; install Debian's python3-venv:\n{made.stdout}{made.stderr}")
    pip = [str(VENV / "bin" / "python"), "-m", "pip", "install", "--quiet", "--retries", "1",
           "--disable-pip-version-check"]
    if subprocess.run([*pip, *TOOLS]).returncode:
        sys.exit(
            "make test-api needs these from PyPI, and pip cannot get them:\n  "
            + "\n  ".join(TOOLS)
            + f"\nWith a mirror or a folder of wheels: PIP_INDEX_URL or PIP_FIND_LINKS; they go into {VENV}"
        )
    mark.write_text("\n".join(TOOLS))
    return VENV / "bin"


def configuration(sources, target, port, auth):
    return {
        "aggregator": {
            "interval_seconds": 300,
            "allow_private": True,
            "sources": [{"url": url, "type": "http", "enabled": True} for url in sources],
        },
        "checker": {
            "targets": [{"name": "shop", "url": target}],
            "timeout_ms": 4000, "concurrency_total": 500, "shards": 1,
        },
        "api": {"addr": f"127.0.0.1:{port}", "enable_api_key_auth": auth, "api_key_env": "API_TEST_KEY"},
        "storage": {"type": "sled", "path": "ledger"},
        "metrics": {"enabled": True},
        "logging": {"level": "info", "format": "text"},
    }


class Stage:
    """The services of a run, each in a folder of its own."""

    def __init__(self, program, farm, folder):
        self.program, self.farm, self.folder = program, farm, Path(folder)
        # Nobody listens there.
        self.dead = self.folder / "dead.txt"
        self.dead.write_text("http://127.0.0.1:9\n")

    def service(self, name, auth, sources=None):
        folder = self.folder / name
        folder.mkdir()
        port = free_port()
        settings = configuration(sources or [self.farm.url], self.farm.target, port, auth)
        return Keyed(self.program, folder, port, settings, {"API_TEST_KEY": KEY})


class Keyed(Service):
    """A service that is asked with the key, which one without keys does not look at."""

    def get(self, path):
        return super().get(f"{path}{'&' if '?' in path else '?'}key={KEY}")


def ready(service):
    """Waits until all was checked."""
    return service.wait_for("the end of the sweep", lambda: swept(service), 60)


# Filters that must have left something at least once: of a run of refusals alone nothing follows.
FILTERS = {"protocol", "max_latency_ms", "target"}


def schemathesis(bin_dir, stage, service, source, options, *, auth):
    """Runs it against a service; whether it found nothing."""
    settings = stage.folder / "schemathesis.toml"
    narrower = "".join(
        f'\n[[operations]]\ninclude-operation-id = "{name}"\n'
        "checks.positive_data_acceptance.enabled = false\n" for name in NARROWER
    )
    settings.write_text(SETTINGS + narrower)
    url = f"http://127.0.0.1:{service.port}"
    command = [
        str(bin_dir / "st"), "--config-file", str(settings), "run", f"{url}/openapi.json",
        "--url", url, "--seed", str(options.seed), "--workers", "1",
        "--phases", "examples,coverage,fuzzing", "--max-examples", str(options.examples),
        "--request-timeout", "20", "--continue-on-failure", "--generation-database", "none",
        "--no-color", "--warnings", "off",
    ]
    if auth:
        command += ["-H", f"X-Api-Key: {KEY}"]
    for path in options.skip:
        command += ["--exclude-path", path]
    filters_met = stage.folder / f"filters-{service.port}.txt"
    environment = {
        **os.environ, "API_FILTERS_MET": str(filters_met), "SCHEMATHESIS_HOOKS": "api_oracle", "PYTHONPATH": str(ROOT / "scripts"),
        "API_SOURCE": source, "API_TARGET": "shop", "API_ADDRESS": service.get("/get-proxy").strip(),
    }
    try:
        # Wide enough for a slow machine; seed and number of examples are what bounds it.
        ended = subprocess.run(command, cwd=stage.folder, env=environment, timeout=170)
    except subprocess.TimeoutExpired:
        print("schemathesis did not end within 170 s")
        return False
    met = set(filters_met.read_text().split()) if filters_met.is_file() else set()
    print(f"200 with rows that fit: {sorted(met)}")
    return ended.returncode == 0 and FILTERS <= met


def statuses_met(service, endpoint):
    """How often a route answered with which status."""
    sample = rf'_api_requests_total{{endpoint="{re.escape(endpoint)}",method="GET",status="(\d+)"}} (\d+)'
    return {int(status): int(count) for status, count in re.findall(sample, service.get("/metrics"))}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bin-dir", default="target/debug", help="where the programs are")
    parser.add_argument("--seed", type=int, default=5)
    parser.add_argument("--examples", type=int, default=200, help="most generated requests per operation")
    parser.add_argument("--skip", action="append", default=[], metavar="PATH", help="do not test this path")
    parser.add_argument("--only", choices=("schemathesis", "examples", "clients"), help="one part")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(130))
    os.chdir(ROOT)
    bin_dir = tools()
    program, bench = binary(options.bin_dir, "proxy-checker"), binary(options.bin_dir, "proxy-bench")
    with tempfile.TemporaryDirectory(prefix="proxy-checker-api-") as folder:
        with Farm(bench, folder, 70, BEHAVIOURS, aim="page") as farm:
            found = run(bin_dir, Stage(program, farm, folder), options)
    for name, good in found.items():
        print(f"{'ok    ' if good else 'FAILED'} {name}")
    sys.exit(0 if found and all(found.values()) else 1)


def run(bin_dir, stage, options):
    """Every part, by name: whether it found nothing."""
    found = {}
    wanted = lambda part: options.only in (None, part)
    if wanted("schemathesis"):
        for name, auth in (("with keys", True), ("without keys", False)):
            with stage.service(name.replace(" ", "-"), auth) as service:
                ready(service)
                good = schemathesis(bin_dir, stage, service, stage.farm.url, options, auth=auth)
                # A run that met only refusals would have found nothing either.
                for route, expected in (("/get-proxy", {200, 400, 503}), ("/proxy/{address}", {200, 400, 404})):
                    met = statuses_met(service, route)
                    print(f"{route} answered {met}")
                    expected |= {401} if auth else set()
                    good = good and expected <= met.keys()
                found[f"schemathesis, {name}"] = good and service.process.poll() is None
    with stage.service("with-examples", auth=True) as service:
        ready(service)
        if wanted("examples"):
            with stage.service("empty", auth=True, sources=[str(stage.dead)]) as empty:
                ready(empty)
                found["examples of docs/api.md"] = examples(service, empty, KEY, stage.folder)
        if wanted("clients"):
            tried = clients(bin_dir, service, KEY, stage.farm, stage.folder)
            found.update({f"docs/clients/{name}": good for name, good in tried.items()})
    return found


if __name__ == "__main__":
    main()
