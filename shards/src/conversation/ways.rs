//! The way without a proxy, what is learnt on it, and what is expected then of proxies.

use super::tests::{ALIVE, GRANT4, GRANT5, PLAIN, TUNNEL};
use super::*;
use crate::policy::{PolicyOptions, ProbePolicy};
use crate::target::{Field, TargetOptions};
use crate::tls::peer::{Authority, Server};
use crate::verify::tests::splits;
use std::sync::Arc;

const PROXY: Way = Way::Proxy(Protocol::Http);

fn policy(change: impl FnOnce(&mut TargetOptions)) -> ProbePolicy {
    let mut target = TargetOptions::from("http://a.example/page");
    change(&mut target);
    ProbePolicy::new(PolicyOptions {
        targets: vec![target],
        ..PolicyOptions::default()
    })
    .unwrap()
}

fn compiled(policy: ProbePolicy) -> Rc<Plan> {
    Rc::new(Plan::new(Arc::new(policy)))
}

/// What was asked, how it ended and what was found, when the peer says `pieces`.
fn hold(plan: &Rc<Plan>, way: Way, pieces: &[&[u8]]) -> (Vec<Rc<[u8]>>, Option<Verdict>, Finding) {
    let (mut conversation, mut step) = Conversation::begin(plan, 0, way, None);
    let mut asked = Vec::new();
    let mut pieces = pieces.iter();
    loop {
        match step {
            Step::Ask(question) => asked.push(question),
            Step::Recv => {}
            Step::Done(verdict) => return (asked, Some(verdict), conversation.finding()),
        }
        match pieces.next() {
            Some(piece) => step = conversation.received(plan, piece),
            None => return (asked, None, conversation.finding()),
        }
    }
}

/// The verdict on `answer` on this `way`, and what was learnt, however it is split.
fn check(policy: &ProbePolicy, way: Way, answer: &str, verdict: Verdict, learnt: Option<Learnt>) {
    let plan = compiled(policy.clone());
    for pieces in splits(answer.as_bytes()) {
        let (_, ended, finding) = hold(&plan, way, &pieces);
        assert_eq!(ended, Some(verdict), "{way:?}: {answer:?} as {pieces:?}");
        assert_eq!(finding.learnt.as_deref(), learnt.as_ref(), "{answer:?}");
        assert_eq!(finding.exit, None);
    }
}

fn said(status: u16, content_type: Option<&str>) -> Option<Learnt> {
    Some(Learnt {
        status,
        content_type: content_type.map(Box::from),
    })
}

fn answer(status: u16, fields: &str) -> String {
    format!("HTTP/1.1 {status} X\r\n{fields}Content-Length: 0\r\n\r\n")
}

#[test]
fn without_a_proxy_the_target_is_asked_at_once() {
    let plan = compiled(policy(|_| {}));
    let (asked, verdict, _) = hold(&plan, Way::Direct, &[answer(200, "").as_bytes()]);
    assert_eq!((asked.len(), verdict), (1, Some(Verdict::Alive)));
    assert!(asked[0].starts_with(b"GET /page HTTP/1.1\r\nHost: a.example\r\n"));
    let (conversation, _) = Conversation::begin(&plan, 0, Way::Direct, None);
    assert_eq!(conversation.stage(), Stage::Response);
}

#[test]
fn what_the_target_says_without_a_proxy_is_told_whatever_the_verdict() {
    let generate_204 = policy(|target| target.url = PLAIN.into());
    let html = "Content-Type: Text/HTML; charset=utf-8\r\n";
    for (status, verdict) in [
        (204, Verdict::Alive),
        (200, Verdict::OwnPage),
        (302, Verdict::Redirected),
        (404, Verdict::WrongStatus),
        (503, Verdict::WrongStatus),
    ] {
        let learnt = said(status, Some("text/html"));
        let answer = answer(status, html);
        check(&generate_204, Way::Direct, &answer, verdict, learnt);
        check(&generate_204, PROXY, &answer, verdict, None);
    }
    let garbage = "SSH-2.0-x\r\n";
    check(
        &generate_204,
        Way::Direct,
        garbage,
        Verdict::BadProtocol,
        None,
    );
}

#[test]
fn while_nothing_is_learnt_any_success_is_alive_on_every_way() {
    for way in [Way::Direct, PROXY] {
        for (status, verdict) in [
            (200, Verdict::Alive),
            (204, Verdict::Alive),
            (206, Verdict::Alive),
            (301, Verdict::Redirected),
            (307, Verdict::Redirected),
            (407, Verdict::AuthRequired),
            (400, Verdict::WrongStatus),
            (502, Verdict::WrongStatus),
        ] {
            let learnt = said(status, None).filter(|_| way == Way::Direct);
            check(&policy(|_| {}), way, &answer(status, ""), verdict, learnt);
        }
    }
}

#[test]
fn what_was_learnt_is_expected_of_proxies_and_learnt_anew_without() {
    let known = policy(|_| {}).knowing(&[said(200, Some("text/html"))], &[]);
    let html = answer(200, "content-type: TEXT/html;charset=x\r\n");
    let json = answer(200, "Content-Type: application/json\r\n");
    for (answer, verdict) in [
        (&html, Verdict::Alive),
        (&json, Verdict::OwnPage),
        (&answer(200, ""), Verdict::OwnPage),
        (
            &answer(204, "Content-Type: text/html\r\n"),
            Verdict::OwnPage,
        ),
        (&answer(302, ""), Verdict::Redirected),
        (&answer(404, ""), Verdict::WrongStatus),
    ] {
        check(&known, PROXY, answer, verdict, None);
    }
    let learnt = said(200, Some("application/json"));
    check(&known, Way::Direct, &json, Verdict::Alive, learnt);
    let learnt = said(204, None);
    check(
        &known,
        Way::Direct,
        &answer(204, ""),
        Verdict::Alive,
        learnt,
    );
    let learnt = said(500, None);
    check(
        &known,
        Way::Direct,
        &answer(500, ""),
        Verdict::WrongStatus,
        learnt,
    );
    let untyped = policy(|_| {}).knowing(&[said(200, None)], &[]);
    check(&untyped, PROXY, &json, Verdict::Alive, None);
}

#[test]
fn a_field_that_is_expected_must_be_there() {
    let with = |value: Option<&str>| {
        policy(|target| {
            target.expect_header = Some(Field {
                name: "X-Origin".into(),
                value: value.map(Box::from),
            });
        })
    };
    for way in [Way::Direct, PROXY] {
        for (policy, fields, verdict) in [
            (
                with(Some("it is I")),
                "x-ORIGIN:   it is I \r\n",
                Verdict::Alive,
            ),
            (
                with(Some("it is I")),
                "X-Origin: it is\r\n",
                Verdict::OwnPage,
            ),
            (with(Some("it is I")), "", Verdict::OwnPage),
            (with(None), "X-Origin: whoever\r\n", Verdict::Alive),
            (with(None), "X-Origins: whoever\r\n", Verdict::OwnPage),
        ] {
            let learnt = said(200, None).filter(|_| way == Way::Direct);
            check(&policy, way, &answer(200, fields), verdict, learnt);
        }
    }
}

#[test]
fn each_target_has_its_own_cap() {
    let target = |name: &str, body_bytes_max| TargetOptions {
        name: name.into(),
        body_bytes_max,
        ..TargetOptions::from("http://a.example/")
    };
    let plan = compiled(
        ProbePolicy::new(PolicyOptions {
            targets: vec![target("small", 4), target("large", 5)],
            ..PolicyOptions::default()
        })
        .unwrap(),
    );
    let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
    for (place, verdict) in [Verdict::TooLarge, Verdict::Alive].into_iter().enumerate() {
        let (mut conversation, _) = Conversation::begin(&plan, place, PROXY, None);
        let step = conversation.received(&plan, answer);
        assert_eq!(step, Step::Done(verdict));
    }
}

#[test]
fn a_tunnel_to_an_http_target_is_asked_for_when_wanted() {
    let plan = compiled(policy(|target| {
        target.url = PLAIN.into();
        target.tunnel = true;
    }));
    let (asked, verdict, _) = hold(&plan, PROXY, &[TUNNEL, ALIVE]);
    assert_eq!((asked.len(), verdict), (2, Some(Verdict::Alive)));
    assert!(asked[0].starts_with(b"CONNECT a.example:80 HTTP/1.1\r\n"));
    assert!(asked[1].starts_with(b"GET /generate_204 HTTP/1.1\r\n"));
    let (_, verdict, _) = hold(&plan, PROXY, &[b"HTTP/1.1 405 No\r\n\r\n"]);
    assert_eq!(verdict, Some(Verdict::Denied));
    for (protocol, grants) in [
        (Protocol::Socks4, &[GRANT4, ALIVE][..]),
        (Protocol::Socks5, &[&[5, 0], GRANT5, ALIVE]),
    ] {
        let (asked, verdict, _) = hold(&plan, Way::Proxy(protocol), grants);
        assert_eq!((asked.len(), verdict), (grants.len(), Some(Verdict::Alive)));
    }
}

/// Without a proxy, TLS to a server with a certificate for `name`.
fn talk_directly(name: &str) -> (Vec<Stage>, Verdict, Finding) {
    let authority = Authority::new();
    let plan = compiled(authority.policy("https://a.example/generate_204"));
    let mut server = Server::new(&authority, name, str::from_utf8(ALIVE).unwrap());
    let (mut conversation, mut step) = Conversation::begin(&plan, 0, Way::Direct, None);
    let mut stages = vec![conversation.stage()];
    loop {
        let said = match &step {
            Step::Ask(question) => server.hear(question),
            Step::Recv => vec![],
            Step::Done(verdict) => return (stages, *verdict, conversation.finding()),
        };
        step = conversation.received(&plan, &said);
        stages.push(conversation.stage());
    }
}

#[test]
fn without_a_proxy_tls_is_verified_just_the_same() {
    let (stages, verdict, finding) = talk_directly("a.example");
    assert_eq!(verdict, Verdict::Alive);
    assert_eq!(stages[0], Stage::Tls);
    assert_eq!(stages.last(), Some(&Stage::Response));
    assert_eq!(finding.learnt.as_deref(), said(204, None).as_ref());
    let (_, verdict, finding) = talk_directly("b.example");
    assert_eq!(verdict, Verdict::TlsIntercepted);
    assert_eq!(finding, Finding::default());
}
