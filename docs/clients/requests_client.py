"""Fetches pages through proxies of the service; a proxy that fails is not used again."""

import os
import sys
import time

import requests

API = os.environ.get("API", "http://127.0.0.1:8083")
service = requests.Session()
service.headers["X-Api-Key"] = os.environ.get("KEY", "")
service.trust_env = False  # the service itself is not asked through a proxy


def fresh_proxies(count=10, patience=60):
    """Up to `count` HTTP proxies that were checked in the last five minutes, as URLs."""
    until = time.monotonic() + patience
    wanted = {"protocol": "http", "limit": count, "max_age": 300, "format": "url"}
    while True:
        answer = service.get(f"{API}/get-proxy", params=wanted, timeout=5)
        # None is alive just now, or we asked too often: the service says when to come again.
        if answer.status_code not in (429, 503) or time.monotonic() > until:
            answer.raise_for_status()
            return answer.text.split()
        time.sleep(int(answer.headers.get("Retry-After", 1)))


def fetch(url, pool, attempts=5):
    """The page at `url`. `pool` is a list of proxies that may be used for the next one too."""
    for attempt in range(1, attempts + 1):
        if not pool:
            pool.extend(fresh_proxies())
        proxy = pool[0]
        try:
            answer = requests.get(url, proxies={"http": proxy, "https": proxy}, timeout=20)
            answer.raise_for_status()
            pool.append(pool.pop(0))  # the next page through the next proxy
            return answer.text
        except requests.RequestException:
            pool.pop(0)
            if attempt == attempts:
                raise


if __name__ == "__main__":
    proxies = []
    for page in sys.argv[1:]:
        print(fetch(page, proxies))
