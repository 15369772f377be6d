#!/usr/bin/env python3
"""The service against a farm of mock proxies on this machine: no network is needed.

Starts both, shows how soon the first proxy is served, the figures and a few proxies, uses one of
them, and stops everything again. Exits with 1 if something is not as it should be.
"""

import argparse
import os
import signal
import sys
import tempfile
import time
import urllib.request

from stage import Farm, Service, binary, free_port, stop, swept

BEHAVIOURS = (
    "forwards,forwards_auth,late,https,socks4,socks5,refuses,silent,mute,closes_at_once,resets,"
    "garbage,own_page,bad_gateway,asks_auth,redirects,http_as_socks5"
)


def configuration(farm, port):
    return {
        "aggregator": {
            "interval_seconds": 60,
            "allow_private": True,
            "sources": [{"url": farm.url, "type": "http", "enabled": True}],
        },
        "checker": {"test_url": farm.target, "timeout_ms": 4000, "concurrency_total": 2000},
        "api": {"addr": f"127.0.0.1:{port}"},
        "storage": {"type": "sled", "path": "ledger"},
        "logging": {"level": "info", "format": "text"},
    }


def use(proxy, target):
    """Fetches the target through an HTTP proxy, as a client would."""
    through = urllib.request.ProxyHandler({"http": proxy})
    with urllib.request.build_opener(through).open(target, timeout=5) as answer:
        return answer.status


def demo(options, folder):
    program = binary(options.bin_dir, "proxy-checker")
    bench = binary(options.bin_dir, "proxy-bench")
    with Farm(bench, folder, options.count, BEHAVIOURS) as farm:
        alive = farm.working()
        print(f"A farm of {options.count} mock proxies is up; {alive} of them work.")
        port = free_port()
        with Service(program, folder, port, configuration(farm, port)) as service:
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
            status = use(proxy, farm.target)
            print(f"Used one of them: {farm.target} through {proxy} answers {status}.")
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
