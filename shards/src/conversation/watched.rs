//! What a watch is shown.

use super::tests::{ALIVE, GRANT5, PLAIN, SECURE, TUNNEL};
use super::*;
use crate::policy::{PolicyOptions, ProbePolicy};
use crate::tls::peer::{Authority, End, SecureProxy, Server};
use std::cell::RefCell;
use std::sync::Arc;

/// Keeps what it is shown, one line a note.
#[derive(Debug, Default)]
struct Notebook(RefCell<Vec<String>>);

impl Watch for Notebook {
    fn note(&self, note: Note<'_>) {
        let first = |bytes: &[u8]| {
            let line = bytes.split(|&byte| byte == b'\r').next().unwrap();
            line.escape_ascii().to_string()
        };
        self.0.borrow_mut().push(match note {
            Note::Sent(bytes) => format!("> {}", first(bytes)),
            Note::Received(bytes) => format!("< {}", first(bytes)),
            Note::Tls(terms) => format!("= {terms}"),
            Note::Rule(rule) => format!("! {rule}"),
        });
    }
}

/// What is noted when `peer` answers what it hears, and then closes.
fn noted(policy: ProbePolicy, way: Way, mut peer: impl FnMut(&[u8]) -> Vec<u8>) -> Vec<String> {
    let notebook = Rc::new(Notebook::default());
    let plan = Plan::new(Arc::new(policy)).watched(notebook.clone());
    let plan = Rc::new(plan);
    let (mut conversation, mut step) = Conversation::begin(&plan, 0, way, None);
    loop {
        let said = match &step {
            Step::Ask(question) => peer(question),
            Step::Recv => vec![],
            Step::Done(_) => break,
        };
        step = conversation.received(&plan, &said);
    }
    conversation.received(&plan, b"more");
    drop(plan);
    notebook.0.take()
}

fn policy(url: &str) -> ProbePolicy {
    ProbePolicy::new(PolicyOptions {
        targets: vec![url.into()],
        ..PolicyOptions::default()
    })
    .unwrap()
}

/// The one note on a plain conversation in which the peer says these `replies`.
fn check(url: &str, protocol: Protocol, replies: &[&[u8]], rule: &str) {
    let mut replies = replies.iter();
    let peer = |_: &[u8]| replies.next().map_or_else(Vec::new, |reply| reply.to_vec());
    let notes = noted(policy(url), Way::Proxy(protocol), peer);
    assert_eq!(notes, [format!("! {rule}")]);
}

#[test]
fn the_rule_that_decides_is_noted_once() {
    use Protocol::{Http, Socks4, Socks5};
    let other_page = b"HTTP/1.1 200 \x1b[31m\r\n\r\n";
    check(PLAIN, Http, &[other_page], "the head is not one of HTTP/1");
    check(
        PLAIN,
        Http,
        &[b"HTTP/1.1 200 OK\r\n\r\n"],
        "status 200, but 204 was expected: the answer is not the target's",
    );
    check(
        PLAIN,
        Http,
        &[ALIVE],
        "status 204 and all else that is expected: the target answered",
    );
    check(
        SECURE,
        Http,
        &[b"HTTP/1.1 403 No\r\n\r\n"],
        "CONNECT was answered 403: no tunnel",
    );
    check(
        PLAIN,
        Socks4,
        &[&[0, 91]],
        "SOCKS 4 reply 91: request rejected or failed",
    );
    check(
        PLAIN,
        Socks5,
        &[&[5, 0], &[5, 2]],
        "SOCKS 5 reply 2: connection not allowed by ruleset (RFC 1928, section 6)",
    );
    check(
        PLAIN,
        Socks5,
        &[&[5, 0], GRANT5],
        "the stream ended before the answer's head did",
    );
    check(
        "http://[2001:db8::1]/",
        Socks4,
        &[],
        "SOCKS 4 cannot name a target by its IPv6 address",
    );
}

#[test]
fn what_is_said_inside_tls_is_shown_and_so_is_tls() {
    let authority = Authority::new();
    let mut server = Server::new(&authority, "a.example", str::from_utf8(ALIVE).unwrap());
    let notes = noted(authority.policy(SECURE), Way::Direct, |said| {
        server.hear(said)
    });
    assert_eq!(
        notes,
        [
            "= TLSv1_3, TLS13_AES_128_GCM_SHA256, a full handshake",
            "> GET /generate_204 HTTP/1.1",
            "< HTTP/1.1 204 No Content",
            "! status 204 and all else that is expected: the target answered",
        ]
    );
}

#[test]
fn both_layers_of_tls_are_shown_readable() {
    let authority = Authority::new();
    let mut server = Server::new(&authority, "a.example", str::from_utf8(ALIVE).unwrap());
    let mut connected = false;
    let script = |said: &[u8]| match std::mem::replace(&mut connected, true) {
        true => (server.hear(said), End::Open),
        false => (TUNNEL.to_vec(), End::Open),
    };
    let mut proxy = SecureProxy::new(&authority, "proxy.example", None, script);
    let way = Way::Proxy(Protocol::Https);
    let notes = noted(authority.policy(SECURE), way, |said| proxy.hear(said));
    assert_eq!(
        notes,
        [
            "= TLSv1_3, TLS13_AES_128_GCM_SHA256, a full handshake",
            "> CONNECT a.example:443 HTTP/1.1",
            "< HTTP/1.1 200 Connection established",
            "= TLSv1_3, TLS13_AES_128_GCM_SHA256, a full handshake",
            "> GET /generate_204 HTTP/1.1",
            "< HTTP/1.1 204 No Content",
            "! status 204 and all else that is expected: the target answered",
        ]
    );
}

#[test]
fn why_a_certificate_does_not_verify_is_said_without_its_own_words() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    for (issuer, url, name, why) in [
        (
            &authority,
            SECURE,
            "b.example",
            "not valid for name a.example",
        ),
        (
            &stranger,
            SECURE,
            "a.example",
            "signed by another than the issuer that it names",
        ),
        (
            &authority,
            "https://old.example/generate_204",
            "old.example",
            "expired",
        ),
    ] {
        let mut server = Server::new(issuer, name, "");
        let notes = noted(authority.policy(url), Way::Direct, |said| server.hear(said));
        assert_eq!(notes, [format!("! certificate: {why}")]);
    }
}
