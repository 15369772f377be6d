#!/usr/bin/env python3
"""The truth: every proxy of a farm gets the verdict that is right, and nobody gets another one's.

The farm runs on the first CPU and the checker on the second, if there are two. For each aim (a 204
over http, a known page, a tunnel, https, a judge, a judge over https, a list without schemes, mere
connections) the whole farm is checked at 19 000 at once and the verdicts are held against what the
farm knows: a matrix for each run. Then the service runs over a farm whose judge is taken away in
the middle of a sweep: not one proxy may leave the snapshot.

Exits with 1 if a proxy is falsely alive, was given another one's verdict, is missing or doubled, if
less than 99.9 % of those that work are found, or if the snapshot loses one.
"""

import argparse
import json
import os
import resource
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from stage import Farm, binary, on_cpu
from stale import judge_taken_away

SECRET = "PROXY_CHECKER_JUDGE_SECRET"
PAGE_SHA256 = "8384864b72baa8c0ed59370302b354dd38f42e925c108ce4ab301eed059abd01"
COLUMNS = "{:<28} {:>8} {:>8} {:>14} {:>16}"


class Aim:
    """One way to check the farm: what it is asked, and for how long one waits."""

    def __init__(self, name, label, options, timeout, auto=False, runs=1):
        self.name, self.label, self.auto, self.runs = name, label, auto, runs
        self.options, self.timeout = options, timeout

    def arguments(self, farm):
        """Of `check`, beside those that every aim has."""
        values = {"url": farm.target, "ca": str(farm.ca), "sha256": PAGE_SHA256}
        return [option.format(**values) for option in self.options] + ["--timeout", self.timeout]


def aims(runs):
    """TLS costs the CPU most, so that those aims wait longest: the silent cost only time."""
    url, ca = ["--test-url", "{url}"], ["--ca-file", "{ca}"]
    judge = ["--judge", "{url}"]
    return [
        Aim("204 over http", "204", url, "30s", runs=runs),
        Aim("known page", "page", [*url, "--expect-sha256", "{sha256}"], "30s"),
        Aim("tunnel to http", "tunnel", [*url, "--tunnel"], "30s"),
        Aim("204 over https", "https", [*url, *ca], "60s"),
        Aim("judge over http", "judge", judge, "30s", runs=runs),
        Aim("judge over https", "judge_tls", [*judge, *ca], "60s"),
        Aim("judge, without schemes", "judge", [*judge, "--protocol", "auto"], "30s", auto=True),
        Aim("connections only", "connect", ["--mode", "connect-only"], "30s"),
    ]


def check(program, farm, arguments, results, pinned):
    """Runs a check to its end; its wall time and its own CPU time."""
    command = [
        *(on_cpu(1) if pinned else []), program, "check", "--allow-private", "--all",
        "--format", "jsonl", "--shards", "1", *arguments, str(farm.list),
    ]
    environment = {**os.environ, SECRET: farm.secret.read_text(), "NO_COLOR": "1"}
    with open(results, "wb") as out:
        started = time.monotonic()
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.PIPE, env=environment
        )
        try:
            err = process.stderr.read().decode()
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
        except BaseException:
            process.kill()
            raise
    if process.returncode != 0:
        sys.exit(f"{shlex.join(command)}\nstatus {process.returncode}:\n{err}")
    return time.monotonic() - started, usage.ru_utime + usage.ru_stime, command


class Truth:
    """All aims, one after the other."""

    def __init__(self, options, folder):
        self.program = binary(options.bin_dir, "proxy-checker")
        self.bench = binary(options.bin_dir, "proxy-bench")
        self.options, self.folder = options, folder
        self.pinned = (os.cpu_count() or 1) > 1
        self.breaches = []

    def farm(self, aim):
        before = on_cpu(0) if self.pinned else []
        return Farm(self.bench, self.folder, self.options.count, "all", before, aim.label, aim.auto)

    def run(self, aim):
        connect = ["--connect-timeout", "15s", "--concurrency", str(self.options.concurrency)]
        results = Path(self.folder) / "results.jsonl"
        for number in range(1, aim.runs + 1):
            name = f"{aim.name}, run {number}" if aim.runs > 1 else aim.name
            with self.farm(aim) as farm:
                arguments = [*aim.arguments(farm), *connect]
                wall, cpu, command = check(self.program, farm, arguments, results, self.pinned)
                holds, matrix = self.compare(farm, results)
            print(f"\n== {name}\n{shlex.join(command).replace(self.folder, '$DIR')}\n{matrix}", end="")
            rows = len(results.read_text().splitlines())
            print(COLUMNS.format("", "proxies", "wall s", "CPU us each", "verdict"))
            verdict = "holds" if holds else "BREACH"
            print(COLUMNS.format(name, rows, f"{wall:.1f}", f"{cpu / max(rows, 1) * 1e6:.0f}", verdict))
            sys.stdout.flush()
            if not holds:
                self.breaches.append(name)

    def compare(self, farm, results):
        exact = ["--exact"] if self.options.exact else []
        command = [self.bench, "compare", *exact, "--truth", str(farm.truth), "--results", str(results)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        return done.returncode == 0, done.stdout + done.stderr


def truth(options, folder):
    table = Truth(options, folder)
    for aim in aims(options.runs):
        if not options.only or options.only in aim.name:
            table.run(aim)
    if not options.only or options.only in "taken away":
        print("\n== the judge is taken away in the middle of a sweep")
        fault = judge_taken_away(table.program, table.bench, folder, options.served)
        print(fault or "not one proxy left the snapshot")
        if fault:
            table.breaches.append("the judge is taken away")
    if table.breaches:
        sys.exit("\nbreached: " + "; ".join(table.breaches))
    print("\nThe truth holds.")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bin-dir", default="target/release", help="where the programs are")
    parser.add_argument("--count", type=int, default=20_000, help="proxies of a farm")
    parser.add_argument("--concurrency", type=int, default=19_000, help="probes at once")
    parser.add_argument("--served", type=int, default=4_000, help="proxies of the farm whose judge is taken away")
    parser.add_argument("--runs", type=int, default=3, help="runs of the aims that are repeated")
    parser.add_argument("--only", help="only the aims whose name has this in it")
    parser.add_argument("--exact", action="store_true", help="one failure for another is a breach too")
    options = parser.parse_args()
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < options.concurrency:
        sys.exit(f"{options.concurrency} at once need as many descriptors (ulimit -Hn is {hard})")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(130))
    with tempfile.TemporaryDirectory(prefix="proxy-checker-truth-") as folder:
        try:
            truth(options, folder)
        except KeyboardInterrupt:
            sys.exit(130)


if __name__ == "__main__":
    main()
