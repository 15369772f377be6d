//! A judge at the other end: it answers, a proxy imitates it, or changes what it says.

use super::tests::{GRANT4, GRANT5, TUNNEL};
use super::*;
use crate::judge::{Anonymity, page};
use crate::policy::{PolicyOptions, ProbePolicy};
use crate::target::{Secret, TargetOptions};
use crate::tls::peer::{Authority, Server};
use crate::verify::tests::splits;
use std::net::IpAddr;
use std::sync::Arc;

const EXIT: &str = "198.51.100.7";
const US: &str = "192.0.2.1";

fn secret() -> Secret {
    Secret::new(b"what only judge and probe know").unwrap()
}

fn plan(change: impl FnOnce(&mut TargetOptions)) -> Rc<Plan> {
    let mut target = TargetOptions {
        judge: Some(secret()),
        ..TargetOptions::from("http://j.example/judge")
    };
    change(&mut target);
    let policy = ProbePolicy::new(PolicyOptions {
        targets: vec![target],
        ..PolicyOptions::default()
    })
    .unwrap();
    let own: IpAddr = US.parse().unwrap();
    Rc::new(Plan::new(Arc::new(policy.knowing(&[], &[own]))))
}

/// The nonce in a request.
fn nonce_of(request: &[u8]) -> String {
    let text = str::from_utf8(request).unwrap();
    let (_, behind) = text.split_once("nonce=").unwrap();
    behind.split(' ').next().unwrap().into()
}

/// What the judge answers to `request`, with this `field` in it.
fn judge(request: &[u8], field: &[(&str, &[u8])]) -> String {
    let page = page(&secret(), &nonce_of(request), EXIT.parse().unwrap(), field);
    String::from_utf8(page).unwrap()
}

fn answered(status: u16, body: &str) -> String {
    format!(
        "HTTP/1.1 {status} X\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// How it ends if the peer opens the way by `grants` and answers the request so.
fn talk(
    plan: &Rc<Plan>,
    way: Way,
    grants: &[&[u8]],
    answer: impl Fn(&[u8]) -> String,
) -> (Verdict, Finding) {
    let mut seen = None;
    for count in 0..3 {
        let (mut conversation, mut step) = Conversation::begin(plan, 0, way, None);
        for grant in grants {
            step = conversation.received(plan, grant);
        }
        let Step::Ask(request) = step else {
            panic!("no request: {step:?}");
        };
        let answer = answer(&request);
        let splits = splits(answer.as_bytes());
        // In one piece, in two, and byte by byte.
        let pieces = &splits[[0, splits.len() / 2, splits.len() - 1][count]];
        let mut ended = None;
        for piece in pieces.iter().chain([&&[][..]]) {
            if let Step::Done(verdict) = conversation.received(plan, piece) {
                ended = Some((verdict, conversation.finding()));
                break;
            }
        }
        let ended = ended.expect("the end of the stream ends it");
        assert_eq!(*seen.get_or_insert(ended.clone()), ended, "{pieces:?}");
    }
    seen.unwrap()
}

#[test]
fn the_judge_tells_the_exit_on_every_way() {
    let exit = Some(Exit {
        ip: EXIT.parse().unwrap(),
        anonymity: Anonymity::Elite,
    });
    let plain = plan(|_| {});
    for (way, grants) in [
        (Way::Direct, &[][..]),
        (Way::Proxy(Protocol::Http), &[]),
        (Way::Proxy(Protocol::Socks4), &[GRANT4]),
        (Way::Proxy(Protocol::Socks5), &[&[5, 0], GRANT5]),
    ] {
        let answer = |request: &[u8]| answered(200, &judge(request, &[]));
        let (verdict, finding) = talk(&plain, way, grants, answer);
        assert_eq!((verdict, finding.exit), (Verdict::Alive, exit), "{way:?}");
        assert_eq!(finding.learnt.is_some(), way == Way::Direct);
    }
    let tunnelled = plan(|target| target.tunnel = true);
    let answer = |request: &[u8]| answered(200, &judge(request, &[]));
    let (verdict, finding) = talk(&tunnelled, Way::Proxy(Protocol::Http), &[TUNNEL], answer);
    assert_eq!((verdict, finding.exit), (Verdict::Alive, exit));
}

#[test]
fn no_nonce_is_asked_twice() {
    let plan = plan(|_| {});
    let mut seen: Vec<String> = (0..100)
        .map(|_| {
            let way = Way::Proxy(Protocol::Http);
            match Conversation::begin(&plan, 0, way, None).1 {
                Step::Ask(request) => nonce_of(&request),
                other => panic!("{other:?}"),
            }
        })
        .collect();
    let is_nonce =
        |nonce: &String| nonce.len() == NONCE_CHARS && nonce.bytes().all(|b| b.is_ascii_hexdigit());
    assert!(seen.iter().all(is_nonce), "{seen:?}");
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen.len(), 100);
}

/// The verdict on `answer` through an HTTP proxy.
fn check(answer: impl Fn(&[u8]) -> String, verdict: Verdict) {
    let (ended, finding) = talk(&plan(|_| {}), Way::Proxy(Protocol::Http), &[], answer);
    assert_eq!((ended, finding.exit), (verdict, None));
}

#[test]
fn a_page_that_was_changed_on_its_way_is_tampered_with() {
    let ads = "<script src=//ads.example></script></body>";
    check(
        |r| answered(200, &judge(r, &[]).replace("</body>", ads)),
        Verdict::Tampered,
    );
    check(
        |r| answered(200, &judge(r, &[]).replace(EXIT, "198.51.100.8")),
        Verdict::Tampered,
    );
    let long = "x".repeat(20_000);
    check(
        |r| answered(200, &format!("{}{long}", judge(r, &[]))),
        Verdict::Tampered,
    );
}

#[test]
fn what_is_no_page_of_the_judge_is_not_alive() {
    check(|_| answered(200, "<h1>Welcome</h1>"), Verdict::OwnPage);
    check(|_| answered(204, ""), Verdict::OwnPage);
    check(
        |r| answered(200, &String::from_utf8_lossy(r)),
        Verdict::OwnPage,
    );
    check(|_| answered(302, ""), Verdict::Redirected);
    check(|_| answered(407, ""), Verdict::AuthRequired);
    check(|r| answered(404, &judge(r, &[])), Verdict::WrongStatus);
    let kept = judge(
        b"GET /?nonce=00112233445566778899aabbccddeeff HTTP/1.1",
        &[],
    );
    check(|_| answered(200, &kept), Verdict::OwnPage);
    let page = |r: &[u8]| answered(200, &judge(r, &[]));
    check(|r| page(r)[..300].into(), Verdict::Closed);
    let long = "x".repeat(70_000);
    check(|_| answered(200, &long), Verdict::TooLarge);
}

#[test]
fn how_much_a_proxy_shows_is_found_by_our_own_address() {
    for (field, anonymity) in [
        (&[("via", &b"1.1 squid"[..])][..], Anonymity::Anonymous),
        (&[("x-forwarded-for", b"10.0.0.1")], Anonymity::Anonymous),
        (
            &[("x-forwarded-for", US.as_bytes())],
            Anonymity::Transparent,
        ),
    ] {
        let answer = |r: &[u8]| answered(200, &judge(r, field));
        let way = Way::Proxy(Protocol::Http);
        let (_, finding) = talk(&plan(|_| {}), way, &[], answer);
        assert_eq!(finding.exit.map(|exit| exit.anonymity), Some(anonymity));
    }
}

#[test]
fn a_page_in_chunks_is_the_same_page() {
    let plan = plan(|_| {});
    let answer = |request: &[u8]| {
        let page = judge(request, &[]);
        let (first, second) = page.split_at(100);
        format!(
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\
             64\r\n{first}\r\n{:x}\r\n{second}\r\n0\r\n\r\n",
            second.len()
        )
    };
    let (verdict, _) = talk(&plan, Way::Proxy(Protocol::Http), &[], answer);
    assert_eq!(verdict, Verdict::Alive);
}

#[test]
fn a_judge_behind_tls_is_asked_with_a_nonce_too() {
    let authority = Authority::new();
    let mut options = PolicyOptions {
        ca_pem: Some(authority.pem().into()),
        ..PolicyOptions::default()
    };
    options.targets = vec![TargetOptions {
        judge: Some(secret()),
        ..TargetOptions::from("https://j.example/judge")
    }];
    let plan = Rc::new(Plan::new(Arc::new(ProbePolicy::new(options).unwrap())));
    let page = answered(200, "<h1>Welcome</h1>");
    let mut server = Server::new(&authority, "j.example", &page);
    let (mut conversation, mut step) = Conversation::begin(&plan, 0, Way::Direct, None);
    while let Step::Ask(question) = &step {
        let said = server.hear(question);
        step = conversation.received(&plan, &said);
    }
    assert_eq!(step, Step::Done(Verdict::OwnPage));
    assert_eq!(nonce_of(&server.request).len(), NONCE_CHARS);
}
