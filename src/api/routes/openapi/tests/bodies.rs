//! The description against what the server really answers: statuses, headers and bodies.

use super::*;
use crate::api::testing::{PATIENCE, Reply, proxies, send};
use crate::coordinator::{Event, Known};
use crate::ledger::{Check, Entry, Facts, Voices};
use crate::snapshot::{ShardStat, SourceStat, Stale, Stat, TargetStat};
use proxy_shards::{Anonymity, Exit, Targets};
use std::num::NonZeroU32;
use std::thread;
use std::time::{Duration, SystemTime};

/// Panics unless `value` is what `schema` says: every key that it has is described, and every key
/// that is required is there. `place` is where in the answer it is.
fn hold(schema: &Value, value: &Value, place: &str) {
    if let Some(Value::String(reference)) = schema.get("$ref") {
        let pointer = reference.strip_prefix('#').unwrap();
        return hold(DESCRIPTION.pointer(pointer).unwrap(), value, place);
    }
    if let Some(Value::Array(any)) = schema.get("anyOf") {
        let found = any.iter().find(|one| has_kind(one, value));
        return hold(
            found.unwrap_or_else(|| panic!("{place}: {value}")),
            value,
            place,
        );
    }
    assert!(has_kind(schema, value), "{place}: {value} is no {schema}");
    if let Some(known) = schema.get("enum") {
        assert!(
            known.as_array().unwrap().contains(value),
            "{place}: {value}"
        );
    }
    match value {
        Value::Object(given) => {
            for name in schema["required"].as_array().into_iter().flatten() {
                let name = name.as_str().unwrap();
                assert!(given.contains_key(name), "{place}.{name} is not given");
            }
            for (name, inner) in given {
                let described = schema["properties"].get(name);
                let described = described.or_else(|| schema.get("additionalProperties"));
                let described = described.filter(|described| described.is_object());
                let place = format!("{place}.{name}");
                hold(
                    described.unwrap_or_else(|| panic!("{place} is not described")),
                    inner,
                    &place,
                );
            }
        }
        Value::Array(rows) => {
            let place = format!("{place}[]");
            rows.iter()
                .for_each(|row| hold(&schema["items"], row, &place));
        }
        _ => (),
    }
}

/// Whether `value` is of the type that `schema` names.
fn has_kind(schema: &Value, value: &Value) -> bool {
    if let Some(Value::String(reference)) = schema.get("$ref") {
        let pointer = reference.strip_prefix('#').unwrap();
        return has_kind(DESCRIPTION.pointer(pointer).unwrap(), value);
    }
    let Some(kind) = schema.get("type").and_then(Value::as_str) else {
        return schema.get("const").is_none_or(|only| only == value) && !value.is_null();
    };
    match kind {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "integer" => value.is_u64(),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        other => panic!("{other}"),
    }
}

/// The schema of the JSON that a route answers with this status.
fn schema(endpoint: Endpoint, status: &str) -> &'static Value {
    &operation(endpoint)["responses"][status]["content"]["application/json"]["schema"]
}

/// A server with something of everything.
fn full() -> Server {
    let server = Server::start();
    let mut stat = Stat {
        total_scraped: 3,
        total_alive: 2,
        total_dead: 1,
        last_check: Some(SystemTime::now()),
        sources: vec![SourceStat {
            url: "https://lists.example/a".into(),
            fetched_at: Some(SystemTime::now()),
            alive: 2,
            ..SourceStat::default()
        }],
        targets: vec![TargetStat {
            name: "shop".into(),
            control: Some(Verdict::Alive),
            ..TargetStat::default()
        }],
        stale: Some((Stale::NothingAlive, SystemTime::now())),
        shards: vec![ShardStat::default()],
        latency_spread: [120, 900].into_iter().collect(),
        ..Stat::default()
    };
    stat.verdicts[Verdict::Alive as usize] = 2;
    let mut alive = proxies(&["http://1.1.1.1:80", "socks5://2.2.2.2:1080"]);
    for proxy in &mut alive {
        proxy.targets = Targets::first(1);
    }
    // So long ago that the history has a point of it.
    let published = SystemTime::now() - Duration::from_secs(40);
    server.publish_as(alive, stat, published, true);
    server.join(&["one", "two"]);
    server
}

fn facts() -> Facts {
    let mut entry = Entry::new("socks5://1.2.3.4:1080".parse().unwrap());
    entry.verdict = Some(Verdict::Alive);
    entry.works.set(Protocol::Socks5, Targets::first(1));
    entry.exit = Some(Exit {
        ip: "2001:db8::1".parse().unwrap(),
        anonymity: Anonymity::Elite,
    });
    entry.checked_at_ms = 1_700_000_000_250;
    entry.alive_at_ms = 1_700_000_000_250;
    let check = Check {
        at_s: 1_700_000_000,
        total_us: 234_567,
        verdict: Verdict::Alive,
    };
    entry.history = Box::new([check]);
    Facts {
        entry,
        next_check_ms: Some(1_700_000_060_000),
        held: false,
        voices: Voices {
            ok: 1,
            fail: 0,
            banned: 2,
            banned_at: [2, 0, 0, 0, 0, 0, 0, 0],
        },
        sources: vec!["https://lists.example/a".into()],
    }
}

/// The answer about a proxy of which everything is known; the test is the coordinator meanwhile.
fn asked_of_proxy(server: &Server, headers: &str) -> Reply {
    let to = server.address;
    let request = format!(
        "GET /proxy/1.2.3.4:1080 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{headers}\r\n"
    );
    let client = thread::spawn(move || send(to, request.as_bytes()));
    match server.questions.recv_timeout(PATIENCE) {
        Ok(Event::Asked(question)) => question
            .reply
            .send(Known {
                total: 1,
                facts: vec![facts()],
            })
            .unwrap(),
        other => panic!("{other:?}"),
    }
    client.join().unwrap()
}

/// What a route that is read answers where all is well, with these headers.
fn read(server: &Server, endpoint: Endpoint, headers: &str) -> Reply {
    match endpoint {
        Endpoint::Proxy => asked_of_proxy(server, headers),
        // One proxy, in turn, is another one each time: only the whole list can be the same.
        Endpoint::GetProxy => server.ask("GET", "/get-proxy?all=1", headers),
        _ => server.ask("GET", endpoint.row().path, headers),
    }
}

#[test]
fn a_success_is_described_and_304_only_where_a_request_gets_one() {
    let server = full();
    let mut unchanged = 0;
    for endpoint in Endpoint::ALL {
        let responses = operation(endpoint)["responses"].as_object().unwrap();
        let described = responses.keys().filter(|status| status.as_str() < "400");
        let described: Vec<&str> = described.map(String::as_str).collect();
        let expected = match endpoint {
            Endpoint::Reload => vec!["200"],
            Endpoint::Report => vec!["202"],
            Endpoint::Lease => vec!["204"],
            _ => {
                let fresh = read(&server, endpoint, "");
                assert_eq!(fresh.status, 200, "{endpoint:?}: {}", fresh.body);
                let has_tag = &responses["200"]["headers"]["ETag"];
                let is_tagged = fresh.header("etag").is_some();
                assert_eq!(has_tag.is_object(), is_tagged, "{endpoint:?}");
                match read(&server, endpoint, "If-None-Match: *\r\n").status {
                    304 => vec!["200", "304"],
                    status => vec![if status == 200 { "200" } else { "none" }],
                }
            }
        };
        unchanged += usize::from(expected.contains(&"304"));
        assert_eq!(described, expected, "{endpoint:?}");
    }
    assert!(unchanged > 0);
}

#[test]
fn every_key_of_a_real_answer_is_described_and_every_required_one_given() {
    let server = full();
    for endpoint in [Endpoint::Stat, Endpoint::History, Endpoint::Proxy] {
        let body = read(&server, endpoint, "").json();
        hold(schema(endpoint, "200"), &body, endpoint.row().path);
    }
    let points = server.get("/history").json()["points"].clone();
    assert!(!points.as_array().unwrap().is_empty());
    let listing = server.get("/get-proxy?limit=1&format=json&lease=1h");
    assert_eq!(listing.status, 200, "{}", listing.body);
    hold(
        schema(Endpoint::GetProxy, "200"),
        &listing.json(),
        "/get-proxy",
    );
    let refused = server.get("/get-proxy?limit=0").json();
    hold(
        &DESCRIPTION["components"]["schemas"]["Error"],
        &refused,
        "error",
    );
}

#[test]
fn a_key_that_is_not_described_is_found() {
    let mut body = full().get("/stat").json();
    body["sources"]["https://lists.example/a"]["unheard_of"] = 1.into();
    let found = std::panic::catch_unwind(|| hold(schema(Endpoint::Stat, "200"), &body, ""));
    assert!(found.is_err());
}

#[test]
fn the_limits_are_described_where_they_are_told() {
    let server = full();
    server.configure(crate::api::Settings {
        rate_limit_per_ip: NonZeroU32::new(60_000),
        ..settings()
    });
    for name in ["Limit", "Remaining", "Reset", "Policy"] {
        let name = format!("RateLimit-{name}");
        let told = server.get("/stat");
        assert!(told.header(&name).is_some(), "{name}");
        for endpoint in COUNTED {
            let success = operation(*endpoint)["responses"].as_object().unwrap();
            let success = success.iter().find(|(status, _)| status.starts_with('2'));
            let headers = &success.unwrap().1["headers"];
            assert!(headers[&name].is_object(), "{endpoint:?}: {name}");
        }
        for endpoint in [Endpoint::Health, Endpoint::Ready] {
            assert_eq!(server.get(endpoint.row().path).header(&name), None);
            let headers = &operation(endpoint)["responses"]["200"]["headers"];
            assert!(headers[&name].is_null(), "{endpoint:?}: {name}");
        }
    }
}
