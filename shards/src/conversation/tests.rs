//! Whole conversations: what is asked, what is answered, how it ends.

use super::*;
use crate::policy::{Mode, PolicyOptions, ProbePolicy};
use crate::tls::peer::{Authority, Server};
use crate::verify::tests::splits;
use std::sync::Arc;

pub(super) const PLAIN: &str = "http://a.example/generate_204";
pub(super) const SECURE: &str = "https://a.example/generate_204";
pub(super) const ALIVE: &[u8] = b"HTTP/1.1 204 No Content\r\n\r\n";
pub(super) const GRANT4: &[u8] = &[0, 90, 0, 0, 0, 0, 0, 0];
pub(super) const GRANT5: &[u8] = &[5, 0, 0, 1, 0, 0, 0, 0, 0, 0];
pub(super) const TUNNEL: &[u8] = b"HTTP/1.1 200 Connection established\r\n\r\n";

pub(super) fn plan(url: &str) -> Rc<Plan> {
    let options = PolicyOptions {
        mode: Mode::FullHttp,
        targets: vec![url.into()],
        ..PolicyOptions::default()
    };
    Rc::new(Plan::new(Arc::new(ProbePolicy::new(options).unwrap())))
}

pub(super) fn me() -> Credentials {
    Credentials {
        user: "me".into(),
        password: "secret".into(),
    }
}

/// What was asked, and how it ended if it did, when the peer says `pieces` and nothing else.
pub(super) fn hold(
    plan: &Rc<Plan>,
    protocol: Protocol,
    login: Option<&Credentials>,
    pieces: &[&[u8]],
) -> (Vec<Rc<[u8]>>, Option<Verdict>) {
    hold_on(plan, Way::Proxy(protocol), login, pieces)
}

/// The same on any way.
pub(super) fn hold_on(
    plan: &Rc<Plan>,
    way: Way,
    login: Option<&Credentials>,
    pieces: &[&[u8]],
) -> (Vec<Rc<[u8]>>, Option<Verdict>) {
    let (mut conversation, first) = Conversation::begin(plan, 0, way, login);
    let mut asked = Vec::new();
    let mut steps = pieces.iter();
    let mut step = first;
    loop {
        match step {
            Step::Ask(question) => asked.push(question),
            Step::Recv => {}
            Step::Done(verdict) => return (asked, Some(verdict)),
        }
        match steps.next() {
            Some(piece) => step = conversation.received(plan, piece),
            None => return (asked, None),
        }
    }
}

/// The peer gives `replies`, one to each question. However each is split, the questions and the
/// verdict are the same.
fn check(url: &str, protocol: Protocol, replies: &[&[u8]], verdict: Option<Verdict>) {
    let plan = plan(url);
    let login = me();
    for login in [None, Some(&login)] {
        let whole = hold(&plan, protocol, login, replies);
        assert_eq!(whole.1, verdict, "{protocol:?} {replies:?}");
        for (index, reply) in replies.iter().enumerate() {
            for split in splits(reply) {
                let pieces = [&replies[..index], &split, &replies[index + 1..]].concat();
                assert_eq!(hold(&plan, protocol, login, &pieces), whole, "{pieces:?}");
            }
        }
    }
}

#[test]
fn the_target_answers_through_every_protocol() {
    check(PLAIN, Protocol::Http, &[ALIVE], Some(Verdict::Alive));
    check(
        PLAIN,
        Protocol::Socks4,
        &[GRANT4, ALIVE],
        Some(Verdict::Alive),
    );
    check(
        PLAIN,
        Protocol::Socks5,
        &[&[5, 0], GRANT5, ALIVE],
        Some(Verdict::Alive),
    );
}

#[test]
fn a_login_is_a_question_of_its_own() {
    let replies: [&[u8]; 4] = [&[5, 2], &[1, 0], GRANT5, ALIVE];
    let (asked, verdict) = hold(&plan(PLAIN), Protocol::Socks5, Some(&me()), &replies);
    assert_eq!((asked.len(), verdict), (4, Some(Verdict::Alive)));
    assert_eq!(&*asked[1], b"\x01\x02me\x06secret");
    assert!(asked[3].starts_with(b"GET /generate_204 HTTP/1.1\r\nHost: a.example\r\n"));
}

#[test]
fn a_refusal_ends_the_conversation() {
    check(
        PLAIN,
        Protocol::Http,
        &[b"HTTP/1.1 407 X\r\n\r\n"],
        Some(Verdict::AuthRequired),
    );
    check(
        SECURE,
        Protocol::Http,
        &[b"HTTP/1.1 407 X\r\n\r\n"],
        Some(Verdict::AuthRequired),
    );
    check(
        SECURE,
        Protocol::Http,
        &[b"HTTP/1.1 403 X\r\n\r\n"],
        Some(Verdict::Denied),
    );
    check(PLAIN, Protocol::Socks4, &[&[0, 91]], Some(Verdict::Denied));
    check(
        PLAIN,
        Protocol::Socks5,
        &[&[5, 0], &[5, 5]],
        Some(Verdict::Denied),
    );
}

#[test]
fn a_peer_that_closes_in_mid_reply_is_closed() {
    for (url, protocol, replies) in [
        (PLAIN, Protocol::Http, &[&ALIVE[..9], &[]][..]),
        (SECURE, Protocol::Http, &[&TUNNEL[..9], &[]]),
        (SECURE, Protocol::Http, &[TUNNEL, &[]]),
        (PLAIN, Protocol::Socks4, &[&GRANT4[..2], &[]]),
        (PLAIN, Protocol::Socks4, &[GRANT4, &[]]),
        (PLAIN, Protocol::Socks5, &[&[5], &[]]),
        (PLAIN, Protocol::Socks5, &[&[5, 0], &GRANT5[..5], &[]]),
    ] {
        let (_, verdict) = hold(&plan(url), protocol, None, replies);
        assert_eq!(verdict, Some(Verdict::Closed), "{protocol:?} {replies:?}");
    }
    for protocol in Protocol::ALL {
        let (_, verdict) = hold(&plan(PLAIN), protocol, None, &[&[]]);
        assert_eq!(verdict, Some(Verdict::Closed), "{protocol:?}");
    }
}

#[test]
fn another_protocol_is_bad_protocol() {
    let page: &[u8] = b"HTTP/1.1 400 Bad Request\r\n\r\n";
    let bad = Some(Verdict::BadProtocol);
    check(PLAIN, Protocol::Socks4, &[page], bad);
    check(PLAIN, Protocol::Socks5, &[page], bad);
    check(PLAIN, Protocol::Http, &[&[5, 0xFF]], bad);
    check(SECURE, Protocol::Http, &[b"SSH-2.0-x\r\n"], bad);
}

#[test]
fn socks4_says_nothing_of_a_target_it_cannot_name() {
    let plan = plan("http://[2001:db8::1]/");
    let (mut conversation, step) =
        Conversation::begin(&plan, 0, Way::Proxy(Protocol::Socks4), None);
    assert_eq!(step, Step::Done(Verdict::Denied));
    assert_eq!(
        conversation.received(&plan, ALIVE),
        Step::Done(Verdict::Denied)
    );
}

#[test]
fn after_the_verdict_there_is_only_the_verdict() {
    let plan = plan(PLAIN);
    let (mut conversation, _) = Conversation::begin(&plan, 0, Way::Proxy(Protocol::Http), None);
    for bytes in [ALIVE, b"HTTP/1.1 500 X\r\n\r\n", b"", b"x"] {
        assert_eq!(
            conversation.received(&plan, bytes),
            Step::Done(Verdict::Alive)
        );
    }
}

#[test]
fn the_stage_follows_the_conversation() {
    let plan = plan(PLAIN);
    let (conversation, _) = Conversation::begin(&plan, 0, Way::Proxy(Protocol::Http), None);
    assert_eq!(conversation.stage(), Stage::Response);
    let (mut conversation, _) = Conversation::begin(&plan, 0, Way::Proxy(Protocol::Socks4), None);
    assert_eq!(conversation.stage(), Stage::Handshake);
    conversation.received(&plan, GRANT4);
    assert_eq!(conversation.stage(), Stage::Response);
}

/// Tunnel and TLS through `protocol`: the stages that were seen, and the verdict.
fn talk_tls(protocol: Protocol, replies: &[&[u8]], certificate: &str) -> (Vec<Stage>, Verdict) {
    let authority = Authority::new();
    let plan = Rc::new(Plan::new(Arc::new(authority.policy(SECURE))));
    let mut server = Server::new(&authority, certificate, str::from_utf8(ALIVE).unwrap());
    let mut replies = replies.iter();
    let (mut conversation, mut step) = Conversation::begin(&plan, 0, Way::Proxy(protocol), None);
    let mut stages = vec![conversation.stage()];
    loop {
        let said = match &step {
            Step::Ask(question) => match replies.next() {
                Some(reply) => reply.to_vec(),
                None => server.hear(question),
            },
            Step::Recv => vec![],
            Step::Done(verdict) => return (stages, *verdict),
        };
        step = conversation.received(&plan, &said);
        stages.push(conversation.stage());
    }
}

#[test]
fn tls_goes_through_every_protocol() {
    for (protocol, replies) in [
        (Protocol::Http, &[TUNNEL][..]),
        (Protocol::Socks4, &[GRANT4]),
        (Protocol::Socks5, &[&[5, 0], GRANT5]),
    ] {
        let (stages, verdict) = talk_tls(protocol, replies, "a.example");
        assert_eq!(verdict, Verdict::Alive);
        let handshakes = stages
            .iter()
            .take_while(|stage| **stage == Stage::Handshake)
            .count();
        assert_eq!(handshakes, replies.len(), "{protocol:?}: {stages:?}");
        assert_eq!(stages[handshakes], Stage::Tls, "{protocol:?}: {stages:?}");
        assert_eq!(stages.last(), Some(&Stage::Response));
        let (_, verdict) = talk_tls(protocol, replies, "b.example");
        assert_eq!(verdict, Verdict::TlsIntercepted);
    }
}

#[test]
fn a_lane_has_room_for_a_conversation() {
    assert!(
        size_of::<Conversation>() <= 64,
        "{}",
        size_of::<Conversation>()
    );
}

#[test]
fn without_credentials_the_questions_are_the_plans_own() {
    let plan = plan(PLAIN);
    let (asked, _) = hold(&plan, Protocol::Http, None, &[ALIVE]);
    assert!(Rc::ptr_eq(
        &asked[0],
        plan.targets[0].absolute_form.shared()
    ));
    let (asked, _) = hold(&plan, Protocol::Socks5, None, &[&[5, 0], GRANT5, ALIVE]);
    assert!(Rc::ptr_eq(&asked[2], plan.targets[0].origin_form.shared()));
}

#[test]
fn debug_shows_neither_credentials_nor_what_was_sent() {
    let plan = plan(PLAIN);
    for protocol in Protocol::ALL {
        let begun = Conversation::begin(&plan, 0, Way::Proxy(protocol), Some(&me()));
        let text = format!("{begun:?} {plan:?}");
        assert!(
            !text.contains("secret") && !text.contains("bWU6c2VjcmV0"),
            "{text}"
        );
        assert!(text.contains("Ask(") && !text.contains("[5, "), "{text}");
    }
}

#[test]
fn a_target_that_the_plan_does_not_have_is_our_own_fault() {
    let plan = plan(PLAIN);
    for target in [1, 8, 256, usize::MAX] {
        let (mut conversation, step) = Conversation::begin(&plan, target, Way::Direct, None);
        assert_eq!(step, Step::Done(Verdict::LocalFault));
        let step = conversation.received(&plan, ALIVE);
        assert_eq!(step, Step::Done(Verdict::LocalFault));
    }
}
