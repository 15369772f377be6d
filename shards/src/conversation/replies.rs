//! What proxies reply, by the RFCs and against them: one table a protocol, each reply over every
//! split.

use super::tests::{ALIVE, GRANT4, GRANT5, PLAIN, SECURE, TUNNEL, hold, me, plan};
use super::*;
use crate::verify::tests::splits;

/// The verdict if the proxy says `before` and then `last`, and then closes, however `last` is split.
fn check(url: &str, protocol: Protocol, before: &[&[u8]], last: &[u8], verdict: Verdict) {
    let plan = plan(url);
    for login in [None, Some(me())] {
        for split in splits(last) {
            let pieces = [before, &split, &[&[]]].concat();
            let (_, ended) = hold(&plan, protocol, login.as_ref(), &pieces);
            assert_eq!(ended, Some(verdict), "{protocol:?} {url}: {pieces:?}");
        }
    }
}

#[test]
fn every_refusal_of_socks5_has_its_verdict() {
    for code in 1..=255u8 {
        // 1..=8: RFC 1928, section 6; the others are not assigned.
        let reply = [5, code, 0, 1, 0, 0, 0, 0, 0, 0];
        check(PLAIN, Protocol::Socks5, &[&[5, 0]], &reply, Verdict::Denied);
        check(
            SECURE,
            Protocol::Socks5,
            &[&[5, 0]],
            &reply,
            Verdict::Denied,
        );
    }
    for method in [1, 0xFF] {
        check(
            PLAIN,
            Protocol::Socks5,
            &[],
            &[5, method],
            Verdict::AuthRequired,
        );
    }
    for method in 3..=0xFE {
        check(
            PLAIN,
            Protocol::Socks5,
            &[],
            &[5, method],
            Verdict::BadProtocol,
        );
    }
}

#[test]
fn every_refused_login_of_socks5_is_auth_required() {
    let plan = plan(PLAIN);
    for status in 1..=255 {
        let (_, ended) = hold(
            &plan,
            Protocol::Socks5,
            Some(&me()),
            &[&[5, 2], &[1, status]],
        );
        assert_eq!(ended, Some(Verdict::AuthRequired), "status {status}");
    }
    // Chosen although it was not offered.
    let (_, ended) = hold(&plan, Protocol::Socks5, None, &[&[5, 2]]);
    assert_eq!(ended, Some(Verdict::AuthRequired));
}

#[test]
fn every_refusal_of_socks4_has_its_verdict() {
    for (code, verdict) in [
        (0x5b, Verdict::Denied),
        (0x5c, Verdict::AuthRequired),
        (0x5d, Verdict::AuthRequired),
        (0x5e, Verdict::BadProtocol),
        (0, Verdict::BadProtocol),
    ] {
        for url in [PLAIN, SECURE, "http://192.0.2.7/generate_204"] {
            check(
                url,
                Protocol::Socks4,
                &[],
                &[0, code, 0, 0, 0, 0, 0, 0],
                verdict,
            );
        }
    }
}

#[test]
fn every_class_of_status_has_its_verdict_for_get_and_for_connect() {
    for (status, get, connect) in [
        (101, Verdict::WrongStatus, Verdict::Denied),
        (200, Verdict::OwnPage, Verdict::Closed),
        (201, Verdict::OwnPage, Verdict::Closed),
        (204, Verdict::Alive, Verdict::Closed),
        (226, Verdict::OwnPage, Verdict::Closed),
        (300, Verdict::Redirected, Verdict::Denied),
        (302, Verdict::Redirected, Verdict::Denied),
        (304, Verdict::Redirected, Verdict::Denied),
        (308, Verdict::Redirected, Verdict::Denied),
        (400, Verdict::WrongStatus, Verdict::Denied),
        (403, Verdict::WrongStatus, Verdict::Denied),
        (404, Verdict::WrongStatus, Verdict::Denied),
        (405, Verdict::WrongStatus, Verdict::Denied),
        (407, Verdict::AuthRequired, Verdict::AuthRequired),
        (429, Verdict::WrongStatus, Verdict::Denied),
        (500, Verdict::WrongStatus, Verdict::Denied),
        (502, Verdict::WrongStatus, Verdict::Denied),
        (599, Verdict::WrongStatus, Verdict::Denied),
        (999, Verdict::WrongStatus, Verdict::Denied),
    ] {
        let reply = format!("HTTP/1.1 {status} X\r\nServer: y\r\n\r\n");
        check(PLAIN, Protocol::Http, &[], reply.as_bytes(), get);
        check(SECURE, Protocol::Http, &[], reply.as_bytes(), connect);
        check(PLAIN, Protocol::Socks4, &[GRANT4], reply.as_bytes(), get);
    }
}

/// Every protocol, with what opens its way to an http target.
const WAYS: [(Protocol, &[&[u8]]); 3] = [
    (Protocol::Http, &[]),
    (Protocol::Socks4, &[GRANT4]),
    (Protocol::Socks5, &[&[5, 0], GRANT5]),
];

/// The verdict on `answer` as the answer to GET through every protocol.
fn check_answer(url: &str, answer: &[u8], verdict: Verdict) {
    for (protocol, grants) in WAYS {
        check(url, protocol, grants, answer, verdict);
    }
}

/// The verdict on `head` as the head of an answer, and as the reply to CONNECT.
fn check_head(head: &[u8], verdict: Verdict) {
    check_answer(PLAIN, head, verdict);
    check(SECURE, Protocol::Http, &[], head, verdict);
}

#[test]
fn terminal_escapes_are_no_head() {
    for head in [
        &b"HTTP/1.1 204 \x1b]0;owned\x07\r\n\r\n"[..],
        b"HTTP/1.1 200 \x1b[2J\x1b[31mOK\r\n\r\n",
        b"HTTP/1.1 204 X\r\nServer: \x1b[2J\r\n\r\n",
        b"\x1b[2JHTTP/1.1 204 X\r\n\r\n",
    ] {
        check_head(head, Verdict::BadProtocol);
    }
}

#[test]
fn floods_end_at_their_caps() {
    let interim = b"HTTP/1.1 100 Continue\r\n\r\n".repeat(700);
    check_head(&interim, Verdict::TooLarge);
    let fields = [
        b"HTTP/1.1 204 X\r\n".to_vec(),
        b"A: b\r\n".repeat(65),
        b"\r\n".to_vec(),
    ];
    check_head(&fields.concat(), Verdict::TooLarge);
    let long = [&b"HTTP/1.1 204 X\r\nA: "[..], &[b'x'; 17_000]].concat();
    check_head(&long, Verdict::TooLarge);
    let reason = [&b"HTTP/1.1 204 "[..], &[b'x'; 17_000]].concat();
    check_head(&reason, Verdict::TooLarge);
}

#[test]
fn wrong_lengths_and_chunks_are_bad_protocol_or_cut_short() {
    const URL: &str = "http://a.example/page";
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    for (answer, verdict) in [
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell".into(),
            Verdict::Closed,
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n".into(),
            Verdict::BadProtocol,
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello".into(),
            Verdict::BadProtocol,
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n".into(),
            Verdict::BadProtocol,
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 9999999\r\n\r\n".into(),
            Verdict::TooLarge,
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n".into(),
            Verdict::BadProtocol,
        ),
        (format!("{chunked}zz\r\n"), Verdict::BadProtocol),
        (format!("{chunked}-1\r\n"), Verdict::BadProtocol),
        (format!("{chunked}5\r\nhelloX\r\n"), Verdict::BadProtocol),
        (
            format!("{chunked}fffffffffffffffff\r\n"),
            Verdict::BadProtocol,
        ),
        (format!("{chunked}5\r\nhello\r\n"), Verdict::Closed),
        (format!("{chunked}5\r\nhello\r\n0\r\n\r\n"), Verdict::Alive),
    ] {
        check_answer(URL, answer.as_bytes(), verdict);
    }
}

#[test]
fn every_protocol_names_every_kind_of_target() {
    let asked = |url: &str, protocol, replies: &[&[u8]]| {
        let (asked, _) = hold(&plan(url), protocol, None, replies);
        asked.last().map(|question| question.to_vec())
    };
    for (host, in_socks4, in_socks5) in [
        (
            "192.0.2.7",
            Some(&b"\x04\x01\x00\x50\xc0\x00\x02\x07\x00"[..]),
            &b"\x01\xc0\x00\x02\x07"[..],
        ),
        (
            "a.example",
            Some(b"\x04\x01\x00\x50\x00\x00\x00\x01\x00a.example\x00"),
            b"\x03\x09a.example",
        ),
        (
            "[2001:db8::1]",
            None,
            b"\x04\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01",
        ),
    ] {
        let (plain, secure) = (format!("http://{host}/"), format!("https://{host}/"));
        let connect = asked(&secure, Protocol::Http, &[]).unwrap();
        assert!(connect.starts_with(format!("CONNECT {host}:443 HTTP/1.1\r\n").as_bytes()));
        let get = asked(&plain, Protocol::Http, &[]).unwrap();
        assert!(
            get.starts_with(format!("GET http://{host}/ HTTP/1.1\r\nHost: {host}\r\n").as_bytes())
        );
        assert_eq!(asked(&plain, Protocol::Socks4, &[]).as_deref(), in_socks4);
        let socks5 = [&[5, 1, 0], in_socks5, &[0, 80]].concat();
        assert_eq!(asked(&plain, Protocol::Socks5, &[&[5, 0]]), Some(socks5));
    }
}

#[test]
fn a_tunnel_is_granted_by_any_success_and_by_nothing_else() {
    check(
        SECURE,
        Protocol::Http,
        &[TUNNEL],
        b"HTTP/1.1 200 OK\r\n\r\n",
        Verdict::BadProtocol,
    );
    check(SECURE, Protocol::Http, &[], ALIVE, Verdict::Closed);
}

#[test]
fn a_conversation_tells_whether_it_ended_by_a_bad_request() {
    for (url, status, expected) in [
        (PLAIN, 400, true),
        (PLAIN, 403, false),
        (SECURE, 400, true),
        (SECURE, 404, false),
    ] {
        let plan = plan(url);
        let (mut conversation, _) = Conversation::begin(&plan, 0, Way::Proxy(Protocol::Http), None);
        let reply = format!("HTTP/1.0 {status} No\r\n\r\n");
        let step = conversation.received(&plan, reply.as_bytes());
        assert!(matches!(step, Step::Done(_)), "{url} {status}");
        assert_eq!(conversation.finding().bad_request, expected);
    }
}
