//! Options in, policy or error out.

use super::*;
use crate::target::{Demand, Expectation, Target};

fn options(change: impl FnOnce(&mut PolicyOptions)) -> PolicyOptions {
    let mut options = PolicyOptions::default();
    change(&mut options);
    options
}

/// `scheme host port path authority` of the target that `url` names.
fn check_target(url: &str, expected: &str) {
    let policy = ProbePolicy::new(options(|o| o.targets[0].url = url.into())).unwrap();
    let Target {
        tls,
        host,
        port,
        path,
        authority,
        ..
    } = &policy.targets[0];
    let scheme = if *tls { "https" } else { "http" };
    assert_eq!(
        format!("{scheme} {host} {port} {path} {authority}"),
        expected
    );
}

fn check_error(change: impl FnOnce(&mut PolicyOptions), text: &str) {
    let error = ProbePolicy::new(options(change)).unwrap_err().to_string();
    assert!(error.contains(text), "{error:?} does not say {text:?}");
}

fn expectation(change: impl FnOnce(&mut PolicyOptions)) -> Expectation {
    let policy = ProbePolicy::new(options(change)).unwrap();
    match &policy.targets[0].demand {
        Demand::Answer(expectation) => expectation.clone(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_url_is_taken_apart_once() {
    check_target("http://a.example", "http a.example 80 / a.example");
    check_target(
        "https://A.example:8443/x?y=1#z",
        "https a.example 8443 /x?y=1 a.example:8443",
    );
    check_target(
        "http://[2001:db8::1]/",
        "http 2001:db8::1 80 / [2001:db8::1]",
    );
    check_target("http://192.0.2.1:80/", "http 192.0.2.1 80 / 192.0.2.1");
    check_target(
        "https://b\u{fc}cher.example/\u{fc}",
        "https xn--bcher-kva.example 443 /%C3%BC xn--bcher-kva.example",
    );
}

#[test]
fn the_default_options_are_a_policy_that_proves_something() {
    let policy = ProbePolicy::new(PolicyOptions::default()).unwrap();
    let expected = expectation(|_| {});
    assert_eq!((expected.status, expected.empty_body), (204, true));
    assert!(!policy.is_weak());
}

#[test]
fn what_is_no_target_is_refused_with_the_remedy() {
    for url in [
        "foo",
        "",
        "ftp://a.example/",
        "http://",
        "http://a.example:0/",
        "http://a.example/\r\nX: y",
        "http://a.ex\tample/",
        "http://a b/",
    ] {
        check_error(
            |o| o.targets[0].url = url.into(),
            "is not an http:// or https:// URL with a host",
        );
    }
    check_error(|o| o.targets[0].url = "http://u:p@a.example/".into(), "url");
    let long = format!("http://{}a.example/", "a.".repeat(130));
    check_error(|o| o.targets[0].url = long, "url");
}

#[test]
fn an_error_shows_what_was_given_escaped() {
    check_error(|o| o.targets[0].url = "foo\n".into(), "`foo\\n`");
    check_error(|o| o.user_agent = "a\r\nX: y".into(), "`a\\r\\nX: y`");
}

#[test]
fn options_that_can_never_be_met_are_refused() {
    for status in [0, 100, 199, 407, 600, 999] {
        check_error(
            |o| o.targets[0].expect_status = Some(status),
            "expect_status",
        );
    }
    check_error(|o| o.targets[0].expect_body = Some(vec![]), "expect_body");
    check_error(
        |o| o.targets[0].expect_body = Some(vec![0; 65 * 1024]),
        "max_bytes (65536)",
    );
    check_error(
        |o| (o.targets[0].expect_status, o.targets[0].expect_sha256) = (Some(204), Some([0; 32])),
        "never has a body",
    );
    check_error(|o| o.timeout = Duration::ZERO, "timeout: it is 0");
    check_error(
        |o| o.connect_timeout = Duration::ZERO,
        "connect_timeout: it is 0",
    );
    check_error(|o| o.user_agent = String::new(), "user_agent");
    check_error(|o| o.user_agent = "caf\u{e9}".into(), "user_agent");
    check_error(
        |o| o.ca_pem = Some(b"nonsense".to_vec()),
        "ca_pem: it holds no certificate",
    );
    let block = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    check_error(|o| o.ca_pem = Some(block.to_vec()), "ca_pem");
}

#[test]
fn an_expected_body_asks_for_status_200_even_of_generate_204() {
    assert_eq!(
        expectation(|o| o.targets[0].expect_body = Some(b"x".to_vec())).status,
        200
    );
    assert_eq!(
        expectation(|o| o.targets[0].expect_sha256 = Some([0; 32])).status,
        200
    );
    let learns = options(|o| o.targets[0].url = "http://a.example/x".into());
    assert!(ProbePolicy::new(learns).unwrap().targets[0].learns());
    assert!(expectation(|o| o.targets[0].expect_status = Some(204)).empty_body);
}

#[test]
fn only_a_bare_success_over_plain_http_is_weak() {
    let weak = |url: &str, body: Option<&[u8]>| {
        let options = options(|o| {
            o.targets[0].url = url.into();
            o.targets[0].expect_body = body.map(<[u8]>::to_vec);
        });
        ProbePolicy::new(options).unwrap().is_weak()
    };
    assert!(weak("http://a.example/", None));
    assert!(!weak("https://a.example/", None));
    assert!(!weak("http://a.example/", Some(b"origin")));
    assert!(!weak("http://a.example/generate_204?x", None));
}

#[test]
fn the_connect_never_has_more_time_than_the_probe() {
    let policy = ProbePolicy::new(options(|o| o.timeout = Duration::from_secs(1))).unwrap();
    assert_eq!(policy.connect_timeout, Duration::from_secs(1));
}

#[test]
fn who_names_an_authority_for_the_target_trusts_no_other_one() {
    let key = rcgen::generate_simple_self_signed(vec!["target.test".into()]).unwrap();
    let named = PolicyOptions {
        ca_pem: Some(key.cert.pem().into_bytes()),
        ..PolicyOptions::default()
    };
    assert_eq!(ProbePolicy::new(named).unwrap().roots.len(), 1);
    let built_in = ProbePolicy::new(PolicyOptions::default()).unwrap();
    assert!(built_in.roots.len() > 100);
}
