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

/// What a policy is made from, unchecked.
#[derive(Clone, Debug)]
pub struct PolicyOptions {
    /// How deep a probe goes.
    pub mode: Mode,
    /// The URL that is fetched.
    pub test_url: String,
    /// The status that proves the target; the usual one for the URL if absent.
    pub expect_status: Option<u16>,
    /// Bytes that the body must contain.
    pub expect_body: Option<Vec<u8>>,
    /// SHA-256 of the whole body.
    pub expect_sha256: Option<[u8; 32]>,
    /// The one deadline of a probe.
    pub timeout: Duration,
    /// The part of it that the TCP connect may take.
    pub connect_timeout: Duration,
    /// Further attempts.
    pub retries: u8,
    /// Longest body that is read, in bytes.
    pub body_bytes_max: usize,
    /// `User-Agent` of the requests.
    pub user_agent: String,
    /// Trust anchors in PEM, instead of Mozilla's.
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
            user_agent: "proxy-checker".into(),
            ca_pem: None,
        }
    }
}

/// Why options make no policy; the text names the option.
#[derive(Debug, thiserror::Error)]
pub enum PolicyError {
    /// The URL cannot be fetched.
    #[error("test_url: {0:?} is not an http or https URL")]
    TestUrl(String),
}

impl ProbePolicy {
    /// Checks the options.
    pub fn new(options: PolicyOptions) -> Result<ProbePolicy, PolicyError> {
        let bad = || PolicyError::TestUrl(options.test_url.clone());
        let url = url::Url::parse(&options.test_url).map_err(|_| bad())?;
        let host = url.host_str().ok_or_else(bad)?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|_| bad())?
            .with_root_certificates(rustls::RootCertStore::empty())
            .with_no_client_auth();
        Ok(ProbePolicy {
            mode: options.mode,
            target: Target {
                tls: url.scheme() == "https",
                host: host.into(),
                port: url.port_or_known_default().ok_or_else(bad)?,
                path: url.path().into(),
                authority: url.authority().into(),
            },
            expectation: Expectation {
                status: options.expect_status.unwrap_or(204),
                empty_body: false,
                body_contains: options.expect_body.map(Vec::into_boxed_slice),
                body_sha256: options.expect_sha256,
            },
            timeout: options.timeout,
            connect_timeout: options.connect_timeout,
            retries: options.retries,
            body_bytes_max: options.body_bytes_max,
            user_agent: options.user_agent.into(),
            tls: Arc::new(tls),
        })
    }

    /// Whether a proxy's own page could pass for the target's answer.
    pub fn is_weak(&self) -> bool {
        let expected = &self.expectation;
        expected.status == 200
            && expected.body_contains.is_none()
            && expected.body_sha256.is_none()
            && self.mode == Mode::FullHttp
    }
}
