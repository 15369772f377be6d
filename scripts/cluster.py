"""A Redis and several nodes of proxy-checker as processes, trouble for them, and what must hold."""

import collections
import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

from stage import Service, free_port, stop

LEASE_MS = 2_000
TIMEOUT_MS = 8_000


def configuration(farm, port, options, cluster=None):
    return {
        "aggregator": {
            "interval_seconds": 3_600, # nothing is due twice
            "allow_private": True,
            "sources": [{"url": farm.url, "type": "http", "enabled": True}],
        },
        "checker": {
            "test_url": farm.target, "timeout_ms": TIMEOUT_MS, "connect_timeout_ms": TIMEOUT_MS,
            "concurrency_total": options.lanes, "shards": 1,
        },
        "api": {"addr": f"127.0.0.1:{port}"},
        "metrics": {"enabled": True},
        "storage": {"type": "sled", "path": "ledger", "persist_interval_seconds": 5},
        "logging": {"level": "info", "format": "text"},
        **({"cluster": cluster} if cluster else {}),
    }


def cpu_seconds(pid):
    """User and system time of a process so far, from proc(5)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Node(Service):
    """One node, with a folder of its own."""

    def stat(self):
        with contextlib.suppress(TypeError, ValueError):
            return json.loads(self.get("/stat"))
        return {}

    def done(self):
        """Candidates of the sweep that have a verdict."""
        stat = self.stat()
        return stat.get("total_alive", 0) + stat.get("total_dead", 0)

    def sweep(self, count, patience):
        """Waits until all of `count` have a verdict; the seconds since the start."""
        self.wait_for(f"{count} verdicts", lambda: self.done() == count, patience)
        return time.monotonic() - self.started

    def leads(self):
        return self.stat().get("cluster", {}).get("leads", False)

    def is_stale(self):
        answer = self.ask("/get-proxy")
        return bool(answer) and answer[0] == 200 and answer[1].get("X-Snapshot-Stale") == "true"


def single(program, folder, farm, options):
    """A node that is no part of a cluster."""
    port = free_port()
    return Node(program, folder, port, configuration(farm, port, options))


class Redis:
    """A Redis that keeps nothing on disk, as a context."""

    def __init__(self, folder):
        self.program = shutil.which("redis-server")
        if not self.program:
            sys.exit("redis-server: not there; run scripts/redis.sh")
        self.folder, self.port, self.process = folder, free_port(), None

    def start(self):
        command = [
            self.program, "--port", str(self.port), "--bind", "127.0.0.1", "--save", "",
            "--appendonly", "no", "--dir", str(self.folder),
        ]
        with open(Path(self.folder) / "redis.log", "ab") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        until = time.monotonic() + 10
        while time.monotonic() < until:
            with contextlib.suppress(OSError):
                if self.ask("PING") == "PONG":
                    return
            time.sleep(0.02)
        sys.exit("Redis did not start")

    def ask(self, *words):
        """One command in the form of RESP; its answer if that is one line or one bulk string."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=5) as link:
            parts = [f"*{len(words)}\r\n"] + [f"${len(w.encode())}\r\n{w}\r\n" for w in words]
            link.sendall("".join(parts).encode())
            answers = link.makefile("rb")
            first = answers.readline().decode().strip()
            if first.startswith("$"):
                return answers.read(int(first[1:])).decode()
            return first[1:]

    def figures(self):
        """Most bytes of memory so far, and bytes that came in and went out."""
        lines = (self.ask("INFO", "memory") + self.ask("INFO", "stats")).splitlines()
        info = dict(line.split(":", 1) for line in lines if ":" in line)
        names = ("used_memory_peak", "total_net_input_bytes", "total_net_output_bytes")
        return [int(info[name]) for name in names]

    def faults(self, bytes_max):
        """What is wrong with the memory that it takes at worst."""
        peak, _, _ = self.figures()
        return [f"Redis took {peak >> 20} MB"] if peak > bytes_max else []


class Cluster:
    """A Redis and its nodes, as a context."""

    def __init__(self, program, folder, farm, nodes, options):
        self.redis = Redis(folder)
        self.nodes = []
        for number in range(1, nodes + 1):
            place, port = Path(folder) / f"node-{number}", free_port()
            place.mkdir()
            cluster = {
                "redis_url": f"redis://127.0.0.1:{self.redis.port}", "node": f"node-{number}",
                "lease_ms": LEASE_MS,
            }
            self.nodes.append(Node(program, place, port, configuration(farm, port, options, cluster)))

    def __enter__(self):
        self.redis.start()
        try:
            for node in self.nodes:
                node.__enter__()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for node in self.nodes:
            with contextlib.suppress(OSError):
                stop(node.process)
        if self.redis.process:
            with contextlib.suppress(OSError):
                self.redis.process.send_signal(signal.SIGCONT)
            stop(self.redis.process)

    def living(self):
        return [node for node in self.nodes if node.process.poll() is None]

    def leader(self, seconds=20):
        return wait(lambda: next((node for node in self.living() if node.leads()), None), seconds, "no leader")

    def wait_until_swept(self, count, share, seconds):
        """Until so much of the sweep is done, as any node sees it."""
        wait(lambda: any(n.done() >= share * count for n in self.living()), seconds, f"not {share:.0%} of the sweep")

    def sweep(self, count, patience):
        """Until all have a verdict, as every node sees it."""
        nodes = self.living()
        wait(lambda: all(node.done() == count for node in nodes), patience,
             lambda: f"sweep not over: {[node.done() for node in nodes]} of {count}; logs under {nodes[0].folder}")


def wait(ask, seconds, message):
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        found = ask()
        if found:
            return found
        time.sleep(0.05)
    sys.exit(message() if callable(message) else message)


class Trouble:
    """Something bad in the middle of a sweep."""

    def __init__(self, name, at, strike):
        self.name, self.at, self.strike = name, at, strike

    @staticmethod
    def all():
        return [
            Trouble("a worker is killed", 0.3, kill_worker),
            Trouble("the leader is killed", 0.3, kill_leader),
            Trouble("a worker stands still", 0.3, pause_worker),
            Trouble("Redis is restarted empty", 0.3, restart_redis),
            Trouble("Redis stands still", 0.3, pause_redis),
        ]


def kill(node):
    node.process.kill()
    node.process.wait()


def kill_worker(cluster):
    leader = cluster.leader()
    kill(next(node for node in cluster.living() if node is not leader))


def kill_leader(cluster):
    kill(cluster.leader())


def pause_worker(cluster):
    """Longer than its lease: others do its jobs, and what it says later is not counted twice."""
    leader = cluster.leader()
    worker = next(node for node in cluster.living() if node is not leader)
    worker.process.send_signal(signal.SIGSTOP)
    time.sleep(3 * LEASE_MS / 1_000)
    worker.process.send_signal(signal.SIGCONT)


def restart_redis(cluster):
    cluster.redis.process.kill()
    cluster.redis.process.wait()
    cluster.redis.start()


def pause_redis(cluster):
    """All nodes go on serving what they had, and say that it is stale."""
    cluster.redis.process.send_signal(signal.SIGSTOP)
    try:
        wait(lambda: all(node.is_stale() for node in cluster.living()), 30, "not marked stale without Redis")
    finally:
        cluster.redis.process.send_signal(signal.SIGCONT)
    wait(lambda: not any(node.is_stale() for node in cluster.living()), 60, "still stale with Redis")


def served(node):
    """What a node serves, as a set, with the number of its snapshot."""
    status, fields, body = node.ask("/get-proxy?all=1&format=url")
    if status != 200:
        return None, body
    return set(body.split()), fields["X-Snapshot-Generation"]


def agree(nodes, farm):
    """What is wrong with what the nodes serve: it is the same on all, and it is what works."""
    wait(lambda: len({served(node)[1] for node in nodes}) == 1, 10,
         lambda: f"generations differ: {[served(node)[1] for node in nodes]}")
    pools = [served(node)[0] for node in nodes]
    faults = [f"{node.folder} serves others" for node, pool in zip(nodes, pools) if pool != pools[0]]
    if len(pools[0] or ()) != farm.working():
        faults.append(f"{len(pools[0] or ())} alive, {farm.working()} work")
    return faults


def once_each(program, nodes, farm):
    """What is wrong with the ledgers: each candidate is there once, judged once, and rightly."""
    truth = collections.Counter(
        json.loads(line)["verdicts"] == ["alive"] for line in farm.truth.read_text().splitlines()
    )
    faults = []
    for node in nodes:
        ledger = Path(node.folder) / "ledger.jsonl"
        command = [program, "export", "--config", "config.json", "--format", "json", "-o", str(ledger)]
        done = subprocess.run(command, cwd=node.folder, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            return [f"export: {done.stderr.strip()}"]
        faults += judged_once(ledger, truth)
    return faults


def judged_once(ledger, truth):
    rows = [json.loads(line) for line in ledger.read_text().splitlines()]
    rows = [row for row in rows if "url" in row]
    alive = [row for row in rows if row["verdict"] == "alive"]
    dead = [row for row in rows if row["verdict"] not in (None, "alive")]
    faults = []
    if len({row["url"] for row in rows}) != len(rows):
        faults.append("a candidate is there twice")
    if (len(alive), len(dead)) != (truth[True], truth[False]):
        faults.append(f"{len(alive)} alive and {len(dead)} dead, not {truth[True]} and {truth[False]}")
    again = sum(len(row["history"]) != 1 for row in alive) + sum(row["failures"] != 1 for row in dead)
    if again:
        faults.append(f"{again} were judged more than once")
    return faults
