"""A real HAProxy with deploy/cluster/haproxy.cfg, before mock nodes whose readiness can be changed."""

import http.client
import http.server
import re
import subprocess
import sys
import threading
import time

from stage import free_port, stop

# Addresses of clients: whose is asked by which node is a matter of the address.
CLIENTS = [f"127.0.3.{last}" for last in range(1, 41)]


class Node(http.server.ThreadingHTTPServer):
    """Says its own number and whom it was asked for; ready or not."""

    def __init__(self, number):
        super().__init__(("127.0.0.1", 0), Answer)
        self.number, self.ready = number, True
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def handle_error(self, *_):
        """A health check is over with the status line, and ends its connection with a reset."""


class Answer(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        status = 503 if self.path == "/ready" and not self.server.ready else 200
        body = f"{self.server.number} {', '.join(self.headers.get_all('X-Forwarded-For', []))}".encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        """The log of HAProxy is what is looked at."""


def ask(port, path="/get-proxy?key=a-secret", client="127.0.3.1", **headers):
    """Status and words of the answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10, source_address=(client, 0))
    try:
        connection.request("GET", path, headers={name.replace("_", "-"): value for name, value in headers.items()})
        answer = connection.getresponse()
        return answer.status, answer.read().decode().split()
    finally:
        connection.close()


def asked_nodes(port):
    """Which nodes answer our clients."""
    answers = [ask(port, client=client) for client in CLIENTS]
    return {words[0] if status == 200 else status for status, words in answers}


def wait_for(what, ask_for, wanted, seconds=30):
    until = time.monotonic() + seconds
    while (found := ask_for()) != wanted:
        if time.monotonic() > until:
            sys.exit(f"haproxy: {what}: {found}, not {wanted}, within {seconds} s")
        time.sleep(0.1)


def listening(port):
    try:
        return ask(port, "/front-health")[0]
    except OSError:
        return None


def configured(config, folder, port, nodes):
    """The file with other places, and as little patience as a test has."""
    text = config.read_text().replace("bind :8083", f"bind 127.0.0.1:{port}").replace("inter 2s", "inter 200ms")
    text = text.replace(" resolvers system\n", "\n")
    for node in nodes:
        text = text.replace(f"node-{node.number}:8083", f"127.0.0.1:{node.server_port}")
    file = folder / "haproxy.cfg"
    file.write_text(text)
    return file


def valid(file):
    said = subprocess.run(["haproxy", "-c", "-f", file], capture_output=True, text=True, check=False)
    text = said.stdout + said.stderr
    if said.returncode or re.search(r"\[(WARNING|ALERT)\]", text):
        sys.exit(f"haproxy -c: {text}")


def serves(port, nodes):
    everyone = {str(node.number) for node in nodes}
    wait_for("all nodes are ready", lambda: asked_nodes(port), everyone)
    first = [ask(port, client=client)[1][0] for client in CLIENTS]
    again = [ask(port, client=client)[1][0] for client in CLIENTS]
    if first != again:
        sys.exit("haproxy: a client is sent to another node though its own is ready")
    status, words = ask(port, client="127.0.3.7", X_Forwarded_For="192.0.2.1")
    if (status, words[1:]) != (200, ["127.0.3.7"]):
        sys.exit(f"haproxy: a node is told that {words[1:]} asks, and 127.0.3.7 does")
    nodes[1].ready = False
    wait_for("one node is not ready", lambda: asked_nodes(port), everyone - {str(nodes[1].number)})
    stayed = [ask(port, client=client)[1][0] for client in CLIENTS]
    moved = [old for old, new in zip(first, stayed) if old != new and old != str(nodes[1].number)]
    if moved:
        sys.exit("haproxy: clients of the nodes that are ready are moved too")
    for node in nodes:
        node.ready = False
    wait_for("no node is ready", lambda: asked_nodes(port), {503})
    wait_for("no node is ready", lambda: listening(port), 503)
    nodes[2].ready = True
    wait_for("one node is back", lambda: asked_nodes(port), {str(nodes[2].number)})


def holds_the_front(config, folder):
    """Exits with what is wrong with the configuration, if anything is."""
    nodes, port = [Node(number) for number in (1, 2, 3)], free_port()
    file = configured(config, folder, port, nodes)
    valid(file)
    log = folder / "haproxy.log"
    with open(log, "wb") as out:
        process = subprocess.Popen(["haproxy", "-db", "-f", file], stdout=out, stderr=out)
    try:
        wait_for("it listens", lambda: listening(port) is not None, True)
        serves(port, nodes)
    finally:
        stop(process)
        for node in nodes:
            node.shutdown()
    text = log.read_text()
    if "/get-proxy" not in text or "a-secret" in text:
        sys.exit(f"haproxy: its log should have paths and no query\n{text[-2000:]}")
    print("haproxy.cfg: clients are sent to ready nodes only, and stay with theirs")
