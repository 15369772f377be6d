//! The lists: a million lines of each kind, always the same.

use std::fmt::Write;

/// Candidates in each list.
pub(crate) const COUNT: u32 = 1_000_000;

/// What the lines of a list look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// `1.2.3.4:8080`
    Plain,
    /// `http://1.2.3.4:8080`
    Schemes,
    /// Both, the four schemes, one in ten with credentials, one in fifty a name, one in a hundred
    /// IPv6, and one in ten twice.
    Mixed,
}

impl Kind {
    pub(crate) const ALL: [Kind; 3] = [Kind::Plain, Kind::Schemes, Kind::Mixed];

    pub(crate) fn label(self) -> &'static str {
        match self {
            Kind::Plain => "plain",
            Kind::Schemes => "schemes",
            Kind::Mixed => "mixed",
        }
    }
}

/// The text of a list that holds [`COUNT`] different candidates.
pub(crate) fn text(kind: Kind) -> String {
    let mut text = String::with_capacity(COUNT as usize * 32);
    for number in 0..COUNT {
        line(kind, number, &mut text);
        if kind == Kind::Mixed && number % 10 == 9 {
            line(kind, number / 2, &mut text);
        }
    }
    text
}

fn line(kind: Kind, number: u32, text: &mut String) {
    let spread = scattered(number);
    let ip = public_ip(spread);
    let port = [8080, 3128, 1080, 80, 4145][spread as usize % 5];
    let scheme = ["http", "https", "socks4", "socks5"][spread as usize % 4];
    // Writing to a String cannot fail.
    let _ = match (kind, number % 100) {
        (Kind::Plain, _) => writeln!(text, "{ip}:{port}"),
        (Kind::Schemes, _) => writeln!(text, "http://{ip}:{port}"),
        (Kind::Mixed, 0..10) => writeln!(text, "{scheme}://user{number}:secret@{ip}:{port}"),
        (Kind::Mixed, 10..12) => writeln!(text, "{scheme}://p{number}.proxies.example:{port}"),
        (Kind::Mixed, 12) => writeln!(
            text,
            "{scheme}://[2606:4700::{:x}:{:x}]:{port}",
            number >> 16,
            number & 0xffff
        ),
        (Kind::Mixed, 13..50) => writeln!(text, "{scheme}://{ip}:{port}"),
        (Kind::Mixed, _) => writeln!(text, "{ip}:{port}"),
    };
}

/// Another order of 24-bit numbers: lists are not sorted.
fn scattered(number: u32) -> u32 {
    number.wrapping_mul(0x9e_3779) & 0xff_ffff
}

/// One of 2²⁴ public addresses.
fn public_ip(number: u32) -> std::net::Ipv4Addr {
    let [_, b, c, d] = number.to_be_bytes();
    [[45, 62, 103, 185][b as usize % 4], b, c, d].into()
}
