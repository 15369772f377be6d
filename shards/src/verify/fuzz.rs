//! Answers of any kind: how an answer is cut changes nothing, what was framed is put together again,
//! and what is not the target's answer is never alive.
//!
//! Input: framing, size of the pieces (a byte each), a place (two bytes), a change (a byte), and the
//! rest. That is the answer as it stands, and the body of an answer that is framed here.

use super::{Answer, Aside, Proof, Trial};
use crate::Verdict;
use crate::fuzz::Input;
use crate::judge::{NONCE_CHARS, PAGE_BYTES_MAX};
use crate::policy::{PolicyOptions, ProbePolicy};
use crate::target::{Demand, Expectation, Field, Secret, Target};
use sha2::{Digest, Sha256};
use std::rc::Rc;

/// Longest text of a rule, in bytes.
const RULE_BYTES_MAX: usize = 300;
/// What some of the demands want the body to be.
const BODY: &[u8] = b"hello, proxy";

thread_local! {
    static POLICY: ProbePolicy = ProbePolicy::new(PolicyOptions {
        targets: vec!["http://target.test/".into()],
        ..PolicyOptions::default()
    })
    .expect("a valid policy");
    static DEMANDS: Vec<Wanted> = POLICY.with(demands);
}

/// A demand, and what an answer that meets it has at least.
struct Wanted {
    proof: Proof,
    status: Option<&'static [u8]>,
    body: &'static [u8],
    judged: bool,
}

fn demands(policy: &ProbePolicy) -> Vec<Wanted> {
    let answer = |status: Option<&'static [u8]>, body, expectation| Wanted {
        proof: proof(policy, Demand::Answer(expectation)),
        status,
        body,
        judged: false,
    };
    let ok = || Expectation {
        status: 200,
        ..Expectation::default()
    };
    let of = |demand, judged| Wanted {
        proof: proof(policy, demand),
        status: None,
        body: b"",
        judged,
    };
    let secret = Secret::new(&[7; Secret::BYTES_MIN]).expect("it is long enough");
    vec![
        answer(
            Some(b" 204"),
            b"",
            Expectation {
                status: 204,
                empty_body: true,
                ..Expectation::default()
            },
        ),
        answer(
            Some(b" 200"),
            BODY,
            Expectation {
                body_contains: Some(BODY.into()),
                ..ok()
            },
        ),
        answer(
            Some(b" 200"),
            BODY,
            Expectation {
                body_sha256: Some(Sha256::digest(BODY).into()),
                ..ok()
            },
        ),
        answer(
            Some(b" 200"),
            b"b",
            Expectation {
                header: Some(Field {
                    name: "x-a".into(),
                    value: Some("b".into()),
                }),
                ..ok()
            },
        ),
        answer(
            Some(b" 200"),
            b"/",
            Expectation {
                content_type: Some("text/html".into()),
                learnt: true,
                ..ok()
            },
        ),
        of(Demand::Learn, false),
        of(Demand::Judge(secret), true),
    ]
}

fn proof(policy: &ProbePolicy, demand: Demand) -> Proof {
    let target = Target {
        demand,
        ..policy.targets[0].clone()
    };
    Proof::new(policy, &target)
}

pub(crate) fn answer(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let (framing, size) = (input.byte(), 1 + usize::from(input.byte()));
    let (at, change) = (input.place(), input.byte());
    let rest = input.rest();
    DEMANDS.with(|demands| {
        for wanted in demands {
            as_it_stands(wanted, rest, size);
        }
    });
    POLICY.with(|policy| framed(policy, framing, size, rest, (at, change)));
}

/// The answer is `bytes`.
fn as_it_stands(wanted: &Wanted, bytes: &[u8], size: usize) {
    let whole = verdict(wanted, bytes, bytes.len().max(1));
    for size in [size, 1] {
        assert_eq!(verdict(wanted, bytes, size), whole, "by {size}");
    }
    if whole != Verdict::Alive {
        return;
    }
    assert!(!wanted.judged, "alive without the judge's seal");
    let status = wanted.status.unwrap_or(b" 2");
    assert!(bytes.starts_with(b"HTTP/1."), "alive without a head");
    let has_status = bytes.windows(status.len()).any(|part| part == status);
    assert!(has_status, "alive with another status");
    let mut rest = bytes.iter();
    let has = |byte: &u8| rest.any(|other| other == byte);
    assert!(wanted.body.iter().all(has), "alive with another body");
}

/// The verdict on `bytes` in pieces of `size`, with the end of the stream behind them.
fn verdict(wanted: &Wanted, bytes: &[u8], size: usize) -> Verdict {
    let nonce = [b'0'; NONCE_CHARS];
    let mut aside = wanted
        .judged
        .then(|| Aside::new(false, nonce, Rc::from(&b""[..])));
    let mut answer = Answer::default();
    for piece in bytes.chunks(size).chain([&b""[..]]) {
        let mut trial = Trial {
            proof: &wanted.proof,
            aside: aside.as_mut(),
        };
        let ended = answer.received(&mut trial, piece);
        let page = aside.as_ref().map_or(0, |aside| aside.page.len());
        assert!(page <= PAGE_BYTES_MAX, "{page} bytes of a page are kept");
        if let Some(rule) = ended {
            let text = rule.to_string();
            let is_plain = text.bytes().all(|byte| (b' '..=b'~').contains(&byte));
            assert!(is_plain && text.len() <= RULE_BYTES_MAX, "{text:?}");
            return rule.verdict();
        }
    }
    panic!("the end of the stream does not end the answer");
}

/// `body` as the body of an answer, framed in one of three ways: it is known for what it is, and
/// changed in one byte for another. What it must contain is found where it is, and nowhere else.
fn framed(policy: &ProbePolicy, framing: u8, size: usize, body: &[u8], (at, change): (usize, u8)) {
    let mut other = body.to_vec();
    let place = at.checked_rem(body.len()).unwrap_or(0);
    if let Some(byte) = other.get_mut(place) {
        *byte ^= change;
    }
    let part = &body[place..body.len().min(place + 1 + usize::from(framing / 3))];
    let demand = |expectation: Expectation| Wanted {
        proof: proof(policy, Demand::Answer(expectation)),
        status: None,
        body: b"",
        judged: false,
    };
    let ok = || Expectation {
        status: 200,
        ..Expectation::default()
    };
    let whole = demand(Expectation {
        body_sha256: Some(Sha256::digest(body).into()),
        ..ok()
    });
    for content in [body, &other] {
        let answer = answer_with(content, framing, size);
        let expected = match content == body {
            true => Verdict::Alive,
            false => Verdict::OwnPage,
        };
        for size in [answer.len(), size] {
            assert_eq!(verdict(&whole, &answer, size), expected, "by {size}");
        }
        if part.is_empty() {
            continue;
        }
        let contains = demand(Expectation {
            body_contains: Some(part.into()),
            ..ok()
        });
        let expected = match content.windows(part.len()).any(|window| window == part) {
            true => Verdict::Alive,
            false => Verdict::OwnPage,
        };
        assert_eq!(verdict(&contains, &answer, size), expected, "{part:?}");
    }
}

/// An answer with `body`, by its length, in chunks of `size`, or up to the end of the stream.
fn answer_with(body: &[u8], framing: u8, size: usize) -> Vec<u8> {
    let head: &[u8] = b"HTTP/1.1 200 OK\r\n";
    let length = format!("Content-Length: {}\r\n\r\n", body.len());
    match framing % 3 {
        0 => [head, length.as_bytes(), body].concat(),
        1 => [head, b"\r\n", body].concat(),
        _ => {
            let mut answer = [head, b"Transfer-Encoding: chunked\r\n\r\n"].concat();
            for chunk in body.chunks(size) {
                answer.extend(format!("{:x};x\r\n", chunk.len()).bytes());
                answer.extend([chunk, b"\r\n"].concat());
            }
            answer.extend(b"0\r\nA: b\r\n\r\n");
            answer
        }
    }
}
