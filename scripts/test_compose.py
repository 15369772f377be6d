#!/usr/bin/env python3
"""Holds docker-compose.yml and deploy/cluster/ without a registry: Compose reads every profile, what is
promised of the service stands in it, the nodes' configurations are the image's own but for the cluster,
a real Redis takes its file, and a real HAProxy sends clients only to nodes that are ready.

docker-compose, haproxy, redis-server and python3-yaml are Debian's packages, installed if they are
missing and this is root. Exits with 1 if something is not as it should be.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from debian import ROOT, install, run
from front import holds_the_front
from stage import binary, free_port, stop

CLUSTER = ROOT / "deploy/cluster"
VARIABLES = ("PROXY_CHECKER_API_KEY", "PROXY_CHECKER_REDIS_PASSWORD", "GRAFANA_PASSWORD")
PROFILES = {
    "default": {"proxy-checker"},
    "monitoring": {"proxy-checker", "prometheus", "grafana"},
    "cluster": {"redis", "node-1", "node-2", "node-3", "front"},
}
OURS = {"proxy-checker", "node-1", "node-2", "node-3"}
AS_JSON = "import json, sys, yaml; print(json.dumps(yaml.safe_load(sys.stdin)))"


def expect(holds, what):
    if not holds:
        sys.exit(what)


def composed(profile):
    """What Compose makes of the file for one profile, with recognisable secrets."""
    secrets = {name: f"secret-of-{name.lower()}" for name in VARIABLES}
    text = run("docker-compose", "--profile", profile, "config", cwd=ROOT, env={**os.environ, **secrets})
    return json.loads(run("/usr/bin/python3", "-c", AS_JSON, input=text))


def profiles():
    for profile, wanted in PROFILES.items():
        # Old Compose shows the services of all profiles: those of one are told by their lists.
        services = {name: service for name, service in composed(profile)["services"].items()
                    if profile in service["profiles"]}
        expect(set(services) == wanted, f"profile {profile}: {sorted(services)}")
        for name, service in services.items():
            holds(name, service)
    print(f"docker-compose.yml: profiles {', '.join(PROFILES)}")


def holds(name, service):
    """What is promised of every service, and of ours more."""
    # Only the environment holds secrets: command lines are there for everybody to see.
    rest = json.dumps({key: value for key, value in service.items() if key != "environment"})
    expect("secret-of-" not in rest, f"{name}: a secret stands outside its environment")
    published = [port if isinstance(port, str) else port.get("host_ip", "") for port in service.get("ports", [])]
    expect(all(port.startswith("127.0.0.1") for port in published), f"{name}: others than this host reach {published}")
    sources = [volume.split(":")[0] if isinstance(volume, str) else volume["source"]
               for volume in service.get("volumes", [])]
    missing = [source for source in sources if source[0] in "./" and not (ROOT / source).exists()]
    expect(not missing, f"{name}: mounts {missing}")
    if name in {"prometheus", "grafana"}:
        return
    expect(service["read_only"] and service["cap_drop"] == ["ALL"]
           and "no-new-privileges:true" in service["security_opt"], f"{name} is more open than it has to be")
    if name in OURS:
        profile = [option[len("seccomp="):] for option in service["security_opt"] if option.startswith("seccomp")]
        expect(profile and (ROOT / profile[0]).exists(), f"{name}: seccomp profile {profile}")
        limits = {kind: int(limit["soft"]) for kind, limit in service["ulimits"].items()}
        expect(limits == {"nofile": 65536, "memlock": 64 << 20}, f"{name}: limits {limits}")


def configurations(program, folder):
    """Those of the image and of the nodes, held by the program itself."""
    example = json.loads((ROOT / "config.example.json").read_text())
    image = json.loads((ROOT / "deploy/container.json").read_text())
    places = [[(source["url"], source["type"]) for source in config["aggregator"]["sources"]]
              for config in (example, image)]
    expect(places[0] and places[0] == places[1], "the image has other sources than config.example.json")
    files = {"container.json": image}
    for number in (1, 2, 3):
        node = json.loads((CLUSTER / f"node-{number}.json").read_text())
        expect(node["cluster"]["node"] == f"node-{number}", f"node-{number} is called {node['cluster']['node']}")
        expect(node["cluster"]["password_env"] == VARIABLES[1], "a node takes its password from elsewhere")
        own = {key: value for key, value in node.items() if key != "cluster"}
        own["api"].pop("trusted_proxies")
        expect(own == image, f"node-{number} differs from the image in more than the cluster")
        files[f"node-{number}.json"] = json.loads((CLUSTER / f"node-{number}.json").read_text())
    for name, config in files.items():
        # A build that knows no cluster refuses the block; what it is said with is held all the same.
        if "cluster" not in example:
            config.pop("cluster", None)
        (folder / name).write_text(json.dumps(config))
        said = subprocess.run([program, "doctor", "--offline", "--json", "--config", folder / name], cwd=folder,
                              capture_output=True, text=True, check=False,
                              env={**os.environ, **{variable: "a-secret" for variable in VARIABLES}})
        expect(said.returncode in (0, 1) and said.stdout.lstrip().startswith(("{", "[")),
               f"{name}: {said.stdout}{said.stderr}")
    print(f"configurations: {', '.join(files)}, accepted")


def redis(folder):
    """The server with our file: a password, a bound, and an end in order."""
    port, secret = free_port(), "a-secret with-blanks"
    file = folder / "redis.conf"
    file.write_text((CLUSTER / "redis.conf").read_text().replace("dir /data", f"dir {folder}"))
    command = ["sh", str(CLUSTER / "redis.sh"), "--port", str(port), "--bind", "127.0.0.1"]
    environment = {**os.environ, "REDIS_CONF": str(file), VARIABLES[1]: ""}
    without = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30, env=environment)
    expect(without.returncode and VARIABLES[1] in without.stderr, "Redis starts without a password")
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**environment, VARIABLES[1]: secret})
    try:
        for line in server.stdout:
            if "Ready to accept connections" in line:
                break
        ask = ["redis-cli", "-p", str(port), "--no-auth-warning"]
        expect("NOAUTH" in run(*ask, "get", "x"), "Redis answers whoever asks")
        asked = run(*ask, "-a", secret, "config", "get", "maxmemory*").split()
        kept = dict(zip(asked[::2], asked[1::2]))
        expect((kept["maxmemory"], kept["maxmemory-policy"]) == (str(512 << 20), "noeviction"), f"Redis: {kept}")
        server.send_signal(signal.SIGTERM)
        expect(server.wait(timeout=20) == 0, "SIGTERM does not reach Redis")
    finally:
        stop(server)
    print("redis.conf: bounded memory, a password, ends in order")


def prometheus():
    """Two files that differ in where the service is, and in nothing else."""
    own, compose = ((ROOT / f"monitoring/prometheus{name}.yml").read_text().splitlines()[1:]
                    for name in ("", "-compose"))
    differing = [(a, b) for a, b in zip(own, compose, strict=True) if a != b]
    wanted = [('      - targets: ["127.0.0.1:8083"]', '      - targets: ["proxy-checker:8083"]')]
    expect(differing == wanted, f"prometheus-compose.yml differs from prometheus.yml: {differing}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bin-dir", default="target/debug")
    program = binary(parser.parse_args().bin_dir, "proxy-checker")
    install(docker_compose="docker-compose", haproxy="haproxy", redis_server="redis-server", redis_cli="redis-tools")
    if subprocess.run(["/usr/bin/python3", "-c", "import yaml"], check=False, stderr=subprocess.DEVNULL).returncode:
        install(python3_yaml="python3-yaml")
    profiles()
    prometheus()
    with tempfile.TemporaryDirectory() as folder:
        configurations(program, Path(folder))
        redis(Path(folder))
        holds_the_front(CLUSTER / "haproxy.cfg", Path(folder))


if __name__ == "__main__":
    main()
