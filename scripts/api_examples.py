"""The examples of docs/api.md and the clients of docs/clients, run as a reader would run them."""

import os
import re
import subprocess
from pathlib import Path
from urllib.parse import urlsplit

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
# What the farm's target says; it is reached under a name that only its proxies know.
PAGE = "This is the farm's target speaking."
# The examples are written for people; here each says its status beside its answer.
SHELL = """
curl() { command curl --silent --show-error --max-time 30 --write-out '%{stderr}status %{http_code}\\n' "$@"; }
"""


def blocks():
    """The `sh` blocks of the page, each with the statuses that it expects, line by line."""
    text = (DOCS / "api.md").read_text()
    for block in re.findall(r"^```sh\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
        lines = [line for line in block.splitlines() if "curl " in line]
        expected = [re.search(r" # (\d{3})\b[^#]*$", line) for line in lines]
        yield block, lines, [int(status[1]) if status else None for status in expected]


def run_block(block, environment, folder):
    """The statuses that its requests got, in their order, and all that was said."""
    ran = subprocess.run(
        ["bash", "-c", SHELL + block], cwd=folder, env=environment, timeout=120,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )
    told = ran.stderr.decode(errors="replace")
    return [int(status) for status in re.findall(r"^status (\d+)$", told, re.MULTILINE)], told


def examples(api, empty, key, folder):
    """Runs all of them against these services; whether each did what it says."""
    environment = {
        **os.environ, "API": f"http://127.0.0.1:{api.port}", "EMPTY": f"http://127.0.0.1:{empty.port}",
        "KEY": key, "CONFIG": str(Path(api.folder) / "config.json"),
    }
    good, count = True, 0
    for block, lines, expected in blocks():
        got, told = run_block(block, environment, folder)
        count += len(lines)
        if got != expected:
            good = False
            print(f"an example of docs/api.md: expected {expected}, got {got}:\n{block}{told}")
    print(f"{count} examples of docs/api.md")
    return good and count > 40


def clients(bin_dir, api, key, farm, folder):
    """Runs each client against the service; by name, whether it fetched the farm's page."""
    # `forwards` answers whatever the target is called, so nothing but a proxy can know this name.
    page = f"http://target.test{urlsplit(farm.target).path}"
    environment = {
        **os.environ, "API": f"http://127.0.0.1:{api.port}", "KEY": key,
        "PYTHONPATH": os.pathsep.join([str(DOCS / "clients"), str(ROOT / "scripts")]),
    }
    python = str(bin_dir / "python")
    spider = ["-m", "scrapy", "runspider", str(ROOT / "scripts" / "api_spider.py"), "-a", f"url={page}"]
    commands = {
        "requests_client.py": ([python, str(DOCS / "clients" / "requests_client.py"), page, page], None),
        "scrapy_proxies.py": ([python, *spider], None),
        "curl_loop.sh": (["sh", str(DOCS / "clients" / "curl_loop.sh")], f"{page}\n{page}\n"),
    }
    def ran(name, environment):
        command, urls = commands[name]
        return subprocess.run(
            command, cwd=folder, env=environment, input=urls, text=True, capture_output=True, timeout=120
        )

    found = {}
    for name in commands:
        # Each is asked for the page twice; the target sees neither without a proxy.
        ended = ran(name, environment)
        found[name] = ended.returncode == 0 and ended.stdout.count(PAGE) == 2
        # Where there is no service it says so, and no page comes. Scrapy's own status is 0 all the same.
        alone = ran(name, {**environment, "API": "http://127.0.0.1:9"})
        failed = alone.returncode != 0 or name == "scrapy_proxies.py"
        says_why = "127.0.0.1:9" in alone.stderr or "refused" in alone.stderr
        found[f"{name}, without a service"] = failed and says_why and PAGE not in alone.stdout
        for case, end in ((name, ended), (f"{name}, without a service", alone)):
            if not found[case]:
                print(f"docs/clients/{case}: status {end.returncode}\n{end.stdout}\n{end.stderr[-6000:]}")
    return found
