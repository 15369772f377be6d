//! What is fetched through every proxy, and what proves that it answered.

mod options;

pub use options::{TargetError, TargetOptions};

use rustls::pki_types::ServerName;
use url::Url;

/// The name of the only target, if it is given none.
pub const TARGET_NAME_DEFAULT: &str = "default";

/// Longest body that is read of a target, in bytes, unless it says otherwise.
pub const BODY_BYTES_MAX_DEFAULT: usize = 64 * 1024;

/// The URL that is fetched through every proxy, taken apart once, and what its answer must be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// What it is called in rows, filters and metrics.
    pub name: Box<str>,
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
    /// Whether an HTTP proxy is asked for a tunnel also if the target is `http`.
    pub tunnel: bool,
    /// What its answer must be.
    pub demand: Demand,
    /// Longest body that is read, in bytes; a longer one is `too_large`.
    pub body_bytes_max: usize,
}

/// What the answer of a target must be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Demand {
    /// This.
    Answer(Expectation),
    /// What it says without a proxy: not known yet. Until then any success counts.
    Learn,
    /// What only a judge with the same secret can say.
    Judge(Secret),
}

/// The secret that a judge and its clients share. Its `Debug` never shows it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Box<[u8]>);

impl Secret {
    /// Least bytes of a secret.
    pub const BYTES_MIN: usize = 16;

    /// A secret, if it is long enough.
    pub fn new(bytes: &[u8]) -> Option<Secret> {
        (bytes.len() >= Self::BYTES_MIN).then(|| Secret(bytes.into()))
    }

    /// The bytes, for the seal only.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(***)")
    }
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
    /// A field that the head must have.
    pub header: Option<Field>,
    /// The media type that the answer must have, in lower case, if one was learnt.
    pub content_type: Option<Box<str>>,
    /// Whether this was learnt from the target rather than told by the operator.
    pub learnt: bool,
}

/// A header field that is expected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// Its name, in any case.
    pub name: Box<str>,
    /// Its whole value, without the spaces around it; any if absent.
    pub value: Option<Box<str>>,
}

/// What a target said without a proxy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Learnt {
    /// The status code.
    pub status: u16,
    /// Its media type in lower case, without parameters.
    pub content_type: Option<Box<str>>,
}

impl Target {
    /// Checks the options and takes them apart.
    ///
    /// # Errors
    /// The first thing that is wrong, with the remedy.
    pub fn new(options: TargetOptions) -> Result<Target, TargetError> {
        let target = taken_apart(&options)?;
        let demand = parse_demand(&options, &target)?;
        Ok(Target { demand, ..target })
    }

    /// Whether the answer is expected to be what the target says without a proxy, known or not.
    pub fn learns(&self) -> bool {
        match &self.demand {
            Demand::Learn => true,
            Demand::Answer(expectation) => expectation.learnt,
            Demand::Judge(_) => false,
        }
    }

    /// Expects what was said without a proxy, if this target learns.
    pub(crate) fn learn(&mut self, said: &Learnt) {
        if self.learns() {
            self.demand = Demand::Answer(Expectation {
                status: said.status,
                content_type: said.content_type.clone(),
                learnt: true,
                ..Expectation::default()
            });
        }
    }

    /// Whether the demand can be met by accident: a success status over plain HTTP with nothing
    /// known of the body. A login page or a parking page passes it, so the caller warns. Over TLS
    /// the certificate already proves who answered.
    pub fn is_weak(&self) -> bool {
        if self.tls {
            return false;
        }
        match &self.demand {
            Demand::Judge(_) => false,
            Demand::Learn => true,
            Demand::Answer(e) => {
                let body_known =
                    e.empty_body || e.body_contains.is_some() || e.body_sha256.is_some();
                (200..300).contains(&e.status) && !body_known && e.header.is_none()
            }
        }
    }
}

fn taken_apart(options: &TargetOptions) -> Result<Target, TargetError> {
    let text = &options.url;
    let error = || TargetError::Url(text.clone());
    let in_name = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_');
    if !(1..=64).contains(&options.name.len()) || !options.name.bytes().all(in_name) {
        return Err(TargetError::Name(options.name.clone()));
    }
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
        return Err(TargetError::UrlCredentials);
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
        name: options.name.as_str().into(),
        tls,
        host: host.into(),
        port,
        path: format!("{}{query}", url.path()).into(),
        authority: format!("{bracketed}{explicit_port}").into(),
        tunnel: options.tunnel,
        demand: Demand::Learn,
        body_bytes_max: options.body_bytes_max,
    })
}

fn parse_demand(options: &TargetOptions, target: &Target) -> Result<Demand, TargetError> {
    let wants_body = options.expect_body.is_some() || options.expect_sha256.is_some();
    let wants_any =
        wants_body || options.expect_header.is_some() || options.expect_status.is_some();
    if let Some(secret) = &options.judge {
        return match wants_any {
            true => Err(TargetError::JudgeExpects),
            false => Ok(Demand::Judge(secret.clone())),
        };
    }
    let path = target.path.split('?').next().unwrap_or_default();
    let status = match options.expect_status {
        Some(status) => status,
        None if !wants_body && path.ends_with("generate_204") => 204,
        None if !wants_any => return Ok(Demand::Learn),
        None => 200,
    };
    if !(200..=599).contains(&status) || status == 407 {
        return Err(TargetError::ExpectStatus(status));
    }
    let bodiless = matches!(status, 204 | 304);
    if bodiless && wants_body {
        return Err(TargetError::ExpectBodyOfNone(status));
    }
    let (length, body_bytes_max) = (
        options.expect_body.as_ref().map(Vec::len),
        options.body_bytes_max,
    );
    if let Some(length) = length.filter(|&length| length == 0 || length > body_bytes_max) {
        return Err(TargetError::ExpectBody {
            length,
            body_bytes_max,
        });
    }
    Ok(Demand::Answer(Expectation {
        status,
        empty_body: bodiless,
        body_contains: options.expect_body.as_deref().map(Box::from),
        body_sha256: options.expect_sha256,
        header: options.expect_header.clone(),
        content_type: None,
        learnt: false,
    }))
}
