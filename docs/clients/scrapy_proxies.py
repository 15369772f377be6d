"""A Scrapy downloader middleware: each request through a fresh proxy, each retry through another.

settings.py:
    DOWNLOADER_MIDDLEWARES = {"scrapy_proxies.FreshProxies": 740}  # before HttpProxyMiddleware, 750
    PROXY_CHECKER_URL = "http://127.0.0.1:8083"
    PROXY_CHECKER_KEY = "..."
"""

import asyncio

from scrapy import Request
from scrapy.utils.defer import maybe_deferred_to_future

# Marks what is not for a proxy: our own questions.
DIRECT = "without_proxy"


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
        if "proxy" in request.meta or request.meta.get(DIRECT):
            return
        while not self.pool:
            await self.refill()
        request.meta["proxy"] = self.pool.pop()

    def process_exception(self, request, exception, spider=None):
        # RetryMiddleware copies the request next, and the copy is to have a proxy of its own.
        request.meta.pop("proxy", None)

    async def refill(self):
        meta = {DIRECT: True, "dont_retry": True, "handle_httpstatus_list": [429, 503]}
        question = Request(self.url, headers={"X-Api-Key": self.key}, meta=meta, dont_filter=True)
        answer = await maybe_deferred_to_future(self.crawler.engine.download(question))
        if answer.status == 200:
            self.pool = answer.text.split()
        elif answer.status in (429, 503):
            # None is alive just now, or we asked too often.
            await asyncio.sleep(int(answer.headers.get("Retry-After", b"1")))
        else:
            raise RuntimeError(f"proxy-checker: {answer.status}: {answer.text}")
