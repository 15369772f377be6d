//! Health, keys, reload, and what every refusal looks like.

use crate::stage::{KEYS, Place};
use crate::support::{PATIENCE, eventually};
use serde_json::json;
use std::time::Duration;

const NO_KEY: &str = "Invalid or missing API key";
const TEXT: Option<&str> = Some("text/plain; charset=utf-8");

#[test]
fn health_is_ok_to_get_and_head_without_a_key() {
    let service = Place::closed(&[]).serve();
    let get = service.get("/health");
    assert_eq!((get.status, get.body.as_str()), (200, "ok"));
    assert_eq!(get.header("content-type"), TEXT);
    let head = service.ask("HEAD", "/health", "");
    assert_eq!((head.status, head.body.as_str()), (200, ""));
}

#[test]
fn ready_is_200_without_a_key_once_there_is_a_snapshot() {
    let service = Place::closed(&[]).serve();
    eventually(PATIENCE, "it is ready", || {
        let reply = service.get("/ready");
        assert!(matches!(reply.status, 200 | 503), "{reply:?}");
        (reply.status == 200).then_some(())
    });
}

#[test]
fn the_data_and_the_reload_want_a_key_in_the_header_or_the_query() {
    let service = Place::closed(&[]).serve();
    for (method, path, with_key) in [
        ("GET", "/get-proxy", 503),
        ("GET", "/stat", 200),
        ("POST", "/reload", 200),
    ] {
        service.ask(method, path, "").is_refusal(401, NO_KEY);
        let wrong = service.ask(method, path, "X-Api-Key: wrong\r\n");
        wrong.is_refusal(401, NO_KEY);
        for key in KEYS.split(',') {
            let header = service.ask(method, path, &format!("X-Api-Key: {key}\r\n"));
            assert_eq!(header.status, with_key, "{header:?}");
            let query = service.ask(method, &format!("{path}?key={key}"), "");
            assert_eq!(query.status, with_key, "{query:?}");
        }
    }
    let wrong = service.ask("GET", "/stat?key=first-key", "X-Api-Key: wrong\r\n");
    wrong.is_refusal(401, NO_KEY);
    assert_eq!(service.get("/metrics").status, 200, "no key by default");
}

#[test]
fn metrics_that_require_a_key_want_one() {
    let mut place = Place::closed(&[]);
    place.config["metrics"]["require_key"] = json!(true);
    let service = place.serve();
    service.get("/metrics").is_refusal(401, NO_KEY);
    assert_eq!(service.get("/metrics?key=second-key").status, 200);
}

#[test]
fn auth_without_a_key_does_not_start() {
    for keys in ["", " , "] {
        let ran = Place::closed(&[]).start(keys).end(PATIENCE);
        assert_ne!(ran.status, Some(0));
        assert!(ran.err.contains("CONTRACT_API_KEY"), "{}", ran.err);
    }
}

#[test]
fn keys_and_queries_are_in_no_log_and_on_no_page() {
    let mut place = Place::closed(&[]);
    place.config["logging"]["level"] = json!("trace");
    let service = place.serve();
    for target in [
        "/stat?key=first-key",
        "/get-proxy?limit=hush-hush&key=second-key",
        "/hush-hush?key=first-key",
    ] {
        service.ask("GET", target, "X-Api-Key: hush-hush\r\n");
        service.get(target);
    }
    let page = service.get("/metrics").body;
    service.running.signal("TERM");
    let ran = service.running.end(Duration::from_secs(5));
    assert!(ran.err.contains("the API listens"), "{}", ran.err);
    for secret in ["first-key", "second-key", "hush-hush"] {
        assert!(!page.contains(secret), "{secret}");
        assert!(!ran.err.contains(secret), "{secret}\n{}", ran.err);
    }
}

#[test]
fn an_unknown_path_is_404() {
    let service = Place::new(&[]).serve();
    for path in ["/nowhere", "/get-proxy/", "/Stat", "/health/x", "//stat"] {
        service.get(path).is_refusal(404, "Not found");
    }
}

#[test]
fn a_wrong_method_is_405_and_says_which_are_right() {
    let service = Place::closed(&[]).serve();
    for (method, path, right) in [
        ("POST", "/health", "GET"),
        ("DELETE", "/ready", "GET"),
        ("PUT", "/get-proxy", "GET"),
        ("PATCH", "/stat", "GET"),
        ("POST", "/metrics", "GET"),
        ("GET", "/reload", "POST"),
    ] {
        let reply = service.ask(method, path, "");
        reply.is_refusal(405, "Method not allowed");
        let allowed = reply.header("allow").unwrap();
        let mut allowed = allowed.split(", ");
        assert!(allowed.any(|method| method == right), "{reply:?}");
    }
}

#[test]
fn a_reload_is_200_and_a_bad_configuration_422() {
    let mut place = Place::new(&[]);
    let service = place.serve();
    let reply = service.ask("POST", "/reload", "");
    assert_eq!(reply.status, 200, "{reply:?}");
    assert_eq!(reply.json()["message"], "Reload triggered");
    assert!(reply.json()["reload_id"].is_u64(), "{reply:?}");

    place.config["checker"]["timeout_mss"] = json!(1);
    place.write();
    let reply = service.ask("POST", "/reload", "");
    assert_eq!(reply.status, 422, "{reply:?}");
    let page = reply.json();
    let [(key, error)] = page.as_object().unwrap().iter().collect::<Vec<_>>()[..] else {
        panic!("{reply:?}");
    };
    assert_eq!(key, "error");
    let error = error.as_str().unwrap();
    assert!(error.contains("checker.timeout_mss"), "{error}");
    assert_eq!(service.get("/health").status, 200);
}

#[test]
fn the_description_is_served_as_it_is_configured() {
    let mut place = Place::closed(&[]);
    place.config["metrics"]["endpoint"] = json!("/internal/metrics");
    let page = place.serve().get("/openapi.json").json();
    assert_eq!(page["openapi"], "3.1.0");
    assert!(page["paths"]["/internal/metrics"]["get"].is_object());
    assert!(page["paths"].get("/metrics").is_none());
}
