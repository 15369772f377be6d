//! The judge behind proxies, and what becomes of its page on the way. The page itself is the
//! server's; here it is read as a person would.

mod client;

use client::{ask, farm};
use proxy_bench::farm::{Aim, Behaviour};

const NONCE: &str = "00112233445566778899aabbccddeeff";

fn through(proxy: &str) -> String {
    ask(
        proxy,
        format!(
            "GET http://target.test/judge?nonce={NONCE} HTTP/1.1\r\nHost: target.test\r\nConnection: close\r\n\r\n"
        ),
    )
}

fn body(answer: &str) -> &str {
    answer.split_once("\r\n\r\n").expect("a body").1
}

#[test]
fn the_judge_sees_the_proxys_own_address_and_without_one_the_clients() {
    let farm = farm();
    for number in [0, 7] {
        let page = through(&farm.proxy(Behaviour::Forwards, number));
        let seen = farm.address(Behaviour::Forwards, number).to_string();
        assert!(page.starts_with("HTTP/1.1 200 OK\r\n"), "{page}");
        assert!(page.contains(&seen) && page.contains(NONCE), "{page}");
    }
    let direct = ask(
        &farm.target(Aim::Judge),
        format!("GET /judge?nonce={NONCE} HTTP/1.0\r\nHost: t\r\n\r\n"),
    );
    assert!(direct.contains(" 127.0.0.1\n"), "{direct}");
}

#[test]
fn header_fields_that_a_proxy_adds_are_on_the_page() {
    let farm = farm();
    let transparent = through(&farm.proxy(Behaviour::Transparent, 0));
    assert!(
        transparent.contains("x-forwarded-for: 127.0.0.1"),
        "{transparent}"
    );
    let anonymous = through(&farm.proxy(Behaviour::Anonymous, 0));
    assert!(
        anonymous.contains("via: ") && !anonymous.contains("127.0.0.1"),
        "{anonymous}"
    );
    let elite = through(&farm.proxy(Behaviour::Forwards, 0));
    assert!(!elite.contains("via: "), "{elite}");
}

#[test]
fn a_changed_page_and_an_imitated_one_look_like_the_real_one_and_are_as_long() {
    let farm = farm();
    let told = |behaviour| {
        let page = through(&farm.proxy(behaviour, 0));
        let length = format!("Content-Length: {}\r\n", body(&page).len());
        assert!(page.contains(&length) && page.contains(NONCE), "{page}");
        let seen = farm.address(behaviour, 0).to_string();
        body(&page).replace(&seen, "(address)")
    };
    let real = told(Behaviour::Forwards);
    for behaviour in [Behaviour::Tampers, Behaviour::ImitatesJudge] {
        let other = told(behaviour);
        assert_eq!(other.len(), real.len(), "{behaviour:?}: {other}");
        assert!(other.contains("(address)") && other != real, "{other}");
    }
}

#[test]
fn without_a_nonce_there_is_no_page() {
    let farm = farm();
    let target = farm.target(Aim::Judge);
    let answer = ask(&target, "GET /judge HTTP/1.0\r\nHost: t\r\n\r\n");
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
}
