"""A Scrapy downloader middleware: each request through a proxy that works, each retry through another.

settings.py:
    DOWNLOADER_MIDDLEWARES = {"scrapy_proxies.FreshProxies": 740}  # before HttpProxyMiddleware, 750
    PROXY_CHECKER_URL = "http://127.0.0.1:8083"
    PROXY_CHECKER_KEY = "..."
"""

import asyncio
import time

from scrapy import Request
from scrapy.utils.defer import maybe_deferred_to_future

# Marks what is not for a proxy: our own questions.
DIRECT = "without_proxy"
# Longest time, in seconds, that a request waits for a proxy.
PATIENCE = 60


class FreshProxies:
    def __init__(self, crawler):
        self.crawler = crawler
        base = crawler.settings.get("PROXY_CHECKER_URL", "http://127.0.0.1:8083")
        # Scrapy speaks to HTTP proxies only.
        self.url = f"{base}/get-proxy?protocol=http&limit=10&max_age=300&format=url"
        self.key = crawler.settings.get("PROXY_CHECKER_KEY", "")
        self.pool = []

    @classmethod
    def from_crawler(cls, crawler):
        return cls(crawler)

    async def process_request(self, request, spider=None):
        is_anothers = "proxy" in request.meta and "fresh_proxy" not in request.meta
        if is_anothers or request.meta.get(DIRECT):
            return
        until = time.monotonic() + PATIENCE
        while not self.pool:
            await self.refill(until)
        request.meta["fresh_proxy"] = request.meta["proxy"] = self.pool.pop()

    def process_response(self, request, response, spider=None):
        # The site answered, if only with an error: the proxy works. 407 is its own word.
        proxy = request.meta.get("fresh_proxy")
        if proxy and response.status != 407:
            self.pool.insert(0, proxy)
        return response

    async def refill(self, until):
        meta = {DIRECT: True, "dont_retry": True, "handle_httpstatus_list": [429, 503]}
        question = Request(self.url, headers={"X-Api-Key": self.key}, meta=meta, dont_filter=True)
        answer = await maybe_deferred_to_future(self.crawler.engine.download(question))
        pause = int(answer.headers.get("Retry-After", b"1"))
        if answer.status == 200:
            self.pool = answer.text.split()
        elif answer.status in (429, 503) and time.monotonic() + pause < until:
            # None is alive just now, or we asked too often.
            await asyncio.sleep(pause)
        else:
            raise RuntimeError(f"no proxies from {self.url}: {answer.status} {answer.text}")
