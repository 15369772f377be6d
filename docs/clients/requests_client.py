"""Fetches pages through proxies of the service that nobody else has meanwhile, and tells it how they served."""

import os
import sys
import time
from urllib.parse import urlsplit

import requests

API = os.environ.get("API", "http://127.0.0.1:8083")
service = requests.Session()
service.headers["X-Api-Key"] = os.environ.get("KEY", "")
service.trust_env = False  # the service itself is not asked through a proxy

# What goes wrong on the way; what the site says is not among it.
BROKEN = (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError)
# Sites turn proxies away with these.
TURNED_AWAY = (403, 429)
# The site's word, or the proxy's own about the site: another proxy may tell.
PERHAPS_OF_THE_PROXY = (502, 503, 504)


def lease(count=10, patience=60):
    """Up to `count` HTTP proxies that were checked in the last five minutes, as URLs, and the lease: for
    five minutes nobody else gets them."""
    until = time.monotonic() + patience
    wanted = {"protocol": "http", "limit": count, "max_age": 300, "format": "url", "lease": "5m"}
    while True:
        answer = service.get(f"{API}/get-proxy", params=wanted, timeout=5)
        if answer.ok:
            return answer.text.split(), answer.headers["X-Lease-Id"]
        # None is free just now, or we asked too often: the service says when to come again.
        pause = int(answer.headers.get("Retry-After", 1))
        if answer.status_code not in (429, 503) or time.monotonic() + pause > until:
            sys.exit(f"no proxies from {API}: {answer.status_code} {answer.text}")
        time.sleep(pause)


def report(proxy, outcome):
    """Tells the service `ok`, `fail` or `banned`; complaints have the proxy checked at once."""
    address = urlsplit(proxy).netloc.rpartition("@")[2]
    service.post(f"{API}/report", json={"address": address, "outcome": outcome}, timeout=5)


def fetch(url, pool, leases, attempts=5):
    """What the site at `url` answers, whatever its status. `pool` is a list of proxies that may be
    used for the next page too; what was leased for it is added to `leases`."""
    for attempt in range(1, attempts + 1):
        if not pool:
            found, number = lease()
            pool.extend(found)
            leases.append(number)
        proxy = pool.pop(0)
        try:
            answer = requests.get(url, proxies={"http": proxy, "https": proxy}, timeout=20)
        except BROKEN:
            report(proxy, "fail")
            if attempt == attempts:
                raise
            continue
        if answer.status_code in TURNED_AWAY:
            report(proxy, "banned")
        elif answer.status_code == 407:
            report(proxy, "fail")
        else:
            pool.append(proxy)  # the next page through the next proxy
            if answer.status_code not in PERHAPS_OF_THE_PROXY:
                return answer
    return answer


def main(pages):
    """Prints them; whether all came."""
    pool, leases, all_came = [], [], True
    for page in pages:
        try:
            answer = fetch(page, pool, leases)
            answer.raise_for_status()  # an error of the site, which is not the proxy's fault
            print(answer.text)
        except requests.RequestException as error:
            print(f"no page from {page}: {error}", file=sys.stderr)
            all_came = False
    for number in leases:
        service.delete(f"{API}/lease/{number}", timeout=5)
    return all_came


if __name__ == "__main__":
    sys.exit(0 if main(sys.argv[1:]) else 1)
