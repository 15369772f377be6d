//! Why a source gave no list: the cause, and what to do about it.

use super::web::REDIRECTS_MAX;
use crate::sources::parse::{Skipped, describe};
use std::fmt;
use std::io;
use std::time::Duration;

/// Why a source gave no list. The text does not name the source, and what a peer sent stands in it
/// only escaped.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FetchError {
    /// The HTTP client could not be built.
    #[error("the HTTP client cannot be built: {0}: check `user_agent`")]
    Client(String),
    /// There are no root certificates, so no `https` server can be trusted.
    #[error(
        "no root certificates on this machine: install ca-certificates, or name a bundle in SSL_CERT_FILE"
    )]
    NoRoots,
    /// No connection, or no TLS session, came about.
    #[error("cannot connect: {0}: check the address, the name service and the firewall")]
    Connect(String),
    /// The connection broke, or what came was not HTTP or not gzip.
    #[error("the answer broke off: {0}: try again; the service does so by itself")]
    Broken(String),
    /// The server answered something other than 2xx.
    #[error("{}", status_text(*.0))]
    Status(u16),
    /// One redirect led to another, too often.
    #[error("more than {REDIRECTS_MAX} redirects: configure the address where they should end")]
    TooManyRedirects,
    /// A redirect to something other than `http` and `https`, or to nowhere.
    #[error("redirected to {0}, which is neither http nor https: configure another address")]
    RedirectNotWeb(String),
    /// A public server redirects to an address that is not public.
    #[error(
        "redirected from a public address to {0}, which is not public: configure that address itself if it is meant"
    )]
    RedirectNotPublic(String),
    /// The list was not complete in time.
    #[error(
        "not complete after {}: {bytes} bytes with {found} proxies came, none is used: if it is just slow, raise aggregator.source_timeout_ms, or fetch the list to a file",
        .after.as_secs_f64().to_string() + " s"
    )]
    TimedOut {
        /// The time limit.
        after: Duration,
        /// Bytes that came, decompressed.
        bytes: u64,
        /// Candidates in them.
        found: usize,
    },
    /// The list is longer than is allowed.
    #[error(
        "longer than {bytes_max} bytes: {found} proxies stood in them, none is used: raise aggregator.source_bytes_max, split the list, or fetch it to a file"
    )]
    TooLarge {
        /// The limit, in bytes after decompression.
        bytes_max: u64,
        /// Candidates up to there.
        found: usize,
    },
    /// The whole list came, and there is no proxy in it.
    #[error("{}", nothing_text(*.bytes, .first, .skipped))]
    NothingFound {
        /// Its length, decompressed.
        bytes: u64,
        /// How it begins, escaped.
        first: String,
        /// What was skipped, by `skip as usize`.
        skipped: Skipped,
    },
    /// The file cannot be opened or read.
    #[error("cannot read the file: {}: check the path and its permissions", io::Error::from(*.0))]
    File(io::ErrorKind),
    /// The path leads to something other than a regular file.
    #[error("not a regular file but {0}: configure the path of a file")]
    NotAFile(&'static str),
    /// The disk or network file system does not answer.
    #[error("the file system does not answer: check the mount")]
    FileStuck,
    /// The fetch panicked; a defect of this program.
    #[error("the fetch panicked, which is a defect of this program: please report it")]
    Panicked,
}

fn status_text(status: u16) -> impl fmt::Display {
    let remedy = match status {
        401 | 403 | 407 => "check its credentials, or whether it refuses the `user_agent`",
        404 | 410 => "the list has moved or ended: correct or disable the source",
        429 => "it is asked too often: raise `interval_seconds`",
        500..=599 => "the server is in trouble: try again; the service does so by itself",
        _ => "a list is answered with 200",
    };
    format!("answered {status}: {remedy}")
}

fn nothing_text(bytes: u64, first: &str, skipped: &Skipped) -> String {
    let skipped = describe(skipped).to_string();
    match (bytes, skipped.is_empty()) {
        (0, _) => "no proxy found in 0 bytes: the list is empty".to_owned(),
        (_, true) => format!("no proxy found in {bytes} bytes (first bytes: {first})"),
        (_, false) => {
            format!("no proxy found in {bytes} bytes (first bytes: {first}; skipped: {skipped})")
        }
    }
}

/// `bytes` in printable ASCII, cut after `length_max` characters.
pub(super) fn escaped(bytes: &[u8], length_max: usize) -> String {
    let text = bytes.escape_ascii().map(char::from);
    text.take(length_max).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_peer_sent_is_printable_and_short() {
        assert_eq!(
            escaped(b"<html>\r\n\x1b[31m\xff", 40),
            r"<html>\r\n\x1b[31m\xff"
        );
        assert_eq!(escaped(&[0x1b; 100], 10), r"\x1b\x1b\x");
    }

    #[test]
    fn the_text_names_cause_and_remedy() {
        let timed_out = FetchError::TimedOut {
            after: Duration::from_millis(1500),
            bytes: 10,
            found: 1,
        };
        for (error, expected) in [
            (FetchError::Status(404), "answered 404: the list has moved"),
            (FetchError::TooManyRedirects, "more than 5 redirects"),
            (
                timed_out,
                "not complete after 1.5 s: 10 bytes with 1 proxies",
            ),
            (
                FetchError::File(io::ErrorKind::NotFound),
                "cannot read the file: entity not found",
            ),
        ] {
            assert!(error.to_string().starts_with(expected), "{error}");
        }
    }
}
