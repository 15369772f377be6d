#!/usr/bin/env python3
"""Holds the files in monitoring/ against a real Prometheus that scrapes the service under a sweep.

promtool (Debian's package prometheus; installed if it is missing and this is root) must find nothing
wrong with configuration, rules, the cases of alerts_test.yml and the metrics page; Prometheus must
load every rule and evaluate it; and every expression of the dashboard must have data. Exits with 1
if something is not as it should be.
"""

import argparse
import json
import math
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request
from pathlib import Path

from stage import Farm, Service, binary, free_port, stop, swept

MONITORING = Path(__file__).resolve().parent.parent / "monitoring"
BEHAVIOURS = "forwards,socks5,refuses,own_page,resets"
# Prometheus scrapes each second; the dashboard's windows are made as short.
WINDOWS = {"$__rate_interval": "10s", '"$instance"': '".*"', "$instance": ".*"}


def installed():
    if not (shutil.which("prometheus") and shutil.which("promtool")):
        if os.geteuid() != 0:
            sys.exit("prometheus is missing: install Debian's package prometheus")
        subprocess.run(["apt-get", "update", "-qq"], check=True)
        subprocess.run(["apt-get", "install", "-qqy", "--no-install-recommends", "prometheus"],
                       check=True, stdout=subprocess.DEVNULL)


def promtool(*arguments, **more):
    said = subprocess.run(["promtool", *arguments], cwd=MONITORING, capture_output=True, text=True,
                          **more)
    # `check metrics` warns on stderr and ends well all the same.
    if said.returncode or (arguments[1] == "metrics" and said.stderr.strip()):
        sys.exit(f"promtool {' '.join(arguments)}:\n{said.stdout}{said.stderr}")


def configuration(farm, port):
    return {
        "aggregator": {
            "interval_seconds": 2,
            "allow_private": True,
            "sources": [{"url": farm.url, "type": "auto", "enabled": True}],
        },
        "checker": {"test_url": farm.target, "timeout_ms": 4000, "concurrency_total": 200,
                    "control_interval_seconds": 1},
        "api": {"addr": f"127.0.0.1:{port}"},
        "storage": {"type": "file", "path": "store.json", "persist_interval_seconds": 1},
        "metrics": {"enabled": True},
    }


class Prometheus:
    """A Prometheus with our configuration, but for the target and the intervals."""

    def __init__(self, folder, scraped):
        text = (MONITORING / "prometheus.yml").read_text()
        text = text.replace("127.0.0.1:8083", f"127.0.0.1:{scraped}").replace("15s", "1s")
        for name in ("rules.yml", "alerts.yml"):
            text = text.replace(f"- {name}", f"- {MONITORING / name}")
        config = Path(folder) / "prometheus.yml"
        config.write_text(text)
        self.port, self.log = free_port(), Path(folder) / "prometheus.log"
        self.command = ["prometheus", f"--config.file={config}", f"--storage.tsdb.path={folder}/tsdb",
                        f"--web.listen-address=127.0.0.1:{self.port}"]

    def __enter__(self):
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(self.command, stdout=log, stderr=log)
        return self

    def __exit__(self, *_):
        stop(self.process)

    def ask(self, path, **query):
        url = f"http://127.0.0.1:{self.port}/api/v1/{path}?{urllib.parse.urlencode(query)}"
        try:
            with urllib.request.urlopen(url, timeout=10) as answer:
                return json.load(answer)["data"]
        except urllib.error.HTTPError as error:
            sys.exit(f"{query}: {error.read().decode()}")

    def values(self, expression):
        result = self.ask("query", query=expression)["result"]
        values = [float(sample["value"][1]) for sample in result]
        return [value for value in values if not math.isnan(value)]


def expressions():
    """Every expression of the dashboard, with its panel."""
    dashboard = json.loads((MONITORING / "grafana-dashboard.json").read_text())
    for panel in dashboard["panels"]:
        for target in panel["targets"]:
            expression = target["expr"]
            for name, value in WINDOWS.items():
                expression = expression.replace(name, value)
            yield panel["title"], expression


def wait_for(what, ask, seconds):
    until = time.monotonic() + seconds
    while not (found := ask()):
        if time.monotonic() > until:
            sys.exit(f"{what}: not within {seconds} s")
        time.sleep(0.2)
    return found


def without_data(prometheus):
    return [(title, text) for title, text in expressions() if not prometheus.values(text)]


def hold(service, prometheus):
    wait_for("Prometheus", lambda: service.get("/get-proxy") and answers(prometheus), 30)
    until = time.monotonic() + 60
    # Rates want two scrapes; requests want to be made.
    while missing := without_data(prometheus):
        if time.monotonic() > until:
            lines = "\n".join(f"  {title}: {text}" for title, text in missing)
            sys.exit(f"panels without data:\n{lines}")
        service.get("/get-proxy?limit=3")
        service.get("/stat")
        time.sleep(0.5)
    titles = {title for title, _ in expressions()}
    print(f"dashboard: {len(titles)} panels, every expression has data")
    rules = [rule for group in prometheus.ask("rules")["groups"] for rule in group["rules"]]
    ill = [rule["name"] for rule in rules if rule["health"] != "ok"]
    if ill or not rules:
        sys.exit(f"rules that Prometheus cannot evaluate: {ill}")
    firing = [rule["name"] for rule in rules if rule.get("state") == "firing"]
    if firing:
        sys.exit(f"alerts of a service that is well: {firing}")
    print(f"rules: {len(rules)} loaded and evaluated, none fires")


def answers(prometheus):
    try:
        return prometheus.values("up") == [1.0]
    except OSError:
        return False


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bin-dir", default="target/debug")
    options = parser.parse_args()
    installed()
    promtool("check", "config", "prometheus.yml")
    promtool("check", "rules", "rules.yml", "alerts.yml")
    promtool("test", "rules", "alerts_test.yml")
    alerts = re.findall(r"- alert: (\w+)", (MONITORING / "alerts.yml").read_text())
    cases = (MONITORING / "alerts_test.yml").read_text()
    untested = [alert for alert in alerts if f"alertname: {alert}" not in cases]
    if untested:
        sys.exit(f"alerts without a case: {untested}")
    print(f"promtool: configuration, rules and the cases of {len(alerts)} alerts hold")
    program = binary(options.bin_dir, "proxy-checker")
    bench = binary(options.bin_dir, "proxy-bench")
    with tempfile.TemporaryDirectory() as folder, Farm(bench, folder, 200, BEHAVIOURS) as farm:
        port = free_port()
        with Service(program, folder, port, configuration(farm, port)) as service:
            service.wait_for("the end of the sweep", lambda: swept(service), 60)
            promtool("check", "metrics", input=service.get("/metrics"))
            with Prometheus(folder, port) as prometheus:
                hold(service, prometheus)


if __name__ == "__main__":
    main()
