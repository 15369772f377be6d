//! What every probe of a sweep does: mode, target, expectation, deadlines, retries. Already valid,
//! immutable, shared by `Arc`.

use crate::target::{Learnt, Target, TargetError, TargetOptions};
use crate::works::{Require, TARGETS_MAX};
use rustls::RootCertStore;
use rustls::pki_types::{CertificateDer, pem::PemObject};
use std::net::IpAddr;
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

/// What the operator asks for, not yet checked; [`ProbePolicy::new`] checks it.
#[derive(Clone, Debug)]
pub struct PolicyOptions {
    /// How deep a probe goes.
    pub mode: Mode,
    /// What is fetched through every proxy, in this order; 1 to [`TARGETS_MAX`].
    pub targets: Vec<TargetOptions>,
    /// How many of them a proxy must reach.
    pub require: Require,
    /// The one deadline of a probe.
    pub timeout: Duration,
    /// The part of `timeout` that the TCP connect may take; cut to `timeout` if longer.
    pub connect_timeout: Duration,
    /// Further attempts where [`crate::Verdict::is_worth_retrying`].
    pub retries: u8,
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
            targets: vec![TargetOptions::default()],
            require: Require::default(),
            timeout: Duration::from_secs(15),
            connect_timeout: Duration::from_secs(5),
            retries: 0,
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
    /// What is fetched, 1 to [`TARGETS_MAX`].
    pub targets: Box<[Target]>,
    /// How many of them a proxy must reach.
    pub require: Require,
    /// Our own addresses as a judge saw them without a proxy; empty while that is not known.
    pub own: Box<[IpAddr]>,
    /// The one deadline of a probe, from its first SYN to the last byte verified.
    pub timeout: Duration,
    /// The part of `timeout` that the TCP connect may take.
    pub connect_timeout: Duration,
    /// Further attempts where [`crate::Verdict::is_worth_retrying`].
    pub retries: u8,
    /// `User-Agent` of the requests.
    pub user_agent: Box<str>,
    /// Trust anchors for `https` targets: Mozilla's, or those of the operator. Shards share them
    /// and only read; each makes its own `rustls::ClientConfig` over them.
    pub roots: Arc<RootCertStore>,
}

/// Why options are not a policy. Each text names the option and the remedy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// A target is wrong.
    #[error("{error}")]
    Target {
        /// Its place in the options.
        place: usize,
        /// Why.
        error: TargetError,
    },
    /// None, or more than a set of them can hold.
    #[error("targets: there are {0}: give 1 to {TARGETS_MAX}")]
    Targets(usize),
    /// Two of one name.
    #[error("targets: two are called `{0}`: give each a name of its own")]
    TargetNames(Box<str>),
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
        let targets = parse_targets(options.targets)?;
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
            targets,
            require: options.require,
            own: Box::default(),
            timeout: options.timeout,
            connect_timeout: options.connect_timeout.min(options.timeout),
            retries: options.retries,
            user_agent: user_agent.into(),
            roots: Arc::new(parse_roots(options.ca_pem.as_deref())?),
        })
    }

    /// Whether any target's demand can be met by accident; the caller warns.
    pub fn is_weak(&self) -> bool {
        self.targets.iter().any(Target::is_weak)
    }

    /// The same policy with what the targets `said` without a proxy, and the addresses of our `own`
    /// that a judge saw. A target that learns expects from then on what it said.
    #[must_use]
    pub fn knowing(&self, said: &[Option<Learnt>], own: &[IpAddr]) -> ProbePolicy {
        let mut policy = self.clone();
        policy.own = own.into();
        for (target, said) in policy.targets.iter_mut().zip(said) {
            if let Some(said) = said {
                target.learn(said);
            }
        }
        policy
    }

    /// The target of this name.
    pub fn target_named(&self, name: &str) -> Option<usize> {
        self.targets.iter().position(|target| *target.name == *name)
    }
}

fn parse_targets(options: Vec<TargetOptions>) -> Result<Box<[Target]>, PolicyError> {
    if !(1..=TARGETS_MAX).contains(&options.len()) {
        return Err(PolicyError::Targets(options.len()));
    }
    let mut targets: Vec<Target> = Vec::new();
    for (place, options) in options.into_iter().enumerate() {
        let target = Target::new(options).map_err(|error| PolicyError::Target { place, error })?;
        if targets.iter().any(|other| other.name == target.name) {
            return Err(PolicyError::TargetNames(target.name));
        }
        targets.push(target);
    }
    Ok(targets.into())
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
