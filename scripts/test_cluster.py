#!/usr/bin/env python3
"""Several nodes over one Redis, against a farm of mock proxies on this machine.

First what a cluster costs: a single node without Redis, then one, two and three nodes sweep the same
farm; wall time, and CPU time of all nodes and of Redis for each candidate. Then trouble in the middle
of a sweep: a worker is killed, the leader is killed, Redis is restarted with nothing in it, Redis
stands still. Each time the sweep must complete, every candidate must have exactly one verdict, the
right one, and all nodes must serve the same. Exits with 1 if one of these does not hold.
"""

import argparse
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from cluster import Cluster, Trouble, agree, cpu_seconds, once_each, single
from stage import Farm, binary

# The alive are a third; of the dead some cost nothing, some a whole timeout.
BEHAVIOURS = "forwards,socks5,refuses,closes_at_once,own_page,silent"
ROW = "{:<34} {:>9} {:>8} {:>14} {:>14}  {}"


class Suite:
    """All cases, one after the other, over one farm."""

    def __init__(self, options, folder, farm):
        self.options, self.folder, self.farm = options, folder, farm
        self.program = binary(options.bin_dir, "proxy-checker")
        self.count = options.count
        self.broken = []

    def cluster(self, name, nodes):
        folder = Path(self.folder) / name.replace(" ", "-")
        folder.mkdir()
        return Cluster(self.program, folder, self.farm, nodes, self.options)

    def row(self, name, seconds, cpu, redis, verdict):
        each = lambda used: f"{used / self.count * 1e6:.0f}" if used is not None else "-"
        print(ROW.format(name, self.count, f"{seconds:.1f}", each(cpu), each(redis), verdict), flush=True)

    def alone(self):
        folder = Path(self.folder) / "alone"
        folder.mkdir()
        with single(self.program, folder, self.farm, self.options) as node:
            seconds = node.sweep(self.count, self.options.patience)
            cpu = cpu_seconds(node.process.pid)
            self.judge("one process, no Redis", seconds, cpu, None, [node])

    def together(self, nodes):
        with self.cluster(f"{nodes} nodes", nodes) as cluster:
            cluster.leader()
            began = time.monotonic()  # nodes of a new cluster listen for each other first
            cluster.sweep(self.count, self.options.patience)
            seconds = time.monotonic() - began
            cpu = sum(cpu_seconds(node.process.pid) for node in cluster.nodes)
            redis = cpu_seconds(cluster.redis.process.pid)
            name = f"{nodes} node{'s' if nodes > 1 else ''}"
            figures = cluster.redis.figures()
            self.judge(name, seconds, cpu, redis, cluster.nodes, cluster)
            peak, came, went = figures
            print(f"    Redis: {peak / 1e6:.0f} MB at most; each candidate {came / self.count:.0f} "
                  f"bytes in, {went / self.count:.0f} out", flush=True)

    def trouble(self, trouble):
        with self.cluster(trouble.name, 3) as cluster:
            cluster.wait_until_swept(self.count, trouble.at, self.options.patience)
            before = time.monotonic()
            trouble.strike(cluster)
            cluster.sweep(self.count, self.options.patience)
            seconds = time.monotonic() - before
            self.judge(trouble.name, seconds, None, None, cluster.living(), cluster)

    def judge(self, name, seconds, cpu, redis, nodes, cluster=None):
        """Holds what the nodes say against the farm's truth, and against each other."""
        faults = agree(nodes, self.farm) + once_each(self.program, nodes, self.farm)
        if cluster:
            faults += cluster.redis.faults(self.options.redis_bytes)
        self.row(name, seconds, cpu, redis, "; ".join(faults) or "holds")
        if faults:
            self.broken.append(name)
            keep = Path(nodes[0].folder).parent
            print(f"    logs: {[str(node.log) for node in nodes]} under {keep}", flush=True)

    def run(self):
        print(ROW.format("", "proxies", "wall s", "CPU us each", "Redis us each", "verdict"))
        chosen = self.options.only
        cases = [("alone", self.alone)]
        cases += [(f"{n} nodes", lambda n=n: self.together(n)) for n in (1, 2, 3)]
        cases += [(trouble.name, lambda trouble=trouble: self.trouble(trouble)) for trouble in Trouble.all()]
        for name, case in cases:
            if not chosen or chosen in name:
                case()
        if self.broken:
            sys.exit("\nbroken: " + "; ".join(self.broken))
        print("\nEvery sweep was complete, each candidate had one verdict, and all nodes agree.")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bin-dir", default="target/release", help="where the programs are")
    parser.add_argument("--count", type=int, default=60_000, help="proxies of the farm")
    parser.add_argument("--lanes", type=int, default=19_000, help="lanes of a node")
    parser.add_argument("--patience", type=float, default=180, help="longest sweep, in seconds")
    parser.add_argument("--redis-bytes", type=int, default=256 << 20, help="most memory of Redis")
    parser.add_argument("--only", help="only the cases whose name has this in it")
    options = parser.parse_args()
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < options.lanes:
        sys.exit(f"{options.lanes} lanes need as many descriptors (ulimit -Hn is {hard})")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(130))
    with tempfile.TemporaryDirectory(prefix="proxy-checker-cluster-") as folder:
        bench = binary(options.bin_dir, "proxy-bench")
        try:
            with Farm(bench, folder, options.count, BEHAVIOURS) as farm:
                Suite(options, folder, farm).run()
        except KeyboardInterrupt:
            sys.exit(130)


if __name__ == "__main__":
    main()
