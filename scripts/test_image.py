#!/usr/bin/env python3
"""Builds the image without a registry and runs it as the documents say: as its user, with a root that
cannot be written, without a capability, under monitoring/seccomp-io_uring.json, against a farm of
mock proxies on this machine. Exits with 1 if something is not as it should be.

Needs root. What it makes is kept in target/, so that the next run builds only what changed.
"""

import argparse
import json
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

from container import LIMITS, Container
from debian import ROOT, SUITE
from image import BASE, CRATES, IMAGE, TOOLCHAIN, Root, built, size
from seccomp import resolved
from stage import DIRECT, Farm, binary, free_port
from test_seccomp import CALLS, without_ours

PROGRAM = "/usr/bin/proxy-checker"
CONFIG = "/etc/proxy-checker/config.json"
DATA = "/var/lib/proxy-checker"
KEY = {"PROXY_CHECKER_API_KEY": "a-key-of-the-test"}
COUNT = 300
BEHAVIOURS = "forwards,socks5,refuses,own_page,resets"


def expect(holds, what):
    if not holds:
        sys.exit(what)


def description(image, root):
    """What `docker inspect` would show, and what a user must find."""
    config = image["config"]
    expect(re.fullmatch(r"[1-9]\d*:[1-9]\d*", config["User"]), f"the user is {config['User']!r}")
    expect(config["Entrypoint"] == [PROGRAM] and config["Cmd"] == ["serve", "--config", CONFIG],
           f"it starts {config['Entrypoint']} {config['Cmd']}")
    expect(config["Healthcheck"]["Test"] == ["CMD", PROGRAM, "health", "--config", CONFIG],
           f"its health check is {config.get('Healthcheck')}")
    expect(DATA in config["Volumes"] and config["WorkingDir"] == DATA, "the volume is not where it runs")
    labels = config["Labels"]
    expect(labels["org.opencontainers.image.licenses"] == "MIT", f"its labels are {labels}")
    data = (root / DATA[1:]).stat()
    expect(f"{data.st_uid}:{data.st_gid}" == config["User"] and data.st_mode & 0o777 == 0o700,
           f"{DATA} is {data.st_uid}:{data.st_gid}, mode {data.st_mode & 0o777:o}")
    left = [name for name in ("build", "image", "usr/local/cargo", "usr/local/bin/git") if (root / name).exists()]
    left += [place for place in (TOOLCHAIN, CRATES) if any((root / place[1:]).iterdir())]
    expect(not left, f"of the build is left: {left}")
    whole, base = size(IMAGE), size(f"{BASE}:{SUITE}")
    print(f"image: {whole / 1e6:.0f} MB, of which {base / 1e6:.0f} MB are Debian {SUITE} as debootstrap makes it")


def documented():
    """The line of the documents asks for what the container is given here, and for nothing more open."""
    limits = " ".join(f"--ulimit {kind.removeprefix('RLIMIT_').lower()}={most}:{most}" for kind, most in LIMITS.items())
    wanted = ["--read-only --cap-drop ALL --security-opt no-new-privileges", limits, f":{DATA}",
              "--security-opt seccomp=monitoring/seccomp-io_uring.json", f"{next(iter(KEY))}="]
    for page in ("README.md", "docs/operations.md"):
        text = re.sub(r"\\\n +", "", (ROOT / page).read_text())
        lines = re.findall(r"^    docker run .*", text, re.M)
        missing = [word for word in wanted if not lines or word not in lines[0]]
        expect(not missing, f"{page}: docker run lacks {missing}: {lines}")


def started(container, folder):
    """Programs that end by themselves; and that the root is as closed as it should be."""
    status, out, err = container.run(folder, PROGRAM, "--version")
    revision = container.image["Labels"]["org.opencontainers.image.revision"][:12]
    expect(status == 0 and out.startswith("proxy-checker ") and f"({revision})" in out, f"--version: {status}\n{out}{err}")
    status, out, _ = container.run(folder, "/bin/sh", "-c", "id -u; touch /tmp/x /etc/x /usr/bin/x")
    expect(status != 0 and out.split() == [container.image["User"].split(":")[0]],
           f"the root can be written, or it runs as {out}")
    status, _, err = container.run(folder, PROGRAM, "serve", "--config", CONFIG, PROXY_CHECKER_API_KEY="")
    expect(status != 0 and "PROXY_CHECKER_API_KEY" in err, f"without a key it should not start: {status}\n{err}")
    status, out, err = container.run(folder, PROGRAM, "doctor", "--offline", "--config", CONFIG, **KEY)
    expect(status == 0, f"doctor: {status}\n{out}{err}")
    print(f"runs as {container.image['User']}, root read-only, and starts with a key only")


def checks(container, folder, farm):
    """What `check` finds is what the farm's truth says."""
    command = [PROGRAM, "check", "--allow-private", "--test-url", farm.target, "--timeout", "4s", "/farm/list.txt"]
    status, out, err = container.run(folder, *command)
    expect(status == 0 and len(out.splitlines()) == farm.working(),
           f"check: {status}, {len(out.splitlines())} alive of {farm.working()}\n{err}")
    print(f"check: {COUNT} mock proxies, {farm.working()} alive, as is true of them")
    return command


def forbidden(container, folder, command, profile):
    """Under Docker's own profile the program says what is missing."""
    container.seccomp = resolved(without_ours(profile))
    for words in (command, [PROGRAM, "serve", "--config", CONFIG], [PROGRAM, "doctor", "--offline", "--config", CONFIG]):
        status, out, err = container.run(folder, *words, **KEY)
        said = out + err
        expect(status != 0 and all(call in said for call in CALLS) and "seccomp" in said,
               f"{words[1]} without io_uring: {status}\n{said}")
    container.seccomp = resolved(profile)
    print("without the three calls check, serve and doctor fail and name them")


def configuration(farm, port):
    """The image's own, but for where the proxies come from."""
    config = json.loads((ROOT / "deploy/container.json").read_text())
    config["aggregator"].update(
        sources=[{"url": "/farm/list.txt", "type": "auto", "enabled": True}], allow_private=True)
    config["checker"] = {"test_url": farm.target, "timeout_ms": 4000, "concurrency_total": 500}
    config["api"]["addr"] = f":{port}"
    return config


def asked(port, path, key=KEY["PROXY_CHECKER_API_KEY"]):
    """Status and body; None while nobody listens."""
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", headers={"X-Api-Key": key})
    try:
        with DIRECT.open(request, timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
    except OSError:
        return None


def swept(port, alive):
    stat = asked(port, "/stat")
    if not stat or stat[0] != 200:
        return False
    stat = json.loads(stat[1])
    return stat["total_alive"] == alive and stat["total_alive"] + stat["total_dead"] == stat["total_scraped"]


def serves(container, folder, farm, port):
    """The image's own command, its own health check, and a stop as Docker does it."""
    process = container.start(folder, PROGRAM, *container.image["Cmd"], **KEY)
    try:
        until = time.monotonic() + 60
        while not swept(port, farm.working()):
            expect(process.poll() is None, f"serve ended with {process.returncode}")
            expect(time.monotonic() < until, f"no end of the sweep: {asked(port, '/stat')}")
            time.sleep(0.1)
        expect(asked(port, "/get-proxy", "another")[0] == 401, "another key should be refused")
        expect(asked(port, "/get-proxy")[0] == 200, "the key should be served")
        status, out, err = container.run(folder, *container.image["Healthcheck"]["Test"][1:], **KEY)
        expect((status, out.strip()) == (0, "ok"), f"the health check: {status}\n{out}{err}")
        process.send_signal(signal.SIGTERM)
        status = process.wait(timeout=10)
        expect(status == 0, f"SIGTERM: it ended with {status}\n{process.stderr.read()}")
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
    status, _, _ = container.run(folder, *container.image["Healthcheck"]["Test"][1:], **KEY)
    expect(status != 0, "the health check is content with a service that has ended")
    kept = list((folder / "data").iterdir())
    expect(kept, "nothing is left on the volume")
    print(f"serve: swept, {farm.working()} alive, healthy by its own check, stopped in order; kept {kept[0].name}")


def hold(image, root, bin_dir):
    profile = json.loads((ROOT / "monitoring/seccomp-io_uring.json").read_text())
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        folder.chmod(0o755)
        for name in ("farm", "data"):
            (folder / name).mkdir()
        shutil.chown(folder / "data", *map(int, image["config"]["User"].split(":")))
        with Farm(binary(bin_dir, "proxy-bench"), folder / "farm", COUNT, BEHAVIOURS) as farm:
            (folder / "farm").chmod(0o755)
            farm.list.chmod(0o644)
            container = Container(root, image["config"], resolved(profile),
                                  {"/farm": folder / "farm", DATA: folder / "data"})
            started(container, folder)
            forbidden(container, folder, checks(container, folder, farm), profile)
            port = free_port()
            (folder / "config.json").write_text(json.dumps(configuration(farm, port)))
            container.writable[CONFIG] = folder / "config.json"
            serves(container, folder, farm, port)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bin-dir", default="target/debug", help="where the farm is")
    options = parser.parse_args()
    documented()
    began = time.monotonic()
    image = built()
    print(f"built in {time.monotonic() - began:.0f} s")
    with Root(IMAGE) as root:
        description(image, root)
        hold(image, root, options.bin_dir)


if __name__ == "__main__":
    try:
        main()
    except subprocess.TimeoutExpired as late:
        sys.exit(f"{late.cmd}: not within {late.timeout} s")
