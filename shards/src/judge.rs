//! The judge's answer: what it saw of a request, sealed so that no proxy can write or change it.
//! The format stands here once, for the server that writes it and the probe that reads it. Pure.

use std::net::IpAddr;

/// How much of its client a proxy shows to the target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Anonymity {
    /// The target sees our address, as its peer or in a header.
    Transparent,
    /// The target sees that there is a proxy, not who uses it.
    Anonymous,
    /// The target sees neither.
    Elite,
}

impl Anonymity {
    /// Every level: `ALL[a as usize] == a`.
    pub const ALL: [Anonymity; 3] = [
        Anonymity::Transparent,
        Anonymity::Anonymous,
        Anonymity::Elite,
    ];

    /// The one word for this level.
    pub const fn label(self) -> &'static str {
        match self {
            Anonymity::Transparent => "transparent",
            Anonymity::Anonymous => "anonymous",
            Anonymity::Elite => "elite",
        }
    }

    /// The level that `label` names, in any case.
    pub fn from_label(label: &str) -> Option<Anonymity> {
        Self::ALL
            .into_iter()
            .find(|a| a.label().eq_ignore_ascii_case(label))
    }
}

/// The address that the judge saw a request come from, and what that gives away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Exit {
    /// The proxy's address towards the target.
    pub ip: IpAddr,
    /// How much it shows of us.
    pub anonymity: Anonymity,
}

/// Bytes of a nonce in a request: hexadecimal digits.
pub const NONCE_CHARS: usize = 32;
/// Most forwarding fields that a page tells of.
pub const FIELDS_MAX: usize = 16;
/// Longest value of a forwarding field that a page tells, in bytes; the rest is cut off.
pub const FIELD_BYTES_MAX: usize = 200;
/// Longest page, in bytes.
pub const PAGE_BYTES_MAX: usize = 8 * 1024;

/// Names of the header fields by which proxies give themselves or their clients away, in lower case.
pub const FORWARDING_FIELDS: &[&str] = &[
    "via",
    "forwarded",
    "x-forwarded-for",
    "x-forwarded",
    "forwarded-for",
    "x-real-ip",
    "client-ip",
    "x-client-ip",
    "true-client-ip",
    "cf-connecting-ip",
    "x-cluster-client-ip",
    "x-originating-ip",
    "x-remote-ip",
    "x-remote-addr",
    "x-proxy-id",
    "proxy-connection",
    "xroxy-connection",
    "mt-proxy-id",
];

/// What a page repeats of the request, so that an old page proves nothing: hexadecimal digits.
pub(crate) type Nonce = [u8; NONCE_CHARS];

pub(crate) mod format;
pub(crate) mod page;
pub(crate) mod read;

#[cfg(any(test, fuzzing))]
pub(crate) mod fuzz;

pub use page::page;
