//! Where a redirect may lead, and what can be tested of it without a public server.

use super::*;
use std::str::FromStr;

fn check(from: &str, location: &str, guarded: bool, expected: &str) {
    let url = Url::parse(from).unwrap();
    let next = match next_hop(&url, location.as_bytes(), guarded) {
        Ok(next) => next.to_string(),
        Err(FetchError::RedirectNotPublic(_)) => "not public".to_owned(),
        Err(FetchError::RedirectNotWeb(_)) => "not web".to_owned(),
        Err(other) => panic!("{other}"),
    };
    assert_eq!(next, expected, "{from} → {location}");
}

#[test]
fn a_redirect_leads_to_the_web_only() {
    let from = "https://a.example/dir/list";
    check(from, "other", true, "https://a.example/dir/other");
    check(from, "/other?x=1", true, "https://a.example/other?x=1");
    check(from, "http://b.example/", true, "http://b.example/");
    check(from, "//b.example/", true, "https://b.example/");
    for location in [
        "file:///etc/passwd",
        "ftp://b.example/",
        "data:,1.2.3.4:80",
        "http://",
    ] {
        check(from, location, false, "not web");
    }
}

#[test]
fn a_public_server_cannot_send_us_to_an_address_that_is_not() {
    for location in [
        "http://127.0.0.1/",
        "http://2130706433/", // 127.0.0.1 as one number
        "http://0x7f.1/",
        "http://169.254.169.254/latest/meta-data/",
        "http://[::1]:8083/",
        "http://[::ffff:10.0.0.1]/",
        "//192.168.1.1/",
    ] {
        check("http://a.example/", location, true, "not public");
    }
    check(
        "http://10.0.0.1/",
        "http://10.0.0.2/list",
        false,
        "http://10.0.0.2/list",
    );
    check(
        "http://a.example/",
        "http://9.9.9.9/",
        true,
        "http://9.9.9.9/",
    );
}

#[tokio::test]
async fn a_name_that_stands_for_loopback_is_not_resolved_for_a_public_server() {
    let resolving = PublicOnly.resolve(Name::from_str("localhost").unwrap());
    let error = resolving.await.err().expect("localhost is not public");
    assert!(error.is::<NotPublic>(), "{error}");

    // The same, as the client reports it.
    let url = Url::parse("http://localhost:1/").unwrap();
    let [_, public] = clients(|| builder("test").tls_certs_only([])).unwrap();
    let failed = public.get(url.clone()).send().await.unwrap_err();
    assert_eq!(
        failure(failed, &url),
        FetchError::RedirectNotPublic("localhost".to_owned())
    );
}

#[test]
fn validators_that_are_too_long_are_forgotten() {
    let url = Url::parse("http://a.example/").unwrap();
    let mut headers = HeaderMap::new();
    assert!(Validators::of(&headers, url.clone()).is_none());
    headers.insert(header::ETAG, "x".repeat(1025).parse().unwrap());
    assert!(Validators::of(&headers, url.clone()).is_none());
    headers.insert(header::ETAG, "x".repeat(1024).parse().unwrap());
    assert!(Validators::of(&headers, url).is_some());
}
