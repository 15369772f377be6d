//! Scripted SOCKS 5 proxies: what they say, what they are asked.

use super::*;
use crate::handshake::Seen;
use crate::policy::{PolicyOptions, ProbePolicy};
use crate::verify::tests::splits;

fn questions(url: &str) -> Questions {
    let options = PolicyOptions {
        targets: vec![url.into()],
        ..PolicyOptions::default()
    };
    Questions::new(&ProbePolicy::new(options).unwrap().targets[0])
}

fn credentials(user: &str, password: &str) -> Credentials {
    Credentials {
        user: user.into(),
        password: password.into(),
    }
}

/// The proxy says `replies`, one to each question: these `questions` are asked, with this end.
fn check(login: Option<(&str, &str)>, replies: &[&[u8]], asked: &[&[u8]], end: Seen) {
    let login = login.map(|(user, password)| credentials(user, password));
    let questions = questions("http://a.example/");
    let longest = splits(replies.last().unwrap());
    for last in longest {
        let (mut socks, greeting) = Socks5::begin(&questions, login.as_ref()).unwrap();
        let mut said = vec![greeting];
        let mut progress = Seen::Recv;
        let pieces = replies[..replies.len() - 1]
            .iter()
            .copied()
            .chain(last.iter().copied());
        for piece in pieces {
            progress = Seen::from(socks.received(&questions, piece));
            if let Seen::Ask(bytes) = &progress {
                said.push(Rc::clone(bytes));
            }
        }
        let said: Vec<&[u8]> = said.iter().map(|bytes| &**bytes).collect();
        assert_eq!(said, asked, "{replies:?} as {last:?}");
        assert_eq!(progress, end, "{replies:?} as {last:?}");
    }
}

const HELLO: &[u8] = &[5, 1, 0];
const HELLO_LOGIN: &[u8] = &[5, 2, 0, 2];
const CONNECT: &[u8] = b"\x05\x01\x00\x03\x09a.example\x00\x50";
const LOGIN: &[u8] = b"\x01\x02me\x06secret";
const ME: Option<(&str, &str)> = Some(("me", "secret"));

#[test]
fn the_connection_is_asked_for_in_the_form_of_the_target() {
    let connect = |url| questions(url).connect.to_vec();
    assert_eq!(
        connect("http://192.0.2.7/"),
        [5, 1, 0, 1, 192, 0, 2, 7, 0, 80]
    );
    assert_eq!(
        connect("https://[2001:db8::1]/"),
        [
            5, 1, 0, 4, 0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 187
        ]
    );
    assert_eq!(connect("http://a.example/"), CONNECT);
}

#[test]
fn a_grant_opens_whatever_address_it_names() {
    let asked = [HELLO, CONNECT];
    for grant in [
        &[5, 0, 0, 1, 1, 2, 3, 4, 0, 80][..],
        &[5, 0, 0xAA, 3, 0, 0, 80],
        b"\x05\x00\x00\x03\x05abcde\x00\x50",
        &[
            5, 0, 0, 4, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 0, 80,
        ],
        &[&[5, 0, 0, 3, 255][..], &[b'n'; 257]].concat(),
    ] {
        check(None, &[&[5, 0], grant], &asked, Seen::Open);
        let short = &grant[..grant.len() - 1];
        check(None, &[&[5, 0], short], &asked, Seen::Recv);
    }
}

#[test]
fn login_is_offered_and_made_only_with_credentials() {
    let grant: &[u8] = &[5, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    let asked = [HELLO_LOGIN, LOGIN, CONNECT];
    check(ME, &[&[5, 2], &[1, 0], grant], &asked, Seen::Open);
    check(ME, &[&[5, 0], grant], &[HELLO_LOGIN, CONNECT], Seen::Open);
    check(
        None,
        &[&[5, 2]],
        &[HELLO],
        Seen::Ended(Verdict::AuthRequired),
    );
    let anonymous = [HELLO_LOGIN, &[1, 1, b'u', 0]];
    check(Some(("u", "")), &[&[5, 2], &[1]], &anonymous, Seen::Recv);
}

#[test]
fn a_refused_login_is_auth_required() {
    let required = || Seen::Ended(Verdict::AuthRequired);
    for status in [1, 2, 0xFF] {
        check(
            ME,
            &[&[5, 2], &[1, status]],
            &[HELLO_LOGIN, LOGIN],
            required(),
        );
    }
    check(ME, &[&[5, 0xFF]], &[HELLO_LOGIN], required());
    check(None, &[&[5, 0xFF]], &[HELLO], required());
    check(None, &[&[5, 1]], &[HELLO], required());
}

#[test]
fn every_refusal_is_denied_at_its_code() {
    for code in 1..=255 {
        let denied = Seen::Ended(Verdict::Denied);
        check(None, &[&[5, 0], &[5, code]], &[HELLO, CONNECT], denied);
    }
}

#[test]
fn what_is_not_socks5_is_bad_protocol() {
    let bad = || Seen::Ended(Verdict::BadProtocol);
    check(
        None,
        &[b"HTTP/1.1 400 Bad Request\r\n\r\n"],
        &[HELLO],
        bad(),
    );
    check(None, &[&[4, 0]], &[HELLO], bad());
    check(None, &[&[5, 3]], &[HELLO], bad());
    check(None, &[&[5, 0x80]], &[HELLO], bad());
    check(ME, &[&[5, 2], &[5, 0]], &[HELLO_LOGIN, LOGIN], bad());
    check(None, &[&[5, 0], &[4, 0]], &[HELLO, CONNECT], bad());
    check(None, &[&[5, 0], &[5, 0, 0, 2]], &[HELLO, CONNECT], bad());
}

#[test]
fn an_answer_before_its_question_is_bad_protocol() {
    let questions = questions("http://a.example/");
    for early in [&[5, 0, 5][..], &[5, 0, 5, 0, 0, 1, 0, 0, 0, 0, 0, 0]] {
        let (mut socks, _) = Socks5::begin(&questions, None).unwrap();
        let progress = Seen::from(socks.received(&questions, early));
        assert_eq!(progress, Seen::Ended(Verdict::BadProtocol));
    }
}

#[test]
fn credentials_that_do_not_fit_are_not_sent() {
    let long = "x".repeat(256);
    for (user, password) in [(&*long, ""), ("", &*long)] {
        let begun = Socks5::begin(&questions("http://a/"), Some(&credentials(user, password)));
        assert_eq!(
            begun.err().map(|rule| rule.verdict()),
            Some(Verdict::AuthRequired)
        );
    }
}
