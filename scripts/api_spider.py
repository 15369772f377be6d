"""A spider that fetches one page twice through the middleware of docs/clients, and prints it."""

import os
import sys

import scrapy


class PageSpider(scrapy.Spider):
    name = "page"
    custom_settings = {
        "DOWNLOADER_MIDDLEWARES": {"scrapy_proxies.FreshProxies": 740},
        "PROXY_CHECKER_URL": os.environ["API"],
        "PROXY_CHECKER_KEY": os.environ["KEY"],
        "TELNETCONSOLE_ENABLED": False,
        "RETRY_TIMES": 5,
    }

    async def start(self):
        for _ in range(2):
            yield scrapy.Request(self.url, dont_filter=True)

    def parse(self, response):
        if not response.meta.get("proxy"):
            raise RuntimeError("fetched without a proxy")
        sys.stdout.write(response.text)
