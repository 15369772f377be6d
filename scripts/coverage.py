#!/usr/bin/env python3
"""Reads what cargo-llvm-cov exported and holds the bounds of docs/reliability.md: lines that tests run,
overall and for the parts on which truth and safety rest. Says which lines nobody runs, and why."""

import json
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# The tests themselves, and the harness that measures, which is held by its own tests.
NOT_COUNTED = re.compile(r"(^|/)(tests|testing|testdata|fuzz|simulation|contract)(/|\.rs$)|^(tests|bench|benches)/|^build\.rs$"
                         r"|^src/properties\.rs$|^shards/src/(hooks|heard)\.rs$")
OVERALL = 85.0
STRICT = 95.0
PARTS = {
    "parsers": r"src/sources/(parse|address)|src/api/(query|forwarded|host|mistyped)|shards/src/(verify|judge/read|handshake)|src/store/(chunk|record|text)|src/cluster/wire",
    "handshakes": r"shards/src/handshake",
    "ledger": r"src/ledger",
    "schedule": r"src/schedule",
    "auth": r"src/api/(auth|cross_site|holder)",
    "limits": r"src/api/(limits|rates|buckets|crowd|turns)",
}
# Why the rest of a file is run by no test.
WHY = {
    "src/alerts/mod.rs": "a panic in the watch, and an outbox that overflows: tests/webhooks.rs sees the notices",
    "src/allocator.rs": "called once at the start, and once a minute",
    "src/api/mod.rs": "the end of a runtime under a request",
    "src/api/patience.rs": "writes without vectors, which hyper does not make",
    "src/api/press.rs": "a panic of a task that compresses",
    "src/api/routes/metrics.rs": "the registry cannot fail to render",
    "src/cluster": "a Redis that fails in the middle, and nodes that are killed, which leave no profile: make test-cluster",
    "src/commands/serve/node.rs": "nodes that are killed leave no profile: make test-cluster",
    "src/commands/check": "an interrupt at each point, and output that cannot be written",
    "src/commands/doctor/running.rs": "addresses that this host has not, and ports of root alone",
    "src/commands/explain": "the words of stages that no mock proxy fails in",
    "src/commands/export.rs": "files and pipes that fail",
    "src/commands/judge.rs": "listeners that fail, and the end by a signal",
    "src/commands/reach.rs": "errors of sockets, in words",
    "src/commands/status.rs": "standard output that fails",
    "src/config/alerts.rs": "two problems in words that tests/faults/configurations provokes",
    "src/ledger/feedback/bans.rs": "a table that is full of claims: its bound",
    "src/logging/panics.rs": "processes that end by a panic leave no profile: their own test starts them",
    "src/operator": "errors of a socket: tests/faults and test-crash provoke them in processes that are killed",
    "src/sources/fetch/error.rs": "the words of rare errors of TLS and HTTP",
    "src/store": "errors of the file system and of the databases: make test-crash, whose processes are killed",
}


def files(report):
    """Each source file that counts: its name, lines, lines that were run, and those that were not."""
    for file in report["data"][0]["files"]:
        path = Path(file["filename"])
        if not path.is_relative_to(ROOT):
            continue
        name = str(path.relative_to(ROOT))
        if NOT_COUNTED.search(name):
            continue
        lines = file["summary"]["lines"]
        yield name, lines["count"], lines["covered"], idle(file["segments"])


def idle(segments):
    """Ranges of lines that nobody ran: a segment is line, column, count, has_count, is_entry, is_gap."""
    ranges = []
    for (line, _, count, has_count, *rest), after in zip(segments, segments[1:]):
        is_gap = rest[1] if len(rest) > 1 else False
        if has_count and count == 0 and not is_gap:
            if ranges and line <= ranges[-1][1] + 1:
                ranges[-1][1] = max(ranges[-1][1], after[0])
            else:
                ranges.append([line, after[0]])
    return ", ".join(f"{first}" if first == last else f"{first}–{last}" for first, last in ranges)


def share(rows):
    count, covered = sum(row[1] for row in rows), sum(row[2] for row in rows)
    return (100.0 * covered / count if count else 0.0), count


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        rows = sorted(files(json.load(file)))
    parts = [("overall", "", OVERALL)] + [(name, pattern, STRICT) for name, pattern in PARTS.items()]
    missed = []
    print(f"{'part':<12} {'lines':>7} {'run':>8}   bound")
    for name, pattern, bound in parts:
        percent, count = share([row for row in rows if re.search(f"^{pattern}" if pattern else "", row[0])])
        print(f"{name:<12} {count:>7} {percent:>7.1f} %   {bound:.0f} %")
        if count == 0 or percent < bound:
            missed.append(name)
    print("\nFiles of which more than a tenth is not run:")
    for name, count, covered, lines in rows:
        if covered < 0.9 * count:
            why = next((text for start, text in WHY.items() if name.startswith(start)), "no reason: write a test")
            print(f"  {name}: {100.0 * covered / count:.0f} % of {count}: {why}\n    lines {lines}")
    if missed:
        sys.exit(f"coverage: below its bound: {', '.join(missed)}")


if __name__ == "__main__":
    main()
