//! What the operator may say of a target, and what is wrong with it.

use super::{BODY_BYTES_MAX_DEFAULT, Field, Secret, TARGET_NAME_DEFAULT};

/// What the operator asks of a target, not yet checked; [`super::Target::new`] checks it.
#[derive(Clone, Debug)]
pub struct TargetOptions {
    /// What it is called.
    pub name: String,
    /// `http://` or `https://` URL that is fetched through every proxy.
    pub url: String,
    /// Whether an HTTP proxy is asked for a tunnel also if the URL is `http`.
    pub tunnel: bool,
    /// The secret of the judge that answers there, if one does; nothing else is expected then.
    pub judge: Option<Secret>,
    /// Status that the target answers with. If nothing at all is expected: 204 with an empty body
    /// for a URL whose path ends in `generate_204`, else what it says without a proxy. If something
    /// else is: 200.
    pub expect_status: Option<u16>,
    /// Bytes that the target's body contains.
    pub expect_body: Option<Vec<u8>>,
    /// SHA-256 of the target's whole body.
    pub expect_sha256: Option<[u8; 32]>,
    /// A field of the target's head.
    pub expect_header: Option<Field>,
    /// Longest body that is read, in bytes.
    pub body_bytes_max: usize,
}

impl Default for TargetOptions {
    fn default() -> TargetOptions {
        TargetOptions {
            name: TARGET_NAME_DEFAULT.into(),
            url: "https://www.google.com/generate_204".into(),
            tunnel: false,
            judge: None,
            expect_status: None,
            expect_body: None,
            expect_sha256: None,
            expect_header: None,
            body_bytes_max: BODY_BYTES_MAX_DEFAULT,
        }
    }
}

impl From<&str> for TargetOptions {
    fn from(url: &str) -> TargetOptions {
        TargetOptions {
            url: url.into(),
            ..TargetOptions::default()
        }
    }
}

/// Why options are not a target. Each text names the option and the remedy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    /// Not a URL that can be fetched.
    #[error("url: `{}` is not an http:// or https:// URL with a host", .0.escape_debug())]
    Url(String),
    /// A URL with user name or password; they would be sent through every proxy.
    #[error(
        "url: it carries a user name or password, which every proxy would see: use a URL without"
    )]
    UrlCredentials,
    /// Not a name.
    #[error("name: `{}` is not 1 to 64 letters, digits, dots, dashes or underscores", .0.escape_debug())]
    Name(String),
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
    #[error("expect_body: it is {length} bytes long: use 1 to max_bytes ({body_bytes_max}) bytes")]
    ExpectBody {
        /// Length of the pattern.
        length: usize,
        /// Longest body that is read.
        body_bytes_max: usize,
    },
    /// Not a header field (RFC 9110, section 5).
    #[error("expect_header: `{}` is not `Name` or `Name: value` in printable ASCII", .0.escape_debug())]
    ExpectHeader(String),
    /// A judge proves itself; nothing else can be expected of it.
    #[error("judge: its answer proves itself: leave the expectations out")]
    JudgeExpects,
}
