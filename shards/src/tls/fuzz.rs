//! A real server behind TLS, and someone in between who changes what it says: whoever cuts, changes
//! or leaves out bytes of the wire, nothing is alive that would not be if the answer came in the clear.
//!
//! Input: way and server (a byte), size of the pieces (a byte), changes of the wire until a zero
//! (how, which flight, place, byte), and the server's answer.

use crate::conversation::{Conversation, Plan, Step, Way};
use crate::fuzz::Input;
use crate::policy::{PolicyOptions, ProbePolicy};
use crate::target::TargetOptions;
use crate::{Protocol, Verdict};
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection, SupportedProtocolVersion, version};
use std::collections::VecDeque;
use std::io::{Read, Write};
use std::rc::Rc;
use std::sync::Arc;

/// An authority, a certificate of its for `target.test` with its key, all valid until 2126; nobody
/// but this file trusts them.
const AUTHORITY: &[u8] = include_bytes!("testdata/authority.pem");
const CERTIFICATE: &[u8] = include_bytes!("testdata/target.der");
const KEY: &[u8] = include_bytes!("testdata/target.key.der");

/// Targets of the plan.
const SECURE: usize = 0;
const PLAIN: usize = 1;

/// Most changes of the wire.
const CHANGES_MAX: usize = 16;

struct Stage {
    plan: Rc<Plan>,
    /// By their versions and the longest of their records.
    servers: [Arc<ServerConfig>; 4],
}

thread_local! {
    static STAGE: Stage = stage();
}

fn stage() -> Stage {
    let target = |name: &str, url: &str| TargetOptions {
        name: name.into(),
        ..url.into()
    };
    let options = PolicyOptions {
        targets: vec![
            target("secure", "https://target.test/generate_204"),
            target("plain", "http://target.test/generate_204"),
        ],
        ca_pem: Some(AUTHORITY.to_vec()),
        ..PolicyOptions::default()
    };
    let policy = ProbePolicy::new(options);
    let plan = Plan::new(Arc::new(policy.expect("a valid policy")));
    Stage {
        plan: Rc::new(plan),
        servers: [
            server(&[&version::TLS13], None),
            server(&[&version::TLS13], Some(64)),
            server(&[&version::TLS12], None),
            server(&[&version::TLS12], Some(64)),
        ],
    }
}

fn server(
    versions: &[&'static SupportedProtocolVersion],
    record_bytes_max: Option<usize>,
) -> Arc<ServerConfig> {
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(KEY));
    let chain = vec![CertificateDer::from(CERTIFICATE)];
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(versions)
        .and_then(|config| config.with_no_client_auth().with_single_cert(chain, key))
        .expect("a certificate and its key");
    config.max_fragment_size = record_bytes_max;
    Arc::new(config)
}

pub(crate) fn tls(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let kind = input.byte();
    let size = 1 + 8 * usize::from(input.byte());
    let changes = changes(&mut input);
    let answer = input.rest();
    STAGE.with(|stage| {
        let plan = &stage.plan;
        let (way, target) = match kind % 3 {
            0 => (Way::Direct, SECURE),
            1 => (Way::Proxy(Protocol::Http), SECURE),
            _ => (Way::Proxy(Protocol::Https), PLAIN),
        };
        let config = Arc::clone(&stage.servers[usize::from(kind / 3) % stage.servers.len()]);
        let peer = Peer::new(config, answer, kind & 0x80 != 0);
        let (secure, is_changed) = converse(plan, way, target, peer, &changes, size);
        let clear = in_the_clear(plan, answer);
        assert_ne!(secure, Verdict::LocalFault);
        if secure == Verdict::Alive {
            assert_eq!(clear, Verdict::Alive, "TLS made it alive");
        } else if !is_changed {
            assert_ne!(clear, Verdict::Alive, "{secure:?} because of TLS");
        }
    });
}

/// The verdict, if the answer comes without TLS.
fn in_the_clear(plan: &Rc<Plan>, answer: &[u8]) -> Verdict {
    let (mut conversation, _) = Conversation::begin(plan, PLAIN, Way::Direct, None);
    let pieces = [answer, b""];
    for piece in &pieces[usize::from(answer.is_empty())..] {
        if let Step::Done(verdict) = conversation.received(plan, piece) {
            return verdict;
        }
    }
    panic!("the end of the stream does not end it");
}

/// A change of what one flight carries.
struct Change {
    how: u8,
    flight: u8,
    at: usize,
    byte: u8,
}

fn changes(input: &mut Input<'_>) -> Vec<Change> {
    let mut changes = Vec::new();
    while changes.len() < CHANGES_MAX {
        let how = input.byte();
        if how == 0 {
            break;
        }
        changes.push(Change {
            how,
            flight: input.byte() % 8,
            at: input.place(),
            byte: input.byte(),
        });
    }
    changes
}

impl Change {
    fn make(&self, wire: &mut Vec<u8>) {
        let at = self.at % (wire.len() + 1);
        match self.how % 5 {
            0 => wire.truncate(at),
            1 if at < wire.len() => wire[at] ^= self.byte,
            2 if at < wire.len() => drop(wire.remove(at)),
            3 => drop(wire.drain(..at)),
            _ => wire.insert(at, self.byte),
        }
    }
}

/// Holds the conversation with `peer`, in pieces of `size`: its verdict, and whether anything was
/// changed on the way.
fn converse(
    plan: &Rc<Plan>,
    way: Way,
    target: usize,
    mut peer: Peer<'_>,
    changes: &[Change],
    size: usize,
) -> (Verdict, bool) {
    let (mut conversation, mut step) = Conversation::begin(plan, target, way, None);
    let (mut wire, mut flight, mut is_changed) = (VecDeque::new(), 0, false);
    loop {
        match &step {
            Step::Done(verdict) => return (*verdict, is_changed),
            Step::Recv => {}
            Step::Ask(question) => {
                let said = peer.hear(question);
                let mut carried = said.clone();
                let here = changes.iter().filter(|change| change.flight == flight);
                here.for_each(|change| change.make(&mut carried));
                is_changed |= carried != said;
                wire.extend(carried);
                flight = flight.saturating_add(1);
            }
        }
        let length = wire.len().min(size);
        let piece: Vec<u8> = wire.drain(..length).collect();
        // An empty one is the end of the stream: nothing more was said.
        step = conversation.received(plan, &piece);
        let is_over = matches!(step, Step::Done(_));
        assert!(!piece.is_empty() || is_over, "{step:?} behind the end");
    }
}

/// The server, and the proxy before it if it is asked for a tunnel.
struct Peer<'a> {
    tls: ServerConnection,
    request: Vec<u8>,
    answer: Option<&'a [u8]>,
    closes: bool,
}

impl<'a> Peer<'a> {
    fn new(config: Arc<ServerConfig>, answer: &'a [u8], closes: bool) -> Peer<'a> {
        let mut tls = ServerConnection::new(config).expect("a server");
        tls.set_buffer_limit(None);
        Peer {
            tls,
            request: Vec::new(),
            answer: Some(answer),
            closes,
        }
    }

    /// What comes back to what was said.
    fn hear(&mut self, mut wire: &[u8]) -> Vec<u8> {
        if wire.starts_with(b"CONNECT ") {
            return b"HTTP/1.1 200 OK\r\n\r\n".to_vec();
        }
        let mut said = Vec::new();
        while !wire.is_empty() {
            let taken = self.tls.read_tls(&mut wire);
            if taken.is_err() || self.tls.process_new_packets().is_err() {
                break;
            }
            // It fails when there is nothing more, with what there was already read.
            let _ = self.tls.reader().read_to_end(&mut self.request);
        }
        if self.request.ends_with(b"\r\n\r\n")
            && let Some(answer) = self.answer.take()
        {
            self.tls.writer().write_all(answer).expect("no limit");
            if self.closes {
                self.tls.send_close_notify();
            }
        }
        while self.tls.wants_write() {
            self.tls.write_tls(&mut said).expect("a Vec takes it");
        }
        said
    }
}
