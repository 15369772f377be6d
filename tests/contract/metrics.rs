//! The metrics that dashboards and alerts know by name.

use crate::stage::{Place, Service, farm, list};
use crate::support::{PATIENCE, eventually};
use proxy_bench::farm::Behaviour;
use serde_json::json;

/// The value of a sample, named as the page names it.
fn sample(service: &Service, name: &str) -> Option<f64> {
    let page = service.get("/metrics").body;
    let rest = page
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '))?;
    Some(rest.parse().unwrap())
}

#[test]
fn the_gauges_are_the_figures_of_stat() {
    let farm = farm();
    let url = farm.serve_list(&list(
        &farm,
        &[(6, Behaviour::Forwards), (3, Behaviour::Refuses)],
    ));
    let service = Place::new(&[&url]).serve();
    service.wait_until_checked(9);
    assert_eq!(sample(&service, "proxychecker_alive_proxies"), Some(6.0));
    assert_eq!(sample(&service, "proxychecker_dead_proxies"), Some(3.0));
    // Counters come with the reports of the shards, some of them later than the verdicts.
    for (name, value) in [
        (r#"proxychecker_checks_total{result="success"}"#, 6.0),
        (r#"proxychecker_checks_total{result="failure"}"#, 3.0),
        ("proxychecker_checks_success_total", 6.0),
        ("proxychecker_checks_failure_total", 3.0),
        ("proxychecker_check_duration_seconds_count", 9.0),
    ] {
        eventually(PATIENCE, name, || {
            (sample(&service, name)? >= value).then_some(())
        });
    }
    let scraped = format!(r#"proxychecker_proxies_scraped_total{{source="{url}"}}"#);
    assert!(sample(&service, &scraped).unwrap() >= 9.0);
}

#[test]
fn requests_are_counted_by_method_route_and_status() {
    let service = Place::new(&[]).serve();
    service.get("/get-proxy?limit=3&x=unseen");
    service.get("/unseen");
    for name in [
        r#"proxychecker_api_requests_total{endpoint="/get-proxy",method="GET",status="503"}"#,
        r#"proxychecker_api_requests_total{endpoint="other",method="GET",status="404"}"#,
        r#"proxychecker_api_request_duration_seconds_count{endpoint="/get-proxy",method="GET"}"#,
    ] {
        assert_eq!(sample(&service, name), Some(1.0), "{name}");
    }
    assert!(!service.get("/metrics").body.contains("unseen"));
}

#[test]
fn the_process_family_and_ours_are_there_with_their_kinds() {
    let service = Place::new(&[]).serve();
    let reply = service.get("/metrics");
    let kind = reply.header("content-type").unwrap();
    assert!(kind.starts_with("text/plain"), "{kind}");
    for line in [
        "# TYPE process_resident_memory_bytes gauge",
        "# TYPE process_open_fds gauge",
        "# TYPE proxychecker_checks_total counter",
        "# TYPE proxychecker_check_duration_seconds histogram",
        "# TYPE proxychecker_alive_proxies gauge",
        "# TYPE proxychecker_dead_proxies gauge",
        "# TYPE proxychecker_probes_total counter",
        "# TYPE proxychecker_probes_in_flight gauge",
        "# TYPE proxychecker_sweep_progress_ratio gauge",
        "# TYPE proxychecker_snapshot_generation gauge",
        "# TYPE proxychecker_snapshot_age_seconds gauge",
        "# TYPE proxychecker_snapshot_stale gauge",
        "# TYPE proxychecker_config_last_reload_successful gauge",
        "# TYPE proxychecker_storage_errors_total counter",
        "# TYPE proxychecker_shard_restarts_total counter",
    ] {
        assert!(reply.body.lines().any(|found| found == line), "{line}");
    }
}

#[test]
fn they_are_where_they_are_configured_and_only_if_they_are_enabled() {
    let mut place = Place::new(&[]);
    place.config["metrics"] = json!({"enabled": true, "endpoint": "/m", "namespace": "mine"});
    let service = place.serve();
    assert!(service.get("/m").body.contains("\nmine_alive_proxies "));
    service.get("/metrics").is_refusal(404, "Not found");
    // The store is for one process at a time.
    drop(service);

    place.config["metrics"] = json!({"enabled": false});
    let service = place.serve();
    service.get("/metrics").is_refusal(404, "Not found");
}
