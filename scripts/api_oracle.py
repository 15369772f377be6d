"""What `/get-proxy` must answer to a query, said a second time and in another language: a check that
schemathesis runs beside its own (docs/api.md has the rules). It knows nothing of the pool."""

import json
import os
import re
import zlib
from urllib.parse import parse_qsl, urlsplit

import schemathesis

PROTOCOLS = {"http", "https", "socks4", "socks5"}
LEVELS = {"transparent", "anonymous", "elite"}
FORMS = {"json", "text", "txt", "url"}
NAMES = (
    "all", "anonymity", "format", "key", "lease", "limit", "max_age", "max_latency_ms", "protocol",
    "source", "target", "unique",
)
# The service under test says these in its /stat; they are handed over by whoever starts the run.
KNOWN = {"source": {os.environ.get("API_SOURCE")}, "target": {os.environ.get("API_TARGET")}}


def parameters(url):
    """The first value of each name; an empty one counts as absent."""
    found = {}
    for name, value in parse_qsl(urlsplit(url).query, keep_blank_values=True, errors="replace"):
        found.setdefault(name, value)
    return {name: value for name, value in found.items() if value}


def is_count(text):
    return re.fullmatch(r"\+?[0-9]*[1-9][0-9]*", text, re.ASCII) is not None


def letters(name):
    return re.sub("[_-]", "", name).lower()


def distance(one, other):
    """Letters added, left out, changed, or exchanged with their neighbour (optimal string alignment)."""
    rows = [list(range(len(other) + 1))]
    for i, a in enumerate(one, 1):
        row = [i]
        for j, b in enumerate(other, 1):
            row.append(min(rows[-1][j] + 1, row[-1] + 1, rows[-1][j - 1] + (a != b)))
            if i > 1 and j > 1 and one[i - 2 : i] == b + other[j - 2]:
                row[-1] = min(row[-1], rows[-2][j - 2] + 1)
        rows.append(row)
    return rows[-1][-1]


def is_mistyped(name):
    """Whether the name is none of ours, and nearly one."""
    if name in NAMES or len(name.encode(errors="replace")) > 32:
        return False
    typed = letters(name)
    begins = len(typed.encode(errors="replace")) >= 4 and any(letters(known).startswith(typed) for known in NAMES)
    return begins or any(distance(typed, letters(known)) <= max(len(known) // 4, 1) for known in NAMES)


def is_filter(name, value):
    if name == "protocol":
        return value.lower() in PROTOCOLS
    if name == "anonymity":
        return value.lower() in LEVELS
    if name in ("max_latency_ms", "max_age"):
        return is_count(value)
    return name not in KNOWN or value in KNOWN[name]


def statuses(asked):
    """Which statuses the query may have: the pool is never empty, but a filter may leave nothing."""
    if any(is_mistyped(name) for name in asked) or not all(is_filter(*pair) for pair in asked.items()):
        return {400}
    if asked.get("format", "json").lower() not in FORMS:
        return {400}
    filters = {"protocol", "anonymity", "max_latency_ms", "max_age", "source", "target", "unique", "lease"}
    nothing = {503} if filters & asked.keys() else set()
    # Their values are a matter of the leases' own tests.
    unknown = {400} if {"unique", "lease"} & asked.keys() else set()
    if asked.get("all", "0") not in ("0", "1"):
        return {400} | nothing
    if asked.get("all") == "1" or "limit" not in asked:
        return {200} | nothing | unknown
    return ({200} if is_count(asked["limit"]) else {400}) | nothing | unknown


def is_json(asked, accept):
    form = asked.get("format", "").lower()
    return form == "json" or (not form and "application/json" in accept)


# What a filter that was asked for wants of a row.
FITS = {
    "protocol": lambda row, value: row["protocol"] == value.lower(),
    "max_latency_ms": lambda row, value: len(value) > 18 or row["latency_ms"] <= int(value),
    "target": lambda row, value: value in row["targets"],
    "anonymity": lambda row, value: row.get("anonymity") == value.lower(),
}


def misfits(asked, row):
    """The filters that were asked for and that the row does not pass."""
    return [name for name in FITS.keys() & asked.keys() if not FITS[name](row, asked[name])]


def note_filters(asked):
    """Tells whoever started the run which filters left something, so that it is not all refusals."""
    if path := os.environ.get("API_FILTERS_MET"):
        with open(path, "a", encoding="utf-8") as met:
            met.writelines(f"{name}\n" for name in FITS.keys() & asked.keys())


@schemathesis.hook
def map_query(ctx, query):
    """Names that are made up are refused, and nothing behind them is met: most become known ones."""
    for name, known in KNOWN.items():
        value = query.get(name) if isinstance(query, dict) else None
        if isinstance(value, str) and len(value) % 4:
            query = {**query, name: min(known)}
    return alone(query) or query


def alone(query):
    """One filter of some queries, with rows to look at: of many together nothing is left, nearly always."""
    names = sorted(FITS.keys() & query.keys()) if isinstance(query, dict) else []
    turn = zlib.crc32(repr(sorted(query.items())).encode(errors="replace")) if names else 0
    if turn % 3 == 0:
        return None
    name = names[turn % len(names)]
    return {name: query[name], "all": "1", "format": "json"}


@schemathesis.hook
def map_path_parameters(ctx, path_parameters):
    """Some of the addresses are one that the service knows."""
    address = (path_parameters or {}).get("address")
    if isinstance(address, str) and len(address) % 4 == 3:
        return {**path_parameters, "address": os.environ.get("API_ADDRESS", address)}
    return path_parameters


@schemathesis.check
def get_proxy_keeps_the_contract(ctx, response, case):
    if case.operation.path != "/get-proxy" or response.request.method != "GET":
        return
    if response.status_code == 304:
        asked_so = "If-None-Match" in response.request.headers
        assert asked_so, "304, but there is no If-None-Match"
    if response.status_code in (304, 401, 429, 431):
        return
    asked = parameters(response.request.url)
    may = statuses(asked)
    assert response.status_code in may, f"{response.status_code}, but {asked} wants one of {may}"
    if response.status_code != 200:
        return
    accept = str(response.request.headers.get("Accept", ""))
    kind = response.headers["content-type"][0]
    expected = "application/json" if is_json(asked, accept) else "text/plain; charset=utf-8"
    assert kind == expected, f"{kind}, but {asked} with Accept {accept!r} is {expected}"
    if kind == "application/json":
        listed = json.loads(response.content)["proxies"]
        rows = len(listed)
        for row in listed:
            wrong = misfits(asked, row)
            assert not wrong, f"{row} in the answer to {asked}: {wrong}"
        note_filters(asked)
    else:
        rows = len(response.text.splitlines())
    if asked.get("all") != "1":
        most = int(asked.get("limit", "1")) if len(asked.get("limit", "1")) < 9 else 10**9
        assert 1 <= rows <= most, f"{rows} proxies, asked for {most}"
