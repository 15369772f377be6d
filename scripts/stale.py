"""The service while its judge is taken away in the middle of a sweep: what it serves must stay."""

import json
import time
import urllib.request

from stage import DIRECT, Farm, Service, free_port

BEHAVIOURS = (
    "forwards,forwards_auth,https,socks4,socks5,mixed,late,transparent,anonymous,"
    "own_page,refuses,bad_gateway,tampers,imitates_judge"
)
SECRET = "PROXY_CHECKER_JUDGE_SECRET"
AWAY_SECONDS = 15


def configuration(farm, port):
    return {
        "aggregator": {
            "interval_seconds": 5,
            "allow_private": True,
            "sources": [{"url": farm.url, "type": "http", "enabled": True}],
        },
        "checker": {
            "targets": [{"name": "judge", "url": farm.target, "judge": True}],
            "control_interval_seconds": 1,
            "timeout_ms": 10000,
            "concurrency_total": 200,
            "backoff_max_seconds": 5,
        },
        "api": {"addr": f"127.0.0.1:{port}", "enable_api_key_auth": False},
        "storage": {"type": "file", "path": "snapshot.json"},
        "logging": {"level": "info", "format": "text"},
    }


def served(service):
    """The proxies that are served now."""
    return set((service.get("/get-proxy?all=1") or "").split())


def stat(service):
    return json.loads(service.get("/stat") or "{}")


def in_the_middle(service, before):
    """What `/stat` says, once a sweep other than `before` has begun and is not near its end."""
    said = stat(service)
    sweep = said.get("sweep") or {}
    total, done = sweep.get("total") or 0, sweep.get("done") or 0
    return said if sweep.get("id") != before and total and total // 10 < done < total * 3 // 4 else None


def watch(service, all_of_them, until):
    """Looks at what is served until `until` gives something; the fault, if one proxy is gone."""
    while True:
        gone = all_of_them - served(service)
        if gone:
            return f"{len(gone)} of {len(all_of_them)} proxies left the snapshot, as {min(gone)}"
        if until():
            return None
        time.sleep(0.05)


def until_stale_is(service, wanted, seconds):
    """A watch's end: `/stat` and the header of what is served say so, or it took too long."""
    deadline = time.monotonic() + seconds

    def done():
        if time.monotonic() > deadline:
            service.fail(f"stale was not {wanted} within {seconds} s")
        _, fields, _ = service.ask("/get-proxy?limit=1")
        return stat(service).get("stale") == wanted and (fields.get("X-Snapshot-Stale") == "true") == wanted

    return done


def taken_away(farm, service):
    alive = farm.working()
    service.wait_for(f"{alive} alive", lambda: len(served(service)) == alive, 120)
    all_of_them = served(service)
    print(f"all {alive} that work are served; a new sweep begins")
    before = (stat(service).get("sweep") or {}).get("id")
    reload = urllib.request.Request(f"http://127.0.0.1:{service.port}/reload", method="POST")
    DIRECT.open(reload, timeout=5).close()
    said = service.wait_for("the middle of a sweep", lambda: in_the_middle(service, before), 60)
    if farm.toggle_target() != "down":
        service.fail("the farm did not take its target away")
    sweep = said["sweep"]
    print(f"at {sweep['done']} of {sweep['total']} the judge is taken away")
    fault = watch(service, all_of_them, until_stale_is(service, True, 30))
    if fault:
        return fault
    print(f"the snapshot is stale ({stat(service).get('stale_reason')}) and whole")
    over = time.monotonic() + AWAY_SECONDS
    fault = watch(service, all_of_them, lambda: time.monotonic() > over)
    if fault:
        return fault
    if farm.toggle_target() != "up":
        service.fail("the farm did not bring its target back")
    print(f"after {AWAY_SECONDS} s more the judge is back")
    fault = watch(service, all_of_them, until_stale_is(service, False, 60))
    if fault:
        return fault
    over = time.monotonic() + AWAY_SECONDS
    return watch(service, all_of_them, lambda: time.monotonic() > over)


def judge_taken_away(program, bench, folder, count):
    """The fault, if there is one."""
    with Farm(bench, folder, count, BEHAVIOURS, aim="judge") as farm:
        port = free_port()
        secret = {SECRET: farm.secret.read_text(), "NO_COLOR": "1"}
        with Service(program, folder, port, configuration(farm, port), secret) as service:
            return taken_away(farm, service)
