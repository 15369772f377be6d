//! Proxies behind TLS.

use super::tests::{ALIVE, TUNNEL, me};
use super::*;
use crate::policy::ProbePolicy;
use crate::tls::peer::{Authority, End, SecureProxy, Server};
use std::sync::Arc;

const WAY: Way = Way::Proxy(Protocol::Https);
const PLAIN: &str = "http://a.example/generate_204";
const SECURE: &str = "https://a.example/generate_204";

fn compiled(policy: ProbePolicy) -> Rc<Plan> {
    Rc::new(Plan::new(Arc::new(policy)))
}

/// How it ends with this proxy, whose wire bytes come in pieces of `piece` bytes: the stages that
/// were seen, the verdict, and all that was sent over the wire. If nobody has anything to say the
/// proxy closes its end of the wire.
fn talk(
    plan: &Rc<Plan>,
    proxy: &mut SecureProxy<'_>,
    piece: usize,
) -> (Vec<Stage>, Verdict, Vec<u8>) {
    let (mut conversation, mut step) = Conversation::begin(plan, 0, WAY, Some(&me()));
    let mut stages = vec![conversation.stage()];
    let mut wire = Vec::new();
    let mut coming = std::collections::VecDeque::new();
    loop {
        match step {
            Step::Ask(question) => {
                wire.extend_from_slice(&question);
                coming.extend(proxy.hear(&question));
            }
            Step::Recv => {}
            Step::Done(verdict) => return (stages, verdict, wire),
        }
        let next: Vec<u8> = coming.drain(..piece.min(coming.len())).collect();
        step = conversation.received(plan, &next);
        if stages.last() != Some(&conversation.stage()) {
            stages.push(conversation.stage());
        }
    }
}

const PIECES: [usize; 5] = [1, 7, 100, 1_000, usize::MAX];

/// The verdict on a proxy that answers `reply` to whatever it is asked first, however it is cut.
fn check(url: &str, reply: &[u8], end: End, expected: Verdict) {
    let authority = Authority::new();
    let plan = compiled(authority.policy(url));
    for piece in PIECES {
        for record in [None, Some(40)] {
            let script = |_: &[u8]| (reply.to_vec(), end);
            let mut proxy = SecureProxy::new(&authority, "proxy.example", record, script);
            let (_, verdict, _) = talk(&plan, &mut proxy, piece);
            assert_eq!(
                verdict, expected,
                "{reply:?} in {piece}, records {record:?}"
            );
        }
    }
}

#[test]
fn an_http_target_is_asked_for_inside() {
    check(PLAIN, ALIVE, End::Open, Verdict::Alive);
    check(
        PLAIN,
        b"HTTP/1.1 407 X\r\n\r\n",
        End::Open,
        Verdict::AuthRequired,
    );
    check(
        PLAIN,
        b"HTTP/1.1 200 X\r\n\r\n",
        End::Open,
        Verdict::OwnPage,
    );
    check(
        PLAIN,
        b"HTTP/1.1 502 X\r\n\r\n",
        End::Notified,
        Verdict::WrongStatus,
    );
    check(PLAIN, b"SSH-2.0-x\r\n", End::Open, Verdict::BadProtocol);
    check(PLAIN, b"HTTP/1.1 2", End::Open, Verdict::Closed);
    check(PLAIN, b"", End::Notified, Verdict::Closed);
}

#[test]
fn what_is_said_inside_is_not_seen_outside() {
    let authority = Authority::new();
    let plan = compiled(authority.policy(PLAIN));
    let script = |_: &[u8]| (ALIVE.to_vec(), End::Open);
    let mut proxy = SecureProxy::new(&authority, "proxy.example", None, script);
    let (stages, verdict, wire) = talk(&plan, &mut proxy, usize::MAX);
    assert_eq!(verdict, Verdict::Alive);
    assert_eq!(stages, [Stage::Handshake, Stage::Response]);
    let heard = String::from_utf8(proxy.heard).unwrap();
    assert!(heard.starts_with("GET http://a.example/generate_204 HTTP/1.1\r\n"));
    assert!(heard.ends_with("Proxy-Authorization: Basic bWU6c2VjcmV0\r\n\r\n"));
    let seen = |text: &[u8]| wire.windows(text.len()).any(|window| window == text);
    assert!(!seen(b"bWU6c2VjcmV0") && !seen(b"a.example"));
    // There is no name to show: a list has addresses.
    assert_eq!(proxy.tls.server_name(), None);
    assert_eq!(proxy.tls.alpn_protocol(), None);
}

#[test]
fn a_proxy_may_have_any_certificate() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let plan = compiled(authority.policy(PLAIN));
    for (authority, name) in [(&stranger, "x.example"), (&authority, "old.example")] {
        let script = |_: &[u8]| (ALIVE.to_vec(), End::Open);
        let mut proxy = SecureProxy::new(authority, name, None, script);
        assert_eq!(talk(&plan, &mut proxy, usize::MAX).1, Verdict::Alive);
    }
}

/// An https target through a proxy behind TLS, which says `reply` to CONNECT; the target's
/// certificate is for `name`.
fn talk_nested(
    reply: &[u8],
    name: &str,
    piece: usize,
    record: Option<usize>,
) -> (Vec<Stage>, Verdict) {
    let authority = Authority::new();
    let plan = compiled(authority.policy(SECURE));
    let mut server = Server::new(&authority, name, str::from_utf8(ALIVE).unwrap());
    let mut connected = false;
    let script = |said: &[u8]| {
        if connected {
            return (server.hear(said), End::Open);
        }
        assert!(said.starts_with(b"CONNECT a.example:443 HTTP/1.1\r\n"));
        assert!(said.ends_with(b"\r\nProxy-Authorization: Basic bWU6c2VjcmV0\r\n\r\n"));
        connected = true;
        (reply.to_vec(), End::Open)
    };
    let mut proxy = SecureProxy::new(&authority, "proxy.example", record, script);
    let (stages, verdict, _) = talk(&plan, &mut proxy, piece);
    (stages, verdict)
}

#[test]
fn an_https_target_has_its_own_tls_inside() {
    for piece in PIECES {
        for record in [None, Some(40)] {
            let (stages, verdict) = talk_nested(TUNNEL, "a.example", piece, record);
            assert_eq!(verdict, Verdict::Alive, "in {piece}, records {record:?}");
            assert_eq!(stages, [Stage::Handshake, Stage::Tls, Stage::Response]);
        }
    }
}

#[test]
fn inside_a_proxy_behind_tls_the_target_is_verified_as_ever() {
    for (reply, name, expected) in [
        (TUNNEL, "b.example", Verdict::TlsIntercepted),
        (
            b"HTTP/1.1 407 X\r\n\r\n",
            "a.example",
            Verdict::AuthRequired,
        ),
        (b"HTTP/1.1 403 X\r\n\r\n", "a.example", Verdict::Denied),
        (b"\x05\x00", "a.example", Verdict::BadProtocol),
    ] {
        for piece in PIECES {
            let (_, verdict) = talk_nested(reply, name, piece, None);
            assert_eq!(verdict, expected, "{reply:?} in {piece}");
        }
    }
}

#[test]
fn a_body_that_ends_with_the_stream_may_end_without_goodbye() {
    // The proxy could cut it anywhere, with a goodbye or without: the body must be proven anyway.
    let url = "http://a.example/";
    for end in [End::Open, End::Notified] {
        check(url, b"HTTP/1.1 200 OK\r\n\r\nhello", end, Verdict::Alive);
    }
}

#[test]
fn a_tunnel_that_speaks_first_is_no_tunnel() {
    let authority = Authority::new();
    let plan = compiled(authority.policy(SECURE));
    let early = [TUNNEL, b"\x16\x03\x03"].concat();
    let script = |_: &[u8]| (early.clone(), End::Open);
    // In records of one reply and one byte: what comes with the reply was not asked for.
    let mut proxy = SecureProxy::new(&authority, "proxy.example", Some(TUNNEL.len() + 22), script);
    assert_eq!(talk(&plan, &mut proxy, usize::MAX).1, Verdict::BadProtocol);
}

#[test]
fn what_is_no_tls_is_no_such_proxy() {
    let plan = compiled(Authority::new().policy(PLAIN));
    for (said, verdict) in [
        (
            &b"HTTP/1.1 400 Bad Request\r\n\r\n"[..],
            Verdict::BadProtocol,
        ),
        (b"\x05\xff", Verdict::BadProtocol),
        (b"\x15\x03\x03\x00\x02\x02\x28", Verdict::BadProtocol), // handshake_failure
        (b"", Verdict::Closed),
    ] {
        let (mut conversation, _) = Conversation::begin(&plan, 0, WAY, None);
        let mut step = Step::Recv;
        for piece in [said, &[]] {
            assert_eq!(conversation.stage(), Stage::Handshake);
            step = conversation.received(&plan, piece);
            if step != Step::Recv {
                break;
            }
        }
        assert_eq!(step, Step::Done(verdict), "{said:?}");
    }
}

#[test]
fn the_caps_hold_inside() {
    let flood = |lead: &[u8], length: usize| [lead, &vec![b'x'; length]].concat();
    let head = flood(b"HTTP/1.1 200 OK\r\nA: ", 20_000);
    check(PLAIN, &head, End::Open, Verdict::TooLarge);
    check(SECURE, &head, End::Open, Verdict::TooLarge);
    let body = flood(b"HTTP/1.1 200 OK\r\n\r\n", 100_001);
    check("http://a.example/", &body, End::Open, Verdict::TooLarge);
}

#[test]
fn records_that_carry_next_to_nothing_are_cut_off() {
    let authority = Authority::new();
    let plan = compiled(authority.policy("http://a.example/"));
    let script = |_: &[u8]| (b"HTTP/1.1 200 OK\r\n\r\n".to_vec(), End::Open);
    let mut proxy = SecureProxy::new(&authority, "proxy.example", None, script);
    let (mut conversation, mut step) = Conversation::begin(&plan, 0, WAY, None);
    let mut read = 0;
    loop {
        let said = match &step {
            Step::Ask(question) => proxy.hear(question),
            _ => {
                use std::io::Write;
                proxy.tls.writer().write_all(b"x").unwrap();
                proxy.hear(&[])
            }
        };
        read += said.len();
        step = conversation.received(&plan, &said);
        if let Step::Done(verdict) = step {
            assert_eq!(verdict, Verdict::TooLarge);
            break;
        }
    }
    assert!(read < 1_000_000, "{read} bytes were read");
}
