#!/usr/bin/env python3
"""The figures: CPU, memory, time and truth of checks over a farm of mock proxies.

The farm runs on the first CPU and the checker on the second. On loopback the sender's CPU also does
the receiver's half of TCP, as no network card would; where the row says `steered`, receive packet
steering gives that half back to the farm's CPU (needs root; the setting is restored).

Each row is the median of its runs of `proxy-checker check`, CPU with min and max; the commands are
printed, so that each figure can be had again. Exits with 1 if a verdict is not what the farm says.
"""

import argparse
import contextlib
import os
import re
import resource
import shlex
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from stage import Farm, binary, on_cpu

NOFILE = 20_000
# What lists hold most of: no TLS, so that the figures are of the engine and not of the cryptography.
MIX = (
    "forwards,forwards_auth,forwards_auth_bare,forwards_auth_wrong,refuses,silent,mute,"
    "closes_at_once,resets,garbage,own_page,bad_gateway,forbidden,asks_auth,redirects,late,drips,"
    "endless_headers,endless_body,black_hole,socks5,socks5_auth,socks5_auth_bare,socks5_denies,"
    "socks4,socks5_as_http,socks4_as_http,http_as_socks5"
)
COLUMNS = "{:<34} {:>7} {:>4} {:>7} {:>22} {:>8} {:>4}  {}"
STEERING = Path("/sys/class/net/lo/queues/rx-0/rps_cpus")


@contextlib.contextmanager
def steering():
    """Has loopback's receive work done by the first CPU, the farm's."""
    before = STEERING.read_text()
    STEERING.write_text("1")
    try:
        yield
    finally:
        STEERING.write_text(before)


class Peak(threading.Thread):
    """Looks at a process now and then: its most descriptors, and its connections to a port."""

    def __init__(self, pid, port):
        super().__init__(daemon=True)
        self.pid, self.port = pid, port
        self.descriptors = self.connections = 0
        self.over = threading.Event()

    def run(self):
        # A long table of connections is read seldom: it costs the kernel time.
        while not self.over.wait(1.0 if self.port else 0.1):
            try:
                descriptors = len(os.listdir(f"/proc/{self.pid}/fd"))
            except OSError:
                return
            self.descriptors = max(self.descriptors, descriptors)
            if self.port:
                self.connections = max(self.connections, established_to(self.port))


def established_to(port):
    """Clients' ends of the connections to a port that stand: remote address, then state 01.

    The kernel may show a line twice while the table moves, hence the set."""
    lines = (line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:])
    return len({(at, to) for _, at, to, state, *_ in lines if state == "01" and to.endswith(f":{port:04X}")})


def run(command, results, port):
    """Runs a check to its end. Its own CPU time and memory come with its exit status."""
    with open(results, "wb") as out:
        started = time.monotonic()
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.PIPE)
        try:
            peak = Peak(process.pid, port)
            peak.start()
            err = process.stderr.read().decode()
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
        except BaseException:
            process.kill()
            raise
        wall = time.monotonic() - started
    peak.over.set()
    peak.join()
    if process.returncode != 0:
        sys.exit(f"status {process.returncode}:\n{err}")
    return wall, usage, peak, err


def short(command, folder):
    """A command as one would type it from here."""
    return shlex.join(command).replace(folder, "$DIR").replace(os.getcwd() + "/", "")


def compare(bench, farm, results):
    command = [bench, "compare", "--exact", "--truth", str(farm.truth), "--results", str(results)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return command, done.returncode == 0, done.stdout + done.stderr


class Show:
    """The table, a row at a time."""

    def __init__(self, options, folder):
        self.program = binary(options.bin_dir, "proxy-checker")
        self.bench = binary(options.bin_dir, "proxy-bench")
        self.folder, self.wrong = folder, []
        self.commands = []

    def row(self, name, count, behaviour, arguments, runs=1, pinned=True, before=()):
        cpus, walls, memory, peak, exact = [], [], 0, None, True
        for _ in range(runs):
            with Farm(self.bench, self.folder, count, behaviour, on_cpu(0)) as farm:
                results = Path(self.folder) / "results.jsonl"
                command = self.command(farm, arguments, pinned, before)
                port = None if pinned else int(farm.ports[2])
                wall, usage, peak, err = run(command, results, port)
                compared, true, said = compare(self.bench, farm, results)
            if not true:
                exact = False
                self.wrong.append(f"{name}:\n{err}{said}")
            cpus.append((usage.ru_utime + usage.ru_stime) / count * 1e6)
            walls.append(wall)
            memory = max(memory, usage.ru_maxrss)
        cpu = f"{statistics.median(cpus):.1f} ({min(cpus):.1f}–{max(cpus):.1f})"
        print(COLUMNS.format(
            name, count, runs, f"{statistics.median(walls):.1f}", cpu, f"{memory / 1024:.0f}",
            peak.descriptors, "every verdict true" if exact else "NOT AS THE FARM SAYS",
        ), flush=True)
        self.commands.append((name, [short(c, self.folder) for c in (farm.command, command, compared)]))
        return peak

    def command(self, farm, arguments, pinned, before):
        check = [
            self.program, "check", "--allow-private", "--test-url", farm.target, "--all",
            "--format", "jsonl", *arguments, str(farm.list),
        ]
        command = [*(on_cpu(1) if pinned else []), *check]
        return ["bash", "-c", f"{before} && exec {shlex.join(command)}"] if before else command


def show(options, folder):
    count, runs = options.count, options.runs
    table = Show(options, folder)
    print(COLUMNS.format("run", "proxies", "runs", "wall s", "CPU us a probe", "RSS MiB", "fds", "verdicts"))
    one, narrow, wide = ["--shards", "1"], ["--concurrency", "1000"], ["--concurrency", "19000"]
    # Only net.core.netdev_max_backlog packets may wait for the CPU that is steered to: what is
    # dropped of a burst of SYNs is sent again after 1, 3 and 7 s, the request behind it later still.
    patient = ["--connect-timeout", "15s", "--timeout", "30s"]
    table.row("mix, 19 000 at once", count, MIX, one + wide)
    table.row("forwards, 1 000 at once", count, "forwards", one + narrow, runs)
    table.row("forwards, 19 000 at once", count, "forwards", one + wide, runs)
    table.row("refuses, 19 000 at once", count, "refuses", one + wide, runs)
    if os.access(STEERING, os.W_OK):
        with steering():
            table.row("forwards, 1 000 at once, steered", count, "forwards", one + narrow, runs)
            table.row(
                "forwards, 19 000 at once, steered", count, "forwards", one + wide + patient, runs
            )
    else:
        print(f"steered runs left out: {STEERING} cannot be written, be root")
    silent = ["--concurrency", "38000", "--shards", "2", "--timeout", "30s"]
    peak = table.row(
        "silent, on two shards", 38_000, "silent", silent, pinned=False, before=f"ulimit -n {NOFILE}"
    )
    print(f"\n38 000 silent: {peak.connections} connections stood at once under `ulimit -n {NOFILE}`, "
          f"with {peak.descriptors} descriptors open.")
    print("\nThe commands ($DIR is a scratch folder; each farm is up while its check runs):")
    for name, commands in table.commands:
        print(f"  {name}")
        print("".join(f"    {command}\n" for command in commands), end="")
    if table.wrong:
        sys.exit("\n" + "\n".join(table.wrong))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bin-dir", default="target/release", help="where the programs are")
    parser.add_argument("--count", type=int, default=20_000, help="proxies of a run")
    parser.add_argument("--runs", type=int, default=5, help="runs of a row that is quick")
    options = parser.parse_args()
    if (os.cpu_count() or 1) < 2:
        sys.exit("the figures need two CPUs: one for the farm, one for the checker")
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < NOFILE:
        sys.exit(f"the figures need {NOFILE} descriptors (ulimit -Hn is {hard})")
    model = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(130))
    print(f"{model[1] if model else 'CPU unknown'}, {os.cpu_count()} CPUs, Linux {os.uname().release}\n")
    with tempfile.TemporaryDirectory(prefix="proxy-checker-show-") as folder:
        try:
            show(options, folder)
        except KeyboardInterrupt:
            sys.exit(130)


if __name__ == "__main__":
    main()
