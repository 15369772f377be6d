//! Whom the page trusts: whoever has a key, and nobody who wrote what it shows.

use crate::browser::Browser;
use crate::service::{KEY, Service};
use serde_json::json;

fn closed() -> Service {
    Service::start(|config, _| {
        config["api"]["enable_api_key_auth"] = json!(true);
        config["api"]["api_key_env"] = json!("PAGE_TEST_KEYS");
    })
}

const ASKS: &str = "document.querySelector('#ask').open";
const LIVE: &str = "document.querySelector('#link').dataset.state === 'live'";

#[test]
fn the_key_is_asked_for_and_kept_in_this_tab_only() {
    let service = closed();
    let browser = Browser::start();
    browser.prepare(
        "window.urls = []; const whole = window.fetch; \
         window.fetch = (url, ...more) => { window.urls.push(String(url)); return whole(url, ...more); };",
    );
    browser.open(&service.url());
    browser.wait_for(ASKS);
    assert_eq!(browser.text("#alive"), "–");
    assert_eq!(
        browser.run("return document.activeElement.id"),
        json!("key")
    );
    assert_eq!(browser.text("#ask-error"), "", "nobody has tried one yet");

    browser.type_into("#key", "wrong");
    browser.click("#ask-send");
    browser.wait_for("document.querySelector('#ask-error').textContent.startsWith('Wrong key')");
    assert_eq!(browser.run("return sessionStorage.length"), json!(0));

    browser.type_into("#key", KEY);
    browser.click("#ask-send");
    browser.wait_for(LIVE);
    assert_eq!(browser.run(&format!("return {ASKS}")), json!(false));
    let alive = service.stat()["total_alive"].to_string();
    assert_eq!(browser.text("#alive"), alive);
    browser.run("document.querySelector('#proxies').scrollIntoView()");
    browser.wait_for("document.querySelectorAll('#rows td.address').length > 0");

    let kept = browser.run("return Object.values(sessionStorage)");
    assert_eq!(kept, json!([KEY]));
    let elsewhere = browser.run("return [localStorage.length, document.cookie]");
    assert_eq!(elsewhere, json!([0, ""]));
    let urls = browser
        .run("return [location.href, ...window.urls]")
        .to_string();
    assert!(
        !urls.contains(KEY) && urls.contains("get-proxy?all=1"),
        "{urls}"
    );
    assert!(
        !browser
            .run("return document.documentElement.outerHTML")
            .to_string()
            .contains(KEY)
    );

    browser.reload();
    browser.wait_for(LIVE);
    browser.click("#sign-out");
    browser.wait_for(ASKS);
    assert_eq!(
        browser.run("return sessionStorage.getItem('proxy-checker-key')"),
        json!(null)
    );
    assert_eq!(
        (
            browser.text("#alive"),
            browser.texts("#rows td.address").len()
        ),
        ("–".into(), 0)
    );
    assert_eq!(browser.url(), service.url());

    browser.type_into("#key", KEY);
    browser.click("#ask-send");
    browser.wait_for(LIVE);
    browser.open_tab();
    browser.open(&service.url());
    browser.wait_for(ASKS);
    browser.close();
}

#[test]
fn whoever_signs_out_while_the_rows_load_sees_them_after_the_next_sign_in() {
    let service = closed();
    let browser = Browser::start();
    browser.prepare(include_str!("failing.js"));
    browser.prepare("window.hold = new Promise((go) => (window.release = go));");
    browser.open(&service.url());
    browser.wait_for(ASKS);
    browser.run("document.querySelector('#proxies').scrollIntoView()");
    let sign_in = || {
        browser.type_into("#key", KEY);
        browser.click("#ask-send");
        browser.wait_for(LIVE);
    };
    sign_in();
    browser.run("document.querySelector('#proxies').scrollIntoView()");
    browser.wait_for("window.times.length === 1");
    browser.click("#sign-out");
    browser.wait_for(ASKS);
    // The answer to who signed out comes to who signed in after that.
    sign_in();
    assert_eq!(browser.texts("#rows td.address").len(), 0);
    browser.run("window.release()");
    browser.run("document.querySelector('#proxies').scrollIntoView()");
    browser.wait_for("document.querySelectorAll('#rows td.address').length > 0");
    browser.close();
}

/// Markup, quotes, a mark that turns the text around, and more than anybody reads.
fn hostile() -> String {
    let long = "long".repeat(60);
    format!(
        "x\"'><img src=x onerror=alert(1)><script>alert(2)<script>&lt;b&gt;\u{202e}txt.exe\u{200b}{long}"
    )
}

#[test]
fn what_others_wrote_stays_text() {
    let name = hostile();
    let service = Service::start(|config, _| {
        let sources = config["aggregator"]["sources"].as_array_mut().unwrap();
        sources.push(json!({"url": format!("/nowhere/{name}"), "type": "http", "enabled": true}));
    });
    let known = service.stat();
    let sources = known["sources"].as_object().unwrap();
    let (url, source) = sources
        .iter()
        .find(|(url, _)| url.contains("onerror"))
        .expect("it is listed as configured");
    assert!(
        url.contains('\u{202e}') && source["Error"] != json!(""),
        "{source}"
    );
    let browser = Browser::start();
    browser.open(&service.url());
    browser.wait_for("document.querySelectorAll('#sources tr').length === 2");
    let shown = browser.text("#sources .failed bdi");
    assert!(shown.starts_with("/nowhere/x\"'><img src=x onerror=alert(1)><script>alert(2)<script>&lt;b&gt;\\u202etxt.exe\\u200blong"), "{shown}");
    let text = browser.text("#sources");
    assert!(!text.contains('\u{202e}') && !text.contains('\u{200b}'));
    let elements = browser.run("return document.querySelectorAll('img, b, i, iframe, #sources script').length - document.querySelectorAll('.bars b').length");
    assert_eq!(elements, json!(0));
    assert_eq!(browser.run("return document.scripts.length"), json!(1));
    let overflow = browser
        .run("return document.documentElement.scrollWidth - document.documentElement.clientWidth");
    assert_eq!(overflow, json!(0));
    browser.close();
}

#[test]
fn an_answer_whose_every_word_is_hostile_stays_text() {
    let service = Service::start(|_, _| {});
    let browser = Browser::start();
    browser.prepare(include_str!("hostile.js"));
    browser.open(&service.url());
    browser.wait_for("document.querySelector('#stale').checkVisibility()");
    browser.run("document.querySelector('#proxies').scrollIntoView()");
    browser.wait_for("document.querySelectorAll('#rows td.address').length > 0");
    for place in [
        "#alive-percent",
        "#stale",
        "#targets bdi",
        "#verdicts b",
        "#protocols b",
        "#sources bdi",
        "#sources .error bdi",
        "#rows td.address",
        "#rows td.anonymity",
    ] {
        let text = browser.text(place);
        assert!(text.contains("\"'><img"), "{place}: {text}");
        assert!(!text.contains('\u{202e}'), "{place}: {text}");
    }
    let strangers =
        browser.run("return document.querySelectorAll('img, object, iframe, svg script').length");
    assert_eq!(strangers, json!(0));
    assert_eq!(browser.run("return window.isHurt ?? null"), json!(null));
    let overflow = browser
        .run("return document.documentElement.scrollWidth - document.documentElement.clientWidth");
    assert_eq!(overflow, json!(0));
    browser.close();
}

#[test]
fn the_policy_of_the_page_stops_what_is_not_its_own() {
    let service = Service::start(|_, _| {});
    let browser = Browser::start();
    browser.open(&service.url());
    browser.wait_for(LIVE);
    // Each of these would work on a page without the policy.
    let stopped = browser.run_async(
        "const seen = []; \
         document.addEventListener('securitypolicyviolation', (e) => { \
           seen.push(e.effectiveDirective); \
           if (seen.length === 3) done(seen.sort()); }); \
         const script = document.createElement('style'); \
         script.textContent = 'body { display: none }'; \
         document.head.append(script); \
         fetch('http://127.0.0.2:9/').catch(() => {}); \
         try { document.body.innerHTML = '<b>x</b>'; } catch {}",
    );
    assert_eq!(
        stopped,
        json!(["connect-src", "require-trusted-types-for", "style-src-elem"])
    );
    let complaints = browser.complaints();
    assert!(complaints.len() >= 3, "{complaints:?}");
    browser.close();
}
