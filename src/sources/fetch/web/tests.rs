//! Where a redirect may lead, and what can be tested of it without a public server.

use super::lead::{OutOfBounds, next_hop};
use super::*;
use crate::sources::fetch::error::FetchError;
use reqwest::dns::{Name, Resolve};
use std::str::FromStr;

fn check(from: &str, location: &str, guide: Guide, expected: &str) {
    check_under(&AddressPolicy::default(), from, location, guide, expected);
}

fn check_under(
    addresses: &AddressPolicy,
    from: &str,
    location: &str,
    guide: Guide,
    expected: &str,
) {
    let url = Url::parse(from).unwrap();
    let next = match next_hop(&url, location.as_bytes(), guide, addresses) {
        Ok(next) => next.to_string(),
        Err(FetchError::RedirectNotPublic(_)) => "not public".to_owned(),
        Err(FetchError::RedirectDenied(_)) => "denied".to_owned(),
        Err(FetchError::RedirectNotWeb(_)) => "not web".to_owned(),
        Err(other) => panic!("{other}"),
    };
    assert_eq!(next, expected, "{from} → {location}");
}

#[test]
fn a_redirect_leads_to_the_web_only() {
    let from = "https://a.example/dir/list";
    check(
        from,
        "other",
        Guide::Stranger,
        "https://a.example/dir/other",
    );
    check(
        from,
        "/other?x=1",
        Guide::Stranger,
        "https://a.example/other?x=1",
    );
    check(
        from,
        "http://b.example/",
        Guide::Stranger,
        "http://b.example/",
    );
    check(from, "//b.example/", Guide::Stranger, "https://b.example/");
    for location in [
        "file:///etc/passwd",
        "ftp://b.example/",
        "data:,1.2.3.4:80",
        "http://",
    ] {
        check(from, location, Guide::Insider, "not web");
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
        check("http://a.example/", location, Guide::Stranger, "not public");
    }
    check(
        "http://10.0.0.1/",
        "http://10.0.0.2/list",
        Guide::Insider,
        "http://10.0.0.2/list",
    );
    check(
        "http://a.example/",
        "http://9.9.9.9/",
        Guide::Stranger,
        "http://9.9.9.9/",
    );
}

#[test]
fn no_server_leads_to_metadata_or_to_what_is_denied_unless_the_operator_names_it() {
    let network = |text: &str| text.parse().unwrap();
    let denying = AddressPolicy {
        allow_private: true,
        deny: [network("10.1.0.0/16"), network("9.9.9.0/24")].into(),
        ..AddressPolicy::default()
    };
    let from = "http://10.0.0.1/";
    for location in [
        "http://169.254.169.254/latest/meta-data/",
        "http://[::ffff:169.254.169.254]/",
        "http://[fd00:ec2::254]/",
        "http://0.0.0.0/",
        "http://10.1.2.3/",
        "http://9.9.9.9/",
    ] {
        check_under(&denying, from, location, Guide::Insider, "denied");
        check_under(&denying, from, location, Guide::Stranger, "not public");
    }
    let metadata = "http://169.254.169.254/";
    let naming = AddressPolicy {
        allow: [network("169.254.169.254")].into(),
        ..AddressPolicy::default()
    };
    check_under(&naming, from, metadata, Guide::Insider, metadata);
    check_under(&naming, from, metadata, Guide::Stranger, "not public");
}

#[test]
fn of_where_a_redirect_leads_no_secret_is_shown() {
    let url = Url::parse("http://a.example/").unwrap();
    for (location, expected) in [
        (
            "ftp://me:TopSecret@b.example/l?token=TopSecret&n=1#key=TopSecret",
            "ftp://***@b.example/l?token=***&n=1#***",
        ),
        (
            "file:///etc/hosts?key=TopSecret",
            "file:///etc/hosts?key=***",
        ),
        ("data:,TopSecret", "data:***"),
        ("http://[TopSecret", "17 bytes that are no address"),
    ] {
        let led = next_hop(
            &url,
            location.as_bytes(),
            Guide::Insider,
            &AddressPolicy::default(),
        );
        assert_eq!(led, Err(FetchError::RedirectNotWeb(expected.to_owned())));
    }
    let metadata = b"http://me:TopSecret@169.254.169.254/?sig=TopSecret";
    let led = next_hop(&url, metadata, Guide::Stranger, &AddressPolicy::default());
    let expected = "http://***@169.254.169.254/?sig=***".to_owned();
    assert_eq!(led, Err(FetchError::RedirectNotPublic(expected)));
}

#[tokio::test]
async fn a_name_that_stands_for_loopback_is_not_resolved_for_a_public_server() {
    let bounds = Guide::Stranger.bounds(&AddressPolicy::default()).unwrap();
    let resolving = Bounded(bounds).resolve(Name::from_str("localhost").unwrap());
    let error = resolving.await.err().expect("localhost is not public");
    assert!(error.is::<OutOfBounds>(), "{error}");

    // The same, as the client reports it.
    let url = Url::parse("http://localhost:1/?key=TopSecret").unwrap();
    let mut trail = Trail::begin(&url);
    trail.guide = Guide::Stranger;
    let without_roots = || builder("test").tls_certs_only([]);
    let [_, _, stranger] = clients(without_roots, &AddressPolicy::default()).unwrap();
    let failed = stranger.get(url).send().await.unwrap_err();
    assert_eq!(
        failure(failed, &trail),
        FetchError::RedirectNotPublic("http://localhost:1/?key=***".to_owned())
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
