//! The table of alive proxies: searched, sorted, taken along, and as long as it likes.

use crate::browser::Browser;
use crate::service::Service;
use serde_json::{Value, json};
use std::collections::BTreeSet;

const LOADED: &str = "document.querySelectorAll('#rows tr[aria-rowindex]').length > 0";

/// The addresses in the rows that are drawn, from the top.
fn addresses(browser: &Browser) -> Vec<String> {
    browser.texts("#rows td.address")
}

fn open_table(service: &Service) -> Browser {
    let browser = Browser::start();
    browser.open(&service.url());
    browser.wait_for("document.querySelector('#link').dataset.state === 'live'");
    browser.run("document.querySelector('#proxies').scrollIntoView()");
    browser.wait_for(LOADED);
    browser
}

#[test]
fn the_rows_are_those_that_are_served_and_can_be_searched_and_sorted() {
    let service = Service::start(|_, _| {});
    let browser = open_table(&service);
    let listing = service.get("/get-proxy?all=1&format=json");
    let rows = listing["proxies"].as_array().unwrap();
    let total = rows.len();
    assert!(total > 100, "{total}");
    let words = format!("{total} rows, one for each protocol that works.");
    assert_eq!(browser.text("#count"), words);
    let rows_known =
        browser.run("return document.querySelector('#table').getAttribute('aria-rowcount')");
    assert_eq!(rows_known, json!((total + 1).to_string()));
    let served: BTreeSet<&str> = rows
        .iter()
        .map(|row| row["address"].as_str().unwrap())
        .collect();
    assert!(
        addresses(&browser)
            .iter()
            .all(|address| served.contains(&**address))
    );

    let latency = |rows: Vec<String>| -> Vec<u64> {
        let digits = |text: &String| {
            text.chars()
                .filter(char::is_ascii_digit)
                .collect::<String>()
        };
        rows.iter()
            .map(|text| digits(text).parse().unwrap())
            .collect()
    };
    let up = latency(browser.texts("#rows td.latency"));
    assert!(up.is_sorted() && up.len() > 10, "{up:?}");
    browser.click("th.latency button");
    assert_eq!(
        browser.run("return document.querySelector('th.latency').ariaSort"),
        json!("descending")
    );
    let down = latency(browser.texts("#rows td.latency"));
    assert!(down.iter().rev().is_sorted(), "{down:?}");
    let slowest = rows
        .iter()
        .map(|row| row["latency_ms"].as_u64().unwrap())
        .max();
    assert_eq!(Some(down[0]), slowest);
    browser.click("th.address button");
    let first = addresses(&browser);
    let by_number = |text: &String| -> Vec<u32> {
        text.split(['.', ':'])
            .map(|part| part.parse().unwrap())
            .collect()
    };
    assert!(first.is_sorted_by_key(by_number), "{first:?}");

    browser.type_into("#search", "SOCKS5 127.");
    let socks = rows
        .iter()
        .filter(|row| row["protocol"] == json!("socks5"))
        .count();
    assert!(socks > 0 && socks < total);
    browser.wait_for(&format!(
        "document.querySelector('#count').textContent.startsWith('{socks} of {total} rows')"
    ));
    assert!(
        browser
            .texts("#rows td.protocol")
            .iter()
            .all(|protocol| protocol == "socks5")
    );
    browser.type_into("#search", "no such proxy");
    browser.wait_for(&format!(
        "document.querySelector('#count').textContent.startsWith('0 of {total} rows')"
    ));
    assert!(addresses(&browser).is_empty());
    browser.close();
}

#[test]
fn what_is_shown_can_be_copied_and_downloaded() {
    let service = Service::start(|_, _| {});
    let browser = open_table(&service);
    let origin = service.url();
    let permissions = json!(["clipboardReadWrite", "clipboardSanitizedWrite"]);
    let grant = json!({"permissions": permissions, "origin": origin.trim_end_matches('/')});
    browser.devtools("Browser.grantPermissions", grant);
    browser.click("th.address button");
    browser.type_into("#search", "socks5");
    browser.wait_for("document.querySelector('#count').textContent.includes(' of ')");
    let listing = service.get("/get-proxy?all=1&format=json&protocol=socks5");
    let rows = listing["proxies"].as_array().unwrap();
    let expected: BTreeSet<&str> = rows
        .iter()
        .map(|row| row["address"].as_str().unwrap())
        .collect();
    let is_expected = |lines: &str| lines.lines().collect::<BTreeSet<_>>() == expected;

    let clipboard = "navigator.clipboard.readText().then(done, (e) => done(String(e)))";
    browser.click("#copy");
    browser.wait_for("document.querySelector('#copy').textContent === 'Copied'");
    let copied = browser.run_async(clipboard);
    assert!(is_expected(copied.as_str().unwrap()), "{copied}");
    browser.click("#rows tr:nth-child(2) button");
    browser.wait_for(
        "document.querySelector('#rows tr:nth-child(2) button').textContent === 'Copied'",
    );
    assert_eq!(browser.run_async(clipboard), json!(addresses(&browser)[1]));

    for form in ["txt", "csv", "json"] {
        browser.click(&format!("[data-save={form}]"));
    }
    assert!(is_expected(&browser.downloaded("proxies.txt")));
    let saved: Value = serde_json::from_str(&browser.downloaded("proxies.json")).unwrap();
    let saved = saved.as_array().unwrap();
    let addresses: BTreeSet<&str> = saved
        .iter()
        .map(|row| row["address"].as_str().unwrap())
        .collect();
    assert_eq!(addresses, expected);
    let text = browser.downloaded("proxies.csv");
    let mut csv = text.split_terminator("\r\n");
    let names = "address,protocol,latency_ms,last_check,targets,exit,anonymity";
    assert_eq!(csv.next(), Some(names));
    let first = &saved[0];
    let start = format!(
        "\"{}\",\"socks5\",\"{}\",",
        first["address"].as_str().unwrap(),
        first["latency_ms"]
    );
    let line = csv.next().unwrap();
    assert!(line.starts_with(&start), "{line}");
    assert_eq!(csv.count() + 1, expected.len());
    browser.close();
}

#[test]
fn a_hundred_thousand_rows_are_shown_as_a_few() {
    let service = Service::start(|_, _| {});
    let browser = Browser::start();
    browser.prepare(include_str!("many.js"));
    browser.open(&service.url());
    browser.wait_for("document.querySelector('#link').dataset.state === 'live'");
    browser.run("document.querySelector('#proxies').scrollIntoView()");
    browser.wait_for("document.querySelector('#count').textContent.startsWith('100,000 rows')");
    let drawn = || addresses(&browser).len();
    assert!((10..100).contains(&drawn()), "{}", drawn());
    browser.click("th.address button");
    assert_eq!(addresses(&browser)[0], "10.0.0.0:8080");
    browser
        .run("const all = document.querySelector('#scroller'); all.scrollTop = all.scrollHeight");
    browser.wait_for("document.querySelector('#rows').textContent.includes('10.1.134.159:8080')");
    assert!((10..100).contains(&drawn()), "{}", drawn());
    browser.type_into("#search", "10.0.200.");
    browser
        .wait_for("document.querySelector('#count').textContent.startsWith('256 of 100,000 rows')");
    // A figure for whoever wants it (`--nocapture`); a busy machine makes it any length.
    let tasks = browser.run("return window.tasks");
    eprintln!("times in which the tab did not answer, in ms: {tasks}");
    browser.close();
}

const COUNT_SAYS: &str = "document.querySelector('#count').textContent";

#[test]
fn only_the_refusal_that_nothing_is_alive_empties_the_table() {
    let service = Service::start(|_, _| {});
    let browser = Browser::start();
    browser.prepare(include_str!("failing.js"));
    browser.prepare(
        r#"window.refusal = { body: '{"error":"Too many large answers are being read"}', wait: "12" };"#,
    );
    browser.open(&service.url());
    browser.wait_for("document.querySelector('#link').dataset.state === 'live'");
    browser.run("document.querySelector('#proxies').scrollIntoView()");
    browser.wait_for(&format!(
        "{COUNT_SAYS} === 'The list cannot be loaded now.'"
    ));
    browser.run("window.refusal = null");
    // It asks again by itself, though the snapshot is the same, and not before it was told to.
    browser.wait_for(LOADED);
    let times = browser.run("return window.times");
    let time = |nth: usize| times[nth].as_u64().unwrap();
    assert!(time(1) - time(0) >= 12_000, "{times}");

    let again = |body: &str| {
        browser.run(&format!(
            "window.refusal = {{ body: '{body}', wait: '1' }}; \
             document.querySelector('#count').textContent = ''; window.publish()"
        ));
    };
    for body in [
        r#"{"error":"Too many large answers are being read"}"#,
        "<h1>Service unavailable</h1>",
        "null",
    ] {
        again(body);
        browser.wait_for(&format!("{COUNT_SAYS}.endsWith('What is shown is old.')"));
        assert!(!addresses(&browser).is_empty(), "{body}");
    }
    again(r#"{"error":"No alive proxies available"}"#);
    browser.wait_for(&format!("{COUNT_SAYS} === 'No proxy is alive now.'"));
    assert!(addresses(&browser).is_empty());
    browser.close();
}
