//! What every probe of a sweep does: mode, target, expectation, deadlines, retries. Already valid,
//! immutable, shared by `Arc`.

use rustls::RootCertStore;
use rustls::pki_types::{CertificateDer, ServerName, pem::PemObject};
use std::sync::Arc;
use std::time::Duration;
use url::Url;

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

/// What the operator asks for, not yet checked; [`ProbePolicy::new`] checks it.
#[derive(Clone, Debug)]
pub struct PolicyOptions {
    /// How deep a probe goes.
    pub mode: Mode,
    /// `http://` or `https://` URL that is fetched through every proxy.
    pub test_url: String,
    /// Status that the target answers with. If absent: 204 with an empty body for a URL whose path
    /// ends in `generate_204` and has no expected body, else 200.
    pub expect_status: Option<u16>,
    /// Bytes that the target's body contains.
    pub expect_body: Option<Vec<u8>>,
    /// SHA-256 of the target's whole body.
    pub expect_sha256: Option<[u8; 32]>,
    /// The one deadline of a probe.
    pub timeout: Duration,
    /// The part of `timeout` that the TCP connect may take; cut to `timeout` if longer.
    pub connect_timeout: Duration,
    /// Further attempts where [`crate::Verdict::is_worth_retrying`].
    pub retries: u8,
    /// Longest body that is read, in bytes.
    pub body_bytes_max: usize,
    /// `User-Agent` of the requests.
    pub user_agent: String,
    /// Certificates in PEM that `https` targets are verified against, in place of Mozilla's list:
    /// who names an authority for a target trusts no other one for it.
    pub ca_pem: Option<Vec<u8>>,
}

impl Default for PolicyOptions {
    fn default() -> PolicyOptions {
        PolicyOptions {
            mode: Mode::FullHttp,
            test_url: "https://www.google.com/generate_204".into(),
            expect_status: None,
            expect_body: None,
            expect_sha256: None,
            timeout: Duration::from_secs(15),
            connect_timeout: Duration::from_secs(5),
            retries: 0,
            body_bytes_max: 64 * 1024,
            user_agent: concat!("proxy-checker/", env!("CARGO_PKG_VERSION")).into(),
            ca_pem: None,
        }
    }
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
    /// Trust anchors for `https` targets: Mozilla's, or those of the operator. Shards share them
    /// and only read; each makes its own `rustls::ClientConfig` over them.
    pub roots: Arc<RootCertStore>,
}

/// Why options are not a policy. Each text names the option and the remedy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// Not a URL that can be fetched.
    #[error("test_url: `{}` is not an http:// or https:// URL with a host", .0.escape_debug())]
    TestUrl(String),
    /// A URL with user name or password; they would be sent through every proxy.
    #[error(
        "test_url: it carries a user name or password, which every proxy would see: use a URL without"
    )]
    TestUrlCredentials,
    /// A status that cannot prove anything.
    #[error(
        "expect_status: {0} cannot be expected: use a final status in 200..=599 other than 407, which is the proxy's own"
    )]
    ExpectStatus(u16),
    /// A body expected of a status that has none (RFC 9110, sections 15.3.5 and 15.4.5).
    #[error(
        "expect_status: an answer {0} never has a body: remove expect_body and expect_sha256, or expect another status"
    )]
    ExpectBodyOfNone(u16),
    /// A pattern that is in every body, or in none that is read.
    #[error(
        "expect_body: it is {length} bytes long: use 1 to body_bytes_max ({body_bytes_max}) bytes"
    )]
    ExpectBody {
        /// Length of the pattern.
        length: usize,
        /// Longest body that is read.
        body_bytes_max: usize,
    },
    /// A deadline that has always passed.
    #[error("{0}: it is 0: use a duration of at least 1 ms")]
    Timeout(&'static str),
    /// Bytes that do not belong into a header (RFC 9110, section 5.5).
    #[error("user_agent: `{}` is empty or has characters other than printable ASCII: remove them", .0.escape_debug())]
    UserAgent(String),
    /// Not certificates.
    #[error("ca_pem: {0}: give one or more CERTIFICATE blocks in PEM")]
    CaPem(String),
}

impl ProbePolicy {
    /// Checks the options and takes them apart.
    pub fn new(options: PolicyOptions) -> Result<ProbePolicy, PolicyError> {
        let target = parse_target(&options.test_url)?;
        let expectation = parse_expectation(&options, &target)?;
        let milli = Duration::from_millis(1);
        for (name, timeout) in [
            ("timeout", options.timeout),
            ("connect_timeout", options.connect_timeout),
        ] {
            if timeout < milli {
                return Err(PolicyError::Timeout(name));
            }
        }
        let printable = |byte: u8| (b' '..=b'~').contains(&byte);
        let user_agent = options.user_agent.trim();
        if user_agent.is_empty() || !options.user_agent.bytes().all(printable) {
            return Err(PolicyError::UserAgent(options.user_agent));
        }
        Ok(ProbePolicy {
            mode: options.mode,
            target,
            expectation,
            timeout: options.timeout,
            connect_timeout: options.connect_timeout.min(options.timeout),
            retries: options.retries,
            body_bytes_max: options.body_bytes_max,
            user_agent: user_agent.into(),
            roots: Arc::new(parse_roots(options.ca_pem.as_deref())?),
        })
    }

    /// Whether the expectation can be met by accident: a success status over plain HTTP with
    /// nothing known of the body. A login page or a parking page passes it, so the caller warns.
    /// Over TLS the certificate already proves who answered.
    pub fn is_weak(&self) -> bool {
        let Expectation {
            status,
            empty_body,
            body_contains,
            body_sha256,
        } = &self.expectation;
        let body_unknown = !empty_body && body_contains.is_none() && body_sha256.is_none();
        !self.target.tls && (200..300).contains(status) && body_unknown
    }
}

fn parse_target(text: &str) -> Result<Target, PolicyError> {
    let error = || PolicyError::TestUrl(text.into());
    // The URL parser drops tabs and line breaks in silence; nobody meant to write them.
    if text.bytes().any(|byte| byte.is_ascii_control()) {
        return Err(error());
    }
    let url = Url::parse(text).map_err(|_| error())?;
    let tls = match url.scheme() {
        "http" => false,
        "https" => true,
        _ => return Err(error()),
    };
    if !url.username().is_empty() || url.password().is_some() {
        return Err(PolicyError::TestUrlCredentials);
    }
    let bracketed = url.host_str().ok_or_else(error)?;
    let host = bracketed.trim_matches(['[', ']']);
    let port = url.port_or_known_default().ok_or_else(error)?;
    // 253: the longest host name in text form; it also fits the length byte of SOCKS 5.
    if host.is_empty() || host.len() > 253 || port == 0 || ServerName::try_from(host).is_err() {
        return Err(error());
    }
    let query = url.query().map(|q| format!("?{q}")).unwrap_or_default();
    let explicit_port = url.port().map(|p| format!(":{p}")).unwrap_or_default();
    Ok(Target {
        tls,
        host: host.into(),
        port,
        path: format!("{}{query}", url.path()).into(),
        authority: format!("{bracketed}{explicit_port}").into(),
    })
}

fn parse_expectation(options: &PolicyOptions, target: &Target) -> Result<Expectation, PolicyError> {
    let wants_body = options.expect_body.is_some() || options.expect_sha256.is_some();
    let path = target.path.split('?').next().unwrap_or_default();
    let status = match options.expect_status {
        Some(status) => status,
        None if !wants_body && path.ends_with("generate_204") => 204,
        None => 200,
    };
    if !(200..=599).contains(&status) || status == 407 {
        return Err(PolicyError::ExpectStatus(status));
    }
    let bodiless = matches!(status, 204 | 304);
    if bodiless && wants_body {
        return Err(PolicyError::ExpectBodyOfNone(status));
    }
    let (length, body_bytes_max) = (
        options.expect_body.as_ref().map(Vec::len),
        options.body_bytes_max,
    );
    if let Some(length) = length.filter(|&length| length == 0 || length > body_bytes_max) {
        return Err(PolicyError::ExpectBody {
            length,
            body_bytes_max,
        });
    }
    Ok(Expectation {
        status,
        empty_body: bodiless,
        body_contains: options.expect_body.as_deref().map(Box::from),
        body_sha256: options.expect_sha256,
    })
}

fn parse_roots(pem: Option<&[u8]>) -> Result<RootCertStore, PolicyError> {
    let mut roots = RootCertStore::empty();
    let Some(pem) = pem else {
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
        return Ok(roots);
    };
    for certificate in CertificateDer::pem_slice_iter(pem) {
        let certificate = certificate.map_err(|e| PolicyError::CaPem(e.to_string()))?;
        roots
            .add(certificate)
            .map_err(|e| PolicyError::CaPem(e.to_string()))?;
    }
    if roots.is_empty() {
        return Err(PolicyError::CaPem("it holds no certificate".into()));
    }
    Ok(roots)
}

#[cfg(test)]
#[path = "policy/tests.rs"]
mod tests;
