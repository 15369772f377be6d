"""What the demo, the figures and the truth need: a farm of mock proxies and a service, each a process
that is started and stopped."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def binary(folder, name):
    """The path of a built program, or a message that says how to build it."""
    path = Path(folder) / name
    if not os.access(path, os.X_OK):
        sys.exit(f"{path}: not there; build it with `cargo build --release --workspace`")
    return str(path.resolve())


def on_cpu(cpu):
    """What stands before a command that is to run on one CPU."""
    return ["taskset", "-c", str(cpu)]


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


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

    def __init__(self, bench, folder, count, behaviour, before=(), aim="204", auto=False):
        self.list = Path(folder) / "list.txt"
        self.truth = Path(folder) / "truth.jsonl"
        self.ca = Path(folder) / "ca.pem"
        self.secret = Path(folder) / "secret"
        self.log = Path(folder) / "farm.log"
        self.process = None
        self.command = [
            *before, bench, "farm", "--count", str(count), "--behaviour", behaviour, "--aim", aim,
            *(["--auto"] if auto else []), "--list", str(self.list), "--truth", str(self.truth),
            "--ca-out", str(self.ca), "--secret-out", str(self.secret), "--serve-list", "--until-eof",
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
            self.target = re.search(r"\btarget (https?://[^\s,]+)", self.ready)[1]
            self.ports = re.search(r"\bports ([\d ]+)", self.ready)[1].split()
        except BaseException:
            # No farm is left behind; `__exit__` is not called for a context that did not begin.
            stop(self.process)
            raise
        return self

    def __exit__(self, *_):
        stop(self.process)

    def toggle_target(self):
        """Takes the target away, or brings it back; what it is then."""
        self.process.send_signal(signal.SIGUSR1)
        return first_line(self.process.stdout, 10).strip().removeprefix("target: ")

    def working(self):
        """How many of its proxies work."""
        truths = map(json.loads, self.truth.read_text().splitlines())
        return sum(truth["verdicts"] == ["alive"] for truth in truths)


class Service:
    """`proxy-checker serve` in a process of its own, as a context."""

    def __init__(self, program, folder, port, configuration, environment=None):
        self.port = port
        self.log = Path(folder) / "service.log"
        config = Path(folder) / "config.json"
        config.write_text(json.dumps(configuration, indent=2))
        self.command = [program, "serve", "--config", str(config)]
        self.folder, self.environment = folder, {**os.environ, **(environment or {})}
        self.process = None

    def __enter__(self):
        self.started = time.monotonic()
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                self.command, cwd=self.folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                env=self.environment,
            )
        return self

    def __exit__(self, *_):
        stop(self.process)

    def ask(self, path):
        """Status, header fields and body; None if nobody answers."""
        try:
            with DIRECT.open(f"http://127.0.0.1:{self.port}{path}", timeout=5) as answer:
                return answer.status, answer.headers, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.headers, error.read().decode()
        except OSError:
            return None

    def get(self, path):
        """The body, or None if there is none yet."""
        answer = self.ask(path)
        if answer is None or answer[0] == 503:
            return None
        if answer[0] != 200:
            self.fail(f"{path}: HTTP {answer[0]}: {answer[2]}")
        return answer[2]

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
        sys.exit(f"{message}\nThe end of its log:\n{self.log.read_text()[-4000:]}")


def swept(service):
    """What `/stat` says, once everything was checked."""
    stat = json.loads(service.get("/stat") or "{}")
    total = stat.get("total_scraped", 0)
    return stat if total and stat["total_alive"] + stat["total_dead"] == total else None
