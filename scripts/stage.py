"""What the demo and the figures both need: a farm of mock proxies, started and stopped."""

import os
import re
import subprocess
import sys
import threading
from pathlib import Path

TARGET = "http://target.test/generate_204"


def binary(folder, name):
    """The path of a built program, or a message that says how to build it."""
    path = Path(folder) / name
    if not os.access(path, os.X_OK):
        sys.exit(f"{path}: not there; build it with `cargo build --release --workspace`")
    return str(path.resolve())


def first_line(pipe, seconds):
    """The first line of a pipe; empty if none comes in time."""
    lines = []
    reader = threading.Thread(target=lambda: lines.append(pipe.readline()), daemon=True)
    reader.start()
    reader.join(seconds)
    return lines[0] if lines else ""


def stop(process, seconds=5):
    """Ends a process that we started: politely, then not; by its own pid only."""
    if process is None or process.poll() is not None:
        return
    if process.stdin:
        process.stdin.close()
    process.terminate()
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


class Farm:
    """`proxy-bench farm` in a process of its own, as a context."""

    def __init__(self, bench, folder, count, behaviour, before=()):
        self.list = Path(folder) / "list.txt"
        self.truth = Path(folder) / "truth.jsonl"
        self.log = Path(folder) / "farm.log"
        self.process = None
        self.command = [
            *before, bench, "farm", "--count", str(count), "--behaviour", behaviour,
            "--list", str(self.list), "--truth", str(self.truth),
            "--serve-list", "--until-eof",
        ]

    def __enter__(self):
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True
            )
        try:
            self.ready = first_line(self.process.stdout, 60).strip()
            if not self.ready.startswith("ready:"):
                sys.exit(f"the farm did not start:\n{self.log.read_text()}")
            self.url = re.search(r"\blist (http://\S+)", self.ready)[1]
            self.ports = re.search(r"\bports ([\d ]+)", self.ready)[1].split()
        except BaseException:
            # No farm is left behind; `__exit__` is not called for a context that did not begin.
            stop(self.process)
            raise
        return self

    def __exit__(self, *_):
        stop(self.process)
