//! The client in memory: rustls with its own buffers, or the engine's conversation through an HTTP
//! proxy, whose CONNECT is answered at once.

use super::server::NAME;
use super::{Error, plain};
use proxy_shards::conversation::{Conversation, Plan, Step, Way};
use proxy_shards::policy::PolicyOptions;
use proxy_shards::target::TargetOptions;
use proxy_shards::{ProbePolicy, Protocol, Verdict};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection};
use std::io::{Read, Write};
use std::rc::Rc;
use std::sync::Arc;

/// Whose code it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Kind {
    /// rustls as it is, told to ask for a page.
    Rustls,
    /// The engine's conversation.
    Engine,
}

impl Kind {
    /// Each.
    pub const ALL: [Kind; 2] = [Kind::Rustls, Kind::Engine];

    /// The one word for it.
    pub const fn label(self) -> &'static str {
        match self {
            Kind::Rustls => "rustls",
            Kind::Engine => "engine",
        }
    }
}

/// What clients of one target share: trust, and the sessions that can be resumed.
pub enum Client {
    /// See [`Kind::Rustls`].
    Rustls(Arc<ClientConfig>, ServerName<'static>),
    /// See [`Kind::Engine`].
    Engine(Rc<Plan>),
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Client::Rustls(..) => "Client(rustls)",
            Client::Engine(_) => "Client(engine)",
        })
    }
}

/// One connection of a client.
#[derive(Debug)]
pub enum Connection {
    /// rustls with its buffers.
    Rustls(Box<ClientConnection>),
    /// The engine's conversation, and its last question: the ring keeps that until the next.
    Engine(Rc<Plan>, Conversation, Option<Rc<[u8]>>),
}

/// What a client does when it has heard something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    /// It says these bytes; if there are none it waits for more.
    Bytes(Vec<u8>),
    /// It has the answer that proves the target.
    Alive,
}

const REQUEST: &[u8] =
    b"GET /generate_204 HTTP/1.1\r\nHost: target.test\r\nConnection: close\r\n\r\n";

impl Client {
    /// A client that has met nobody yet and trusts the authority of `ca_pem`.
    ///
    /// # Errors
    /// A certificate that is none.
    pub fn new(kind: Kind, ca_pem: &str) -> Result<Client, Error> {
        Ok(match kind {
            Kind::Rustls => {
                let name = ServerName::try_from(NAME)?;
                Client::Rustls(plain::config(ca_pem.as_bytes())?, name)
            }
            Kind::Engine => {
                let policy = ProbePolicy::new(PolicyOptions {
                    targets: vec![TargetOptions {
                        url: format!("https://{NAME}/generate_204"),
                        ..TargetOptions::default()
                    }],
                    ca_pem: Some(ca_pem.as_bytes().to_vec()),
                    ..PolicyOptions::default()
                })?;
                Client::Engine(Rc::new(Plan::new(Arc::new(policy))))
            }
        })
    }

    /// A connection, and its ClientHello.
    ///
    /// # Errors
    /// What went wrong.
    pub fn connect(&self) -> Result<(Connection, Vec<u8>), Error> {
        match self {
            Client::Rustls(config, name) => {
                let mut tls = Box::new(ClientConnection::new(Arc::clone(config), name.clone())?);
                let mut hello = Vec::new();
                tls.write_tls(&mut hello)?;
                Ok((Connection::Rustls(tls), hello))
            }
            Client::Engine(plan) => {
                let way = Way::Proxy(Protocol::Http);
                let (mut conversation, _connect) = Conversation::begin(plan, 0, way, None);
                let Step::Ask(hello) = conversation.received(plan, b"HTTP/1.1 200 OK\r\n\r\n")
                else {
                    return Err("the way was open, and no ClientHello followed".into());
                };
                let bytes = hello.to_vec();
                let connection = Connection::Engine(Rc::clone(plan), conversation, Some(hello));
                Ok((connection, bytes))
            }
        }
    }
}

impl Connection {
    /// Takes bytes of the wire.
    ///
    /// # Errors
    /// Another end than that the target is proven.
    pub fn hear(&mut self, mut wire: &[u8]) -> Result<Said, Error> {
        match self {
            Connection::Engine(plan, conversation, last) => {
                match conversation.received(plan, wire) {
                    Step::Ask(question) => {
                        let bytes = question.to_vec();
                        *last = Some(question);
                        Ok(Said::Bytes(bytes))
                    }
                    Step::Recv => Ok(Said::Bytes(Vec::new())),
                    Step::Done(Verdict::Alive) => Ok(Said::Alive),
                    Step::Done(verdict) => Err(format!("the verdict is {verdict:?}").into()),
                }
            }
            Connection::Rustls(tls) => {
                let (mut said, mut heard) = (Vec::new(), [0; 1024]);
                while !wire.is_empty() {
                    let was_handshaking = tls.is_handshaking();
                    tls.read_tls(&mut wire)?;
                    tls.process_new_packets()?;
                    if was_handshaking && !tls.is_handshaking() {
                        tls.writer().write_all(REQUEST)?;
                    }
                    match tls.reader().read(&mut heard) {
                        Ok(length) if heard[..length].starts_with(b"HTTP/1.1 204 ") => {
                            return Ok(Said::Alive);
                        }
                        Ok(_) => return Err("that is no 204".into()),
                        Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
                        Err(error) => return Err(error.into()),
                    }
                }
                while tls.wants_write() {
                    tls.write_tls(&mut said)?;
                }
                Ok(Said::Bytes(said))
            }
        }
    }
}
