//! What every probe of a sweep does: mode, target, expectation, deadlines, retries. Already valid,
//! immutable, shared by `Arc`.

use std::sync::Arc;
use std::time::Duration;

/// How deep a probe goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Fetch the target through the proxy and verify its answer.
    FullHttp,
    /// Only ask whether the proxy accepts a TCP connection.
    ConnectOnly,
}

/// The URL that is fetched through every proxy, taken apart once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// `https`: a tunnel and TLS; `http`: a plain request.
    pub tls: bool,
    /// Host name or address, without brackets.
    pub host: Box<str>,
    /// TCP port, the scheme's default filled in.
    pub port: u16,
    /// Path and query, as sent in the request line.
    pub path: Box<str>,
    /// Host as it stands in `Host:`, brackets and a port other than the default included.
    pub authority: Box<str>,
}

/// What proves that the target answered. All parts that are given must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Expectation {
    /// The status code.
    pub status: u16,
    /// The body must be empty.
    pub empty_body: bool,
    /// Bytes that the body must contain.
    pub body_contains: Option<Box<[u8]>>,
    /// SHA-256 of the whole body.
    pub body_sha256: Option<[u8; 32]>,
}

/// What every probe of a sweep does.
#[derive(Clone, Debug)]
pub struct ProbePolicy {
    /// How deep a probe goes.
    pub mode: Mode,
    /// What is fetched.
    pub target: Target,
    /// What its answer must be.
    pub expectation: Expectation,
    /// The one deadline of a probe, from its first SYN to the last byte verified.
    pub timeout: Duration,
    /// The part of `timeout` that the TCP connect may take.
    pub connect_timeout: Duration,
    /// Further attempts where [`crate::Verdict::is_worth_retrying`].
    pub retries: u8,
    /// Longest body that is read, in bytes; a longer one is `too_large`.
    pub body_bytes_max: usize,
    /// `User-Agent` of the requests.
    pub user_agent: Box<str>,
    /// Trust anchors for `https` targets.
    pub tls: Arc<rustls::ClientConfig>,
}
