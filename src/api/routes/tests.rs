//! Routing, keys, methods, and the small routes, over the wire.

use crate::api::testing::{Server, settings, settings_with_keys};
use crate::config;
use crate::snapshot::Stat;

mod limited;

const NO_KEY: &str = "Invalid or missing API key";

#[test]
fn health_says_ok_to_get_and_without_a_body_to_head() {
    let server = Server::start();
    let get = server.get("/health");
    assert_eq!((get.status, get.body.as_str()), (200, "ok"));
    assert_eq!(
        get.header("content-type"),
        Some("text/plain; charset=utf-8")
    );
    let head = server.ask("HEAD", "/health", "");
    assert_eq!((head.status, head.body.as_str()), (200, ""));
    assert_eq!(head.header("content-length"), Some("2"));
}

#[test]
fn ready_waits_for_the_first_snapshot_even_an_empty_one() {
    let server = Server::start();
    server.get("/ready").is_refusal(503, "No snapshot yet");
    server.publish(Vec::new(), Stat::default());
    let reply = server.get("/ready");
    assert_eq!((reply.status, reply.body.as_str()), (200, "ready"));
}

#[test]
fn an_unknown_path_is_404() {
    let server = Server::with(&["http://1.1.1.1:80"]);
    for path in [
        "/index.html",
        "/get-proxy/",
        "//stat",
        "/Stat",
        "/stat%20",
        "/health/x",
        "*",
    ] {
        server.get(path).is_refusal(404, "Not found");
    }
    server
        .ask("BREW", "/coffee", "")
        .is_refusal(404, "Not found");
}

#[test]
fn a_wrong_method_is_405_with_the_right_ones() {
    let server = Server::start();
    server.configure(settings_with_keys(&["secret"]));
    let routes = [
        ("POST", "/health", "GET, HEAD"),
        ("DELETE", "/ready", "GET, HEAD"),
        ("POST", "/metrics", "GET, HEAD"),
        ("PUT", "/get-proxy", "GET, HEAD"),
        ("OPTIONS", "/stat", "GET, HEAD"),
        ("PUT", "/proxy/1.2.3.4:80", "GET, HEAD"),
        ("GET", "/reload", "POST"),
        ("HEAD", "/reload", "POST"),
        ("BREW", "/reload", "POST"),
        ("POST", "/", "GET, HEAD"),
        ("PATCH", "/history", "GET, HEAD"),
    ];
    for (method, path, allowed) in routes {
        let reply = server.ask(method, path, "");
        assert_eq!(reply.status, 405, "{method} {path}");
        assert_eq!(reply.header("allow"), Some(allowed), "{method} {path}");
        if method != "HEAD" {
            reply.is_refusal(405, "Method not allowed");
        }
    }
}

#[test]
fn head_is_answered_wherever_get_is_and_the_body_stays_away() {
    let server = Server::with(&["http://1.1.1.1:80"]);
    for path in [
        "/health",
        "/ready",
        "/metrics",
        "/get-proxy",
        "/stat",
        "/",
        "/history",
    ] {
        let reply = server.ask("HEAD", path, "");
        assert_eq!((reply.status, reply.body.as_str()), (200, ""), "{path}");
        let length: usize = reply.header("content-length").unwrap().parse().unwrap();
        assert!(length > 0, "{path}");
    }
}

#[test]
fn without_keys_in_the_configuration_none_is_asked_for() {
    let server = Server::with(&["http://1.1.1.1:80"]);
    assert_eq!(server.get("/get-proxy?key=whatever").status, 200);
    assert_eq!(server.get("/stat").status, 200);
}

#[test]
fn with_keys_the_data_and_the_reload_need_one_and_the_rest_does_not() {
    let server = Server::with(&["http://1.1.1.1:80"]);
    server.configure(settings_with_keys(&["secret", "other"]));
    for (method, path) in [("GET", "/get-proxy"), ("GET", "/stat"), ("POST", "/reload")] {
        server.ask(method, path, "").is_refusal(401, NO_KEY);
        let wrong = server.ask(method, path, "X-Api-Key: Secret\r\n");
        wrong.is_refusal(401, NO_KEY);
        assert_eq!(wrong.header("www-authenticate"), Some("ApiKey"));
    }
    for path in ["/health", "/ready", "/metrics"] {
        assert_eq!(server.get(path).status, 200, "{path}");
    }
    let key = "x-api-key: other\r\n";
    assert_eq!(server.ask("GET", "/get-proxy", key).status, 200);
    assert_eq!(server.get("/stat?key=secret").status, 200);
}

#[test]
fn a_missing_key_is_told_before_anything_about_the_pool_or_the_query() {
    let server = Server::start();
    server.configure(settings_with_keys(&["secret"]));
    server.get("/get-proxy?limit=bad").is_refusal(401, NO_KEY);
}

#[test]
fn the_metrics_can_be_moved_closed_and_switched_off_while_the_server_runs() {
    let server = Server::start();
    let with = |metrics| crate::api::Settings {
        metrics,
        ..settings_with_keys(&["secret"])
    };
    let moved = config::Metrics {
        endpoint: "/internal/m".into(),
        namespace: "mine".into(),
        require_key: true,
        ..settings().metrics
    };
    server.configure(with(moved.clone()));
    server.get("/metrics").is_refusal(404, "Not found");
    server.get("/internal/m").is_refusal(401, NO_KEY);
    let page = server.get("/internal/m?key=secret");
    assert!(
        page.body.contains("\nmine_alive_proxies 0\n"),
        "{}",
        page.body
    );
    server.configure(with(config::Metrics {
        enabled: false,
        ..moved
    }));
    server
        .get("/internal/m?key=secret")
        .is_refusal(404, "Not found");
}

#[test]
fn metrics_that_require_a_key_stay_closed_when_no_key_is_known() {
    let server = Server::start();
    let mut closed = settings();
    closed.metrics.require_key = true;
    server.configure(closed);
    server.get("/metrics").is_refusal(401, NO_KEY);
}

#[test]
fn requests_are_counted_by_route_and_never_by_what_the_client_wrote() {
    let server = Server::with(&["http://1.1.1.1:80"]);
    server.get("/get-proxy?limit=bad&key=hunter2");
    server.get("/hunter2/../stat");
    server.ask("HUNTER2", "/stat", "");
    let page = server.get("/metrics");
    let format = Some("text/plain; version=0.0.4; charset=utf-8");
    assert_eq!(page.header("content-type"), format);
    for sample in [
        r#"_api_requests_total{endpoint="/get-proxy",method="GET",status="400"} 1"#,
        r#"_api_requests_total{endpoint="other",method="GET",status="404"} 1"#,
        r#"_api_requests_total{endpoint="/stat",method="OTHER",status="405"} 1"#,
        r#"_api_request_duration_seconds_count{endpoint="/get-proxy",method="GET"} 1"#,
    ] {
        assert!(page.body.contains(sample), "{sample}\n{}", page.body);
    }
    assert!(!page.body.to_lowercase().contains("hunter2"));
}

#[test]
fn answers_are_not_stored_by_caches() {
    let server = Server::with(&["http://1.1.1.1:80"]);
    for path in ["/get-proxy", "/stat", "/nowhere"] {
        let reply = server.get(path);
        assert_eq!(reply.header("cache-control"), Some("no-store"), "{path}");
    }
}

#[test]
fn every_route_is_in_the_documentation() {
    let page = include_str!("../../../docs/api.md");
    for endpoint in super::Endpoint::ALL {
        let row = endpoint.row();
        let method = row.methods.split(',').next().unwrap();
        let heading = format!("\n## {method} {}\n", row.path);
        assert!(page.contains(&heading), "{heading}");
    }
}

#[test]
fn every_verdict_is_in_the_documentation() {
    let page = include_str!("../../../docs/api.md");
    let (_, table) = page.split_once("\n### Verdicts\n").unwrap();
    let (table, _) = table.split_once("\n## ").unwrap();
    for verdict in proxy_shards::Verdict::ALL {
        let word = format!("`{}`", verdict.label());
        assert!(table.contains(&word), "{word}");
    }
}

#[test]
fn metrics_may_stand_beside_the_proxies() {
    let server = Server::start();
    let mut moved = settings();
    moved.metrics.endpoint = "/proxy/metrics".into();
    server.configure(moved);
    assert_eq!(server.get("/proxy/metrics").status, 200);
    assert_eq!(server.get("/proxy/metrics2").status, 400);
}

/// docs/api.md, "Errors": the order of checks.
#[test]
fn the_body_is_judged_before_the_path_the_method_and_the_key() {
    let server = Server::start();
    server.configure(settings_with_keys(&["secret"]));
    for (line, otherwise) in [
        ("POST /nowhere", 404),
        ("POST /stat", 405),
        ("GET /stat", 401),
        ("POST /reload", 401),
    ] {
        let ask = |body: &str| {
            let head = format!("{line} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n");
            server.send(format!("{head}{body}").as_bytes())
        };
        ask("Content-Length: 2000000\r\n\r\n").is_refusal(413, "Request body too large");
        let broken = ask("Transfer-Encoding: chunked\r\n\r\nzz\r\n");
        broken.is_refusal(400, "Request body broken off or malformed");
        assert_eq!(ask("\r\n").status, otherwise, "{line}");
    }
}

#[test]
fn without_keys_pages_of_other_sites_change_and_read_nothing() {
    let server = Server::with(&["http://1.1.1.1:80"]);
    let words =
        "Not for pages of other sites. Ask by an IP address or as localhost, or configure API keys";
    let foreign = [
        "Sec-Fetch-Site: cross-site\r\n",
        "Origin: https://evil.example\r\n",
    ];
    let private = [
        ("GET", "/get-proxy?lease=30s"),
        ("GET", "/proxy/1.1.1.1:80"),
        ("GET", "/stat"),
        ("GET", "/history"),
        ("GET", "/metrics"),
        ("POST", "/reload"),
        ("POST", "/report"),
        ("DELETE", "/lease/x"),
    ];
    for (method, path) in private {
        for headers in foreign {
            server.ask(method, path, headers).is_refusal(403, words);
        }
        let rebound =
            format!("{method} {path} HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n");
        server.send(rebound.as_bytes()).is_refusal(403, words);
    }
    for path in ["/", "/health", "/ready", "/openapi.json"] {
        assert_eq!(server.ask("GET", path, foreign[0]).status, 200, "{path}");
    }
    assert_eq!(server.get("/get-proxy").status, 200, "nothing was leased");
    server.configure(settings_with_keys(&["secret"]));
    for headers in foreign {
        let with_key = format!("{headers}X-Api-Key: secret\r\n");
        assert_eq!(server.ask("GET", "/stat", &with_key).status, 200);
    }
}
