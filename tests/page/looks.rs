//! How it looks: light and dark, on a phone, and in the picture of the documentation.

use crate::browser::Browser;
use crate::service::Service;
use serde_json::{Value, json};
use std::fs;
use std::path::PathBuf;

const LIVE: &str = "document.querySelector('#link').dataset.state === 'live'";

/// By how much the rows are wider than where they are shown.
const ROWS_OVERFLOW: &str =
    "const s = document.querySelector('#scroller'); return s.scrollWidth - s.clientWidth";

/// Contrast of text and ground of every element that has a text of its own (WCAG 2.2, 1.4.3), the
/// least of all, and whose it is.
const CONTRAST: &str = include_str!("contrast.js");

#[test]
fn it_is_light_or_dark_as_the_reader_prefers_or_says() {
    let service = Service::start(|_, _| {});
    let browser = Browser::start();
    browser.open(&service.url());
    browser.wait_for(LIVE);
    let ground =
        || browser.run("return getComputedStyle(document.documentElement).backgroundColor");
    let readable = |which: &str| {
        let least = browser.run(CONTRAST);
        assert!(least["ratio"].as_f64().unwrap() >= 4.5, "{which}: {least}");
        assert!(least["seen"].as_u64().unwrap() > 30, "{least}");
    };
    let light = ground();
    readable("light");
    browser.look(1200, 900, "dark");
    let dark = ground();
    assert_ne!(light, dark);
    readable("dark");
    browser.run("const s = document.querySelector('#theme'); s.value = 'light'; s.dispatchEvent(new Event('change'))");
    assert_eq!(ground(), light);
    browser.reload();
    assert_eq!(ground(), light, "it is remembered");
    browser.close();
}

#[test]
fn it_fits_a_phone() {
    let service = Service::start(|_, _| {});
    let browser = Browser::start();
    for width in [360, 320] {
        browser.look(width, 740, "light");
        browser.open(&service.url());
        browser.wait_for(LIVE);
        browser.run("document.querySelector('#proxies').scrollIntoView()");
        browser.wait_for("document.querySelectorAll('#rows td.address').length > 0");
        let widths = browser.run(
            "return [document.documentElement.scrollWidth, document.documentElement.clientWidth]",
        );
        assert_eq!(widths, json!([width, width]));
        let table = browser.run(ROWS_OVERFLOW);
        assert_eq!(table, json!(0), "the rows fit too");
    }
    browser.close();
}

#[test]
fn everything_can_be_reached_and_has_a_name() {
    let service = Service::start(|_, _| {});
    let browser = Browser::start();
    browser.open(&service.url());
    browser.wait_for(LIVE);
    let tree = browser.devtools("Accessibility.getFullAXTree", json!({}));
    let nodes = tree["nodes"].as_array().unwrap();
    let role = |node: &Value| {
        node["role"]["value"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    };
    let named = [
        "button",
        "searchbox",
        "slider",
        "combobox",
        "link",
        "region",
        "progressbar",
        "table",
    ];
    let mut seen = 0;
    for node in nodes.iter().filter(|node| named.contains(&&*role(node))) {
        let name = node["name"]["value"].as_str().unwrap_or_default();
        let is_plain = role(node) == "table";
        assert!(is_plain || !name.is_empty(), "{node}");
        seen += 1;
    }
    assert!(seen > 15, "{seen}");
    browser.close();
}

/// Pictures for the documentation, with figures as a service in use has them. They go to the folder
/// that `STATUS_PAGE_PICTURES` names, else to that of the build.
#[test]
fn it_has_its_picture_taken() {
    let folder = std::env::var_os("STATUS_PAGE_PICTURES");
    let folder = folder.map_or_else(|| PathBuf::from(env!("CARGO_TARGET_TMPDIR")), PathBuf::from);
    let service = Service::start(|_, _| {});
    let browser = Browser::start();
    browser.prepare(include_str!("example.js"));
    for (colours, name) in [
        ("light", "status-page.png"),
        ("dark", "status-page-dark.png"),
    ] {
        browser.look(1100, 1180, colours);
        browser.open(&service.url());
        browser.wait_for(LIVE);
        browser.wait_for("document.querySelectorAll('#rows td.address').length > 0");
        let wide = browser.run(ROWS_OVERFLOW);
        assert_eq!(wide, json!(0), "the rows need no scrolling to the side");
        let height = browser.run("return document.documentElement.scrollHeight");
        browser.look(1100, height.as_u64().unwrap() as u32, colours);
        browser.wait_for("document.querySelectorAll('#rows td.address').length > 0");
        let picture = browser.picture(1100, height.as_f64().unwrap());
        assert!(picture.len() < 300_000, "{} bytes", picture.len());
        fs::write(folder.join(name), picture).unwrap();
    }
    browser.close();
}
