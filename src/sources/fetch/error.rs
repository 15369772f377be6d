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
    /// The server's certificate does not prove that it is the one that was asked.
    #[error("its certificate is not to be trusted: {0}")]
    Certificate(&'static str),
    /// The connection broke.
    #[error("the answer broke off: {0}: try again; the service does so by itself")]
    Broken(String),
    /// What came is not HTTP, or not the gzip that it was said to be.
    #[error(
        "the answer cannot be understood, as HTTP or as gzip: {0}: look at what is served there, or configure another address"
    )]
    Garbled(String),
    /// The server answered something other than 2xx.
    #[error("{}", status_text(*.0))]
    Status(u16),
    /// One redirect led to another, too often.
    #[error("more than {REDIRECTS_MAX} redirects: configure the address where they should end")]
    TooManyRedirects,
    /// It happened behind redirects.
    #[error("after {hops} {}, at {at}: {error}", if *.hops == 1 { "redirect" } else { "redirects" })]
    Led {
        /// How many were followed.
        hops: usize,
        /// Where they led, without what may be secret in it.
        at: String,
        /// What happened there.
        error: Box<FetchError>,
    },
    /// A redirect to something other than `http` and `https`, or to nowhere.
    #[error("redirected to {0}, which is neither http nor https: configure another address")]
    RedirectNotWeb(String),
    /// A redirect to an address where no server may lead, the operator's own ones included.
    #[error(
        "redirected to {0}, where clouds keep their secrets or aggregator.deny_networks forbids it: nothing was asked there"
    )]
    RedirectDenied(String),
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
    #[error("{}", nothing_text(*.bytes, .first, *.looks_like, .skipped))]
    NothingFound {
        /// Its length, decompressed.
        bytes: u64,
        /// How it begins, escaped.
        first: String,
        /// What it is instead of a list, where its beginning tells.
        looks_like: Option<LooksLike>,
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

/// What is served in place of a list, told by its first bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LooksLike {
    /// A page for people: of a login, of a question whether one reads it, of an error.
    WebPage,
    /// A file of gzip, or what was squeezed twice.
    Gzip,
    /// An archive.
    Zip,
    /// Zero bytes: a file with a hole, a disk that lost its content.
    Zeros,
}

impl LooksLike {
    /// What begins with these bytes.
    pub(super) fn of(first: &[u8]) -> Option<LooksLike> {
        let text = first.trim_ascii_start().to_ascii_lowercase();
        match first {
            [0x1f, 0x8b, ..] => Some(LooksLike::Gzip),
            [b'P', b'K', 3, 4, ..] => Some(LooksLike::Zip),
            [0, ..] if first.iter().all(|&byte| byte == 0) => Some(LooksLike::Zeros),
            _ if text.starts_with(b"<!doctype html") || text.starts_with(b"<html") => {
                Some(LooksLike::WebPage)
            }
            _ => None,
        }
    }

    const fn text(self) -> &'static str {
        match self {
            LooksLike::WebPage => {
                "it is a web page: open it in a browser, it may ask for a login or whether a human reads it"
            }
            LooksLike::Gzip => {
                "it is compressed and its server does not say so: fetch and unpack it to a file"
            }
            LooksLike::Zip => "it is an archive: fetch and unpack it to a file",
            LooksLike::Zeros => "it begins with zero bytes, so it was not written whole",
        }
    }
}

/// Why a certificate is no proof, and what to do about it.
pub(super) fn distrust(why: &rustls::CertificateError) -> &'static str {
    use rustls::CertificateError::{
        BadSignature, Expired, ExpiredContext, NotValidForName, NotValidForNameContext,
        NotValidYet, NotValidYetContext, Revoked, UnknownIssuer,
    };
    match why {
        Expired | ExpiredContext { .. } => {
            "it has expired: its owner must renew it, unless the clock of this machine is wrong"
        }
        NotValidYet | NotValidYetContext { .. } => {
            "it is not valid yet: see whether the clock of this machine is right"
        }
        NotValidForName | NotValidForNameContext { .. } => {
            "it is for another name: configure the address by the name that it is for"
        }
        UnknownIssuer | BadSignature => {
            "no authority that this machine trusts has signed it: install ca-certificates, or name its authority in SSL_CERT_FILE; else somebody stands in between"
        }
        Revoked => "it was withdrawn: its owner must get a new one",
        _ => "it is not valid: its owner must get another one",
    }
}

fn status_text(status: u16) -> impl fmt::Display {
    let remedy = match status {
        304 => {
            "nothing has changed, it says, but nobody asked that: its server or a cache is broken"
        }
        401 | 403 | 407 => "check its credentials, or whether it refuses the `user_agent`",
        404 | 410 => "the list has moved or ended: correct or disable the source",
        429 => "it is asked too often: raise `interval_seconds`",
        500..=599 => "the server is in trouble: try again; the service does so by itself",
        _ => "a list is answered with 200",
    };
    format!("answered {status}: {remedy}")
}

fn nothing_text(
    bytes: u64,
    first: &str,
    looks_like: Option<LooksLike>,
    skipped: &Skipped,
) -> String {
    if bytes == 0 {
        return "no proxy found in 0 bytes: the list is empty".to_owned();
    }
    let guess = looks_like.map_or(String::new(), |what| format!(": {}", what.text()));
    let skipped = match describe(skipped).to_string() {
        nothing if nothing.is_empty() => nothing,
        skipped => format!("; skipped: {skipped}"),
    };
    format!("no proxy found in {bytes} bytes{guess} (first bytes: {first}{skipped})")
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
    fn what_is_no_list_is_told_by_its_beginning() {
        for (first, expected) in [
            (
                &b"\r\n <!DOCTYPE HTML><title>Just a moment"[..],
                Some(LooksLike::WebPage),
            ),
            (b"<html lang=en>", Some(LooksLike::WebPage)),
            (b"\x1f\x8b\x08\0", Some(LooksLike::Gzip)),
            (b"PK\x03\x04", Some(LooksLike::Zip)),
            (b"\0\0\0", Some(LooksLike::Zeros)),
            (b"\0\x001.2.3.4", None),
            (b"<list><ip>", None),
            (b"", None),
        ] {
            assert_eq!(LooksLike::of(first), expected, "{}", first.escape_ascii());
        }
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
            (
                FetchError::Status(304),
                "answered 304: nothing has changed, it says, but nobody",
            ),
            (FetchError::TooManyRedirects, "more than 5 redirects"),
            (
                FetchError::Led {
                    hops: 1,
                    at: "http://b.example/".to_owned(),
                    error: Box::new(FetchError::Status(404)),
                },
                "after 1 redirect, at http://b.example/: answered 404: the list has moved",
            ),
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
