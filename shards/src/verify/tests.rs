//! Whole answers, in every split, and their verdicts.

use super::*;
use crate::Verdict;
use crate::policy::{PolicyOptions, ProbePolicy};
use crate::target::TargetOptions;
use sha2::{Digest, Sha256};

/// `bytes` in one piece, in every two, and byte by byte. For long ones, two pieces at every 97th.
pub(crate) fn splits(bytes: &[u8]) -> Vec<Vec<&[u8]>> {
    let step = if bytes.len() > 1_000 { 97 } else { 1 };
    let in_two = (1..bytes.len()).step_by(step).map(|at| {
        let (first, second) = bytes.split_at(at);
        vec![first, second]
    });
    let whole = if bytes.is_empty() {
        vec![]
    } else {
        vec![bytes]
    };
    let mut splits: Vec<_> = std::iter::once(whole).chain(in_two).collect();
    splits.push(bytes.chunks(1).collect());
    splits
}

fn proof(change: impl FnOnce(&mut PolicyOptions)) -> Proof {
    let mut options = PolicyOptions {
        targets: vec![TargetOptions {
            body_bytes_max: 100,
            ..TargetOptions::from("http://a.example/")
        }],
        ..PolicyOptions::default()
    };
    change(&mut options);
    let policy = ProbePolicy::new(options).unwrap();
    Proof::new(&policy, &policy.targets[0])
}

/// A proof for `status` and whatever body.
fn status(status: u16) -> Proof {
    proof(|o| o.targets[0].expect_status = Some(status))
}

/// The verdict of `reader` on `bytes` that came through a proxy.
fn received(reader: &mut Answer, proof: &Proof, bytes: &[u8]) -> Option<Verdict> {
    let mut trial = Trial { proof, aside: None };
    reader
        .received(&mut trial, bytes)
        .map(|rule| rule.verdict())
}

/// The verdict on `answer`, however it is split, while the connection stands.
fn check(proof: &Proof, answer: &str, expected: Option<Verdict>) {
    for pieces in splits(answer.as_bytes()) {
        let mut reader = Answer::default();
        let verdict = pieces
            .iter()
            .find_map(|piece| received(&mut reader, proof, piece));
        assert_eq!(verdict, expected, "{answer:?} as {pieces:?}");
    }
}

/// The verdict on `answer` once the peer has closed behind it, and none before.
fn check_closed(proof: &Proof, answer: &str, expected: Verdict) {
    check(proof, answer, None);
    let mut reader = Answer::default();
    if !answer.is_empty() {
        received(&mut reader, proof, answer.as_bytes());
    }
    let verdict = received(&mut reader, proof, &[]);
    assert_eq!(verdict, Some(expected), "{answer:?}");
}

#[test]
fn the_expected_answer_is_alive() {
    check(
        &status(204),
        "HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n",
        Some(Verdict::Alive),
    );
    check(&status(204), "HTTP/1.0 204 X\r\n\r\n", Some(Verdict::Alive));
    check(
        &status(200),
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
        Some(Verdict::Alive),
    );
    check(
        &status(404),
        "HTTP/1.1 404 X\r\nContent-Length: 0\r\n\r\n",
        Some(Verdict::Alive),
    );
    check(
        &status(304),
        "HTTP/1.1 304 X\r\nContent-Length: 999\r\n\r\n",
        Some(Verdict::Alive),
    );
    check(
        &status(302),
        "HTTP/1.1 302 X\r\nContent-Length: 0\r\n\r\n",
        Some(Verdict::Alive),
    );
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n";
    check(&status(200), chunked, Some(Verdict::Alive));
    check_closed(&status(200), "HTTP/1.1 200 OK\r\n\r\nhello", Verdict::Alive);
}

#[test]
fn a_status_that_decides_does_so_at_the_head() {
    for (code, verdict) in [
        (407, Verdict::AuthRequired),
        (200, Verdict::OwnPage),
        (226, Verdict::OwnPage),
        (301, Verdict::Redirected),
        (307, Verdict::Redirected),
        (101, Verdict::WrongStatus),
        (400, Verdict::WrongStatus),
        (403, Verdict::WrongStatus),
        (502, Verdict::WrongStatus),
        (999, Verdict::WrongStatus),
    ] {
        let answer = format!("HTTP/1.1 {code} X\r\nContent-Length: 999999\r\n\r\n");
        check(&status(204), &answer, Some(verdict));
    }
}

#[test]
fn an_answer_that_must_be_empty_and_is_not_is_the_proxys_own_page() {
    let page = "HTTP/1.1 204 Hm\r\nContent-Length: 5\r\n\r\n";
    check(&status(204), page, Some(Verdict::OwnPage));
    let mut empty = status(200);
    let proof::Compiled::Answer(expected) = &mut empty.demand else {
        panic!("a status is expected");
    };
    expected.empty_body = true;
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    check(&empty, &format!("{chunked}0\r\n\r\n"), Some(Verdict::Alive));
    check(&empty, &format!("{chunked}1\r\nx"), Some(Verdict::OwnPage));
    check(&empty, "HTTP/1.1 200 OK\r\n\r\nx", Some(Verdict::OwnPage));
    check_closed(&empty, "HTTP/1.1 200 OK\r\n\r\n", Verdict::Alive);
}

#[test]
fn an_expected_body_is_compared_whatever_its_framing() {
    let contains = proof(|o| o.targets[0].expect_body = Some(b"hello".to_vec()));
    let digest = Sha256::digest(b"hello").into();
    let sha256 = proof(|o| o.targets[0].expect_sha256 = Some(digest));
    for proof in [&contains, &sha256] {
        let plain = |body: &str| format!("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n{body}");
        check(proof, &plain("hello"), Some(Verdict::Alive));
        check(proof, &plain("hallo"), Some(Verdict::OwnPage));
        let chunked =
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n";
        check(proof, chunked, Some(Verdict::Alive));
        check_closed(proof, "HTTP/1.0 200 OK\r\n\r\nhello", Verdict::Alive);
        check_closed(proof, "HTTP/1.0 200 OK\r\n\r\nhell", Verdict::OwnPage);
        check(
            proof,
            "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
            Some(Verdict::OwnPage),
        );
    }
    check_closed(
        &contains,
        "HTTP/1.0 200 OK\r\n\r\nwell, hello there",
        Verdict::Alive,
    );
    check_closed(
        &sha256,
        "HTTP/1.0 200 OK\r\n\r\nwell, hello there",
        Verdict::OwnPage,
    );
}

#[test]
fn all_given_parts_of_an_expectation_must_hold() {
    let digest = Sha256::digest(b"hello").into();
    let both = proof(|o| {
        (o.targets[0].expect_body, o.targets[0].expect_sha256) =
            (Some(b"help".to_vec()), Some(digest))
    });
    check_closed(&both, "HTTP/1.0 200 OK\r\n\r\nhello", Verdict::OwnPage);
}

#[test]
fn a_body_is_read_up_to_its_cap_and_not_beyond() {
    let ok = status(200);
    let of = |n: usize| "x".repeat(n);
    check_closed(
        &ok,
        &format!("HTTP/1.1 200 OK\r\n\r\n{}", of(100)),
        Verdict::Alive,
    );
    check(
        &ok,
        &format!("HTTP/1.1 200 OK\r\n\r\n{}", of(101)),
        Some(Verdict::TooLarge),
    );
    let head = "HTTP/1.1 200 OK\r\nContent-Length: 101\r\n\r\n";
    check(&ok, head, Some(Verdict::TooLarge));
    let chunked = format!(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n65\r\n{}",
        of(101)
    );
    check(&ok, &chunked, Some(Verdict::TooLarge));
}

#[test]
fn a_closed_connection_ends_no_framed_answer() {
    for answer in [
        "",
        "HTT",
        "HTTP/1.1 200 OK\r\nA:",
        "HTTP/1.1 100 Continue\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n",
    ] {
        check_closed(&status(200), answer, Verdict::Closed);
    }
}

#[test]
fn faulty_framing_is_bad_protocol_where_the_body_matters() {
    let faulty = |status: u16| {
        format!("HTTP/1.1 {status} X\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n")
    };
    check(&status(200), &faulty(200), Some(Verdict::BadProtocol));
    check(&status(204), &faulty(204), Some(Verdict::BadProtocol));
    check(&status(204), &faulty(407), Some(Verdict::AuthRequired));
}

#[test]
fn what_stands_behind_the_answer_is_not_looked_at() {
    check(
        &status(204),
        "HTTP/1.1 204 X\r\n\r\n<script>",
        Some(Verdict::Alive),
    );
    check(
        &status(200),
        "HTTP/1.1 200 X\r\nContent-Length: 1\r\n\r\nabc",
        Some(Verdict::Alive),
    );
}
