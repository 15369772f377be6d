//! The figures are those of the service, and follow it.

use crate::browser::Browser;
use crate::service::{COUNT, Service};
use proxy_bench::farm::Aim;
use serde_json::{Value, json};

/// `1234` as the page writes it.
fn count(number: &Value) -> String {
    let digits = number.as_u64().expect("a number").to_string();
    let grouped = digits.as_bytes().rchunks(3).rev();
    let groups: Vec<&str> = grouped
        .map(|group| std::str::from_utf8(group).unwrap())
        .collect();
    groups.join(",")
}

#[test]
fn the_figures_are_those_of_stat() {
    let service = Service::start(|_, _| {});
    let browser = Browser::start();
    browser.open(&service.url());
    browser.wait_for("document.querySelector('#link').dataset.state === 'live'");
    let stat = service.stat();
    assert_eq!(stat["total_scraped"], json!(COUNT));
    assert!(stat["total_alive"].as_u64() > Some(0));
    for (id, key) in [
        ("#alive", "total_alive"),
        ("#dead", "total_dead"),
        ("#total", "total_scraped"),
    ] {
        assert_eq!(browser.text(id), count(&stat[key]), "{id}");
    }
    assert_eq!(
        browser.text("#generation"),
        format!("generation {}", count(&stat["generation"]))
    );
    assert_eq!(
        browser.text("#p50"),
        format!("{} ms", count(&stat["latency_ms"]["p50"]))
    );
    let percent = stat["alive_percent"].as_str().unwrap();
    assert_eq!(
        browser.text("#alive-percent"),
        format!("{percent} of those checked")
    );
    let verdicts = stat["verdicts"].as_object().unwrap();
    let seen: Vec<&String> = verdicts
        .iter()
        .filter(|(_, n)| n.as_u64() > Some(0))
        .map(|(v, _)| v)
        .collect();
    let mut shown = browser.texts("#verdicts b");
    assert_eq!(shown[0], "alive", "the alive come first");
    shown.sort();
    assert_eq!(shown.iter().collect::<Vec<_>>(), seen);
    let ranges = stat["latency_ms"]["histogram"].as_array().unwrap();
    let in_ranges: u64 = ranges
        .iter()
        .map(|range| range["count"].as_u64().unwrap())
        .sum();
    assert_eq!(
        Some(in_ranges),
        stat["total_alive"].as_u64(),
        "each speaks one protocol"
    );
    assert_eq!(browser.texts("#sources tr").len(), 1);
    let source = stat["sources"]
        .as_object()
        .unwrap()
        .values()
        .next()
        .unwrap();
    let cells = browser.texts("#sources td.number");
    let expected = [&source["ProxiesFound"], &source["alive"]].map(count);
    assert_eq!(cells[..2], expected);
    assert_eq!(source["alive"], stat["total_alive"]);
    assert!(
        browser
            .text("#sweep-text")
            .contains(&format!("complete, {COUNT} of {COUNT}"))
    );
    assert!(
        browser
            .run("return document.querySelector('#hour .line').getAttribute('d')")
            .is_string()
    );
    assert!(!browser.is_shown("#stale") && !browser.is_shown("#sign-out"));
    browser.close();
}

#[test]
fn the_hour_can_be_read_by_keyboard() {
    let service = Service::start(|_, _| {});
    let browser = Browser::start();
    browser.open(&service.url());
    browser.wait_for("document.querySelector('#moment').hasAttribute('aria-valuetext')");
    browser.run("document.querySelector('#moment').focus()");
    let alive = count(&service.stat()["total_alive"]);
    let expected = format!(": {alive} alive");
    assert!(
        browser.text("#hour-text").contains(&expected),
        "{}",
        browser.text("#hour-text")
    );
    browser.close();
}

#[test]
fn polling_goes_on_pauses_and_comes_back_after_the_service_was_away() {
    let mut service = Service::start(|_, _| {});
    let browser = Browser::start();
    browser.prepare(
        "window.asked = 0; const whole = window.fetch; \
         window.fetch = (...of) => { window.asked += 1; return whole(...of); };",
    );
    browser.open(&service.url());
    browser.wait_for("window.asked >= 4 && document.querySelector('#link').textContent === 'Live'");
    browser.click("#pause");
    assert_eq!(browser.text("#link"), "Paused");
    browser.click("#pause");
    browser.wait_for("document.querySelector('#link').textContent === 'Live'");
    service.stop();
    browser.wait_for("document.querySelector('#link').textContent.startsWith('Disconnected')");
    assert!(browser.text("#link").contains("What is shown is old"));
    assert!(browser.text("#alive") != "–", "the last figures stay");
    service.begin();
    browser.wait_for("document.querySelector('#link').textContent === 'Live'");
    browser.close();
}

#[test]
fn saves_that_fail_are_said_with_what_a_restart_would_lose() {
    let service = Service::start(|_, _| {});
    let browser = Browser::start();
    browser.prepare(
        r#"const whole = window.fetch;
        window.fetch = async (path, options) => {
          const answer = await whole(path, options);
          if (path !== "stat" || !window.storage) return answer;
          return new Response(JSON.stringify({ ...(await answer.json()), storage: window.storage }));
        };"#,
    );
    browser.open(&service.url());
    browser.wait_for("document.querySelector('#link').dataset.state === 'live'");
    assert!(!browser.is_shown("#storage"));
    let banner = |storage: &str, words: &str| {
        browser.run(&format!("window.storage = {storage}"));
        browser.wait_for(&format!(
            "document.querySelector('#storage').checkVisibility() \
             && document.querySelector('#storage').textContent.includes('{words}')"
        ));
        assert!(
            browser
                .text("#storage")
                .starts_with("Saving has failed since ")
        );
    };
    let since = "failing_since: '2026-01-02T03:04:05.000Z'";
    banner(
        &format!("{{ {since}, saved_at: null }}"),
        "would lose what is known",
    );
    banner(
        &format!("{{ {since}, saved_at: '2026-01-02T03:04:00.000Z' }}"),
        "would lose what came after ",
    );
    browser.run("window.storage = null");
    browser.wait_for("!document.querySelector('#storage').checkVisibility()");
    browser.close();
}

#[test]
fn a_stale_snapshot_says_so_and_why() {
    let service = Service::start(|config, farm| {
        config["checker"]["test_url"] = json!(farm.target(Aim::NoContent));
        config["checker"]["control_probe"] = json!(true);
        config["checker"]["control_interval_seconds"] = json!(1);
        config["aggregator"]["interval_seconds"] = json!(10);
    });
    let browser = Browser::start();
    browser.open(&service.url());
    browser.wait_for("document.querySelector('#targets [data-state=up]')");
    assert!(!browser.is_shown("#stale"));
    service.farm.set_target(false);
    browser.wait_for("document.querySelector('#stale').checkVisibility()");
    let banner = browser.text("#stale");
    assert!(
        banner.starts_with("Stale: the targets cannot be reached without a proxy either"),
        "{banner}"
    );
    service.farm.set_target(true);
    browser.wait_for("!document.querySelector('#stale').checkVisibility()");
    browser.close();
}
