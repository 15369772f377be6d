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

/// What a policy is made of, not yet checked.
#[derive(Clone, Debug)]
pub struct PolicyOptions {
    /// How deep a probe goes.
    pub mode: Mode,
    /// What is fetched: an http or https URL.
    pub test_url: String,
    /// The status of the target's answer, if it is not the usual one.
    pub expect_status: Option<u16>,
    /// Bytes that the body must contain.
    pub expect_body: Option<Vec<u8>>,
    /// SHA-256 of the whole body.
    pub expect_sha256: Option<[u8; 32]>,
    /// The one deadline of a probe.
    pub timeout: Duration,
    /// The part of `timeout` that the TCP connect may take.
    pub connect_timeout: Duration,
    /// Further attempts.
    pub retries: u8,
    /// Longest body that is read, in bytes.
    pub body_bytes_max: usize,
    /// `User-Agent` of the requests.
    pub user_agent: String,
    /// Trust anchors instead of Mozilla's, in PEM form.
    pub ca_pem: Option<Vec<u8>>,
}

impl Default for PolicyOptions {
    fn default() -> PolicyOptions {
        PolicyOptions {
            mode: Mode::FullHttp,
            test_url: "https://www.google.com/generate_204".to_owned(),
            expect_status: None,
            expect_body: None,
            expect_sha256: None,
            timeout: Duration::from_secs(15),
            connect_timeout: Duration::from_secs(5),
            retries: 0,
            body_bytes_max: 65536,
            user_agent: "proxy-checker".to_owned(),
            ca_pem: None,
        }
    }
}

/// Why options make no policy.
#[derive(Debug, thiserror::Error)]
pub enum PolicyError {
    /// The target is not an http or https URL.
    #[error("the test URL is not an http or https URL")]
    Url,
}

impl ProbePolicy {
    /// Checks the options.
    pub fn new(options: PolicyOptions) -> Result<ProbePolicy, PolicyError> {
        let url = url::Url::parse(&options.test_url).map_err(|_| PolicyError::Url)?;
        let host = url.host_str().ok_or(PolicyError::Url)?;
        let roots =
            rustls::RootCertStore::from_iter(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
        let tls = rustls::ClientConfig::builder_with_provider(Arc::new(
            rustls::crypto::ring::default_provider(),
        ))
        .with_safe_default_protocol_versions()
        .map_err(|_| PolicyError::Url)?
        .with_root_certificates(roots)
        .with_no_client_auth();
        Ok(ProbePolicy {
            mode: options.mode,
            target: Target {
                tls: url.scheme() == "https",
                host: host.into(),
                port: url.port_or_known_default().ok_or(PolicyError::Url)?,
                path: url.path().into(),
                authority: host.into(),
            },
            expectation: Expectation {
                status: options.expect_status.unwrap_or(204),
                ..Expectation::default()
            },
            timeout: options.timeout,
            connect_timeout: options.connect_timeout,
            retries: options.retries,
            body_bytes_max: options.body_bytes_max,
            user_agent: options.user_agent.into(),
            tls: Arc::new(tls),
        })
    }
}
