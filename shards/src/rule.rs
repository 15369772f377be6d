//! Why a conversation ended as it did: the rule that decided, and its one line of printable text.

use crate::Verdict;
use rustls::{CertificateError, Error};
use std::fmt::{self, Write};

/// Longest text of a rule, in bytes.
const TEXT_BYTES_MAX: usize = 300;

/// The rule that ended a conversation. It is made for every probe and written down for few, so it
/// holds what its text needs and no text of its own.
#[derive(Clone, Debug)]
pub(crate) enum Rule {
    /// A verdict whose reason is always the same.
    Told(Verdict, &'static str),
    /// The target answered with this status, and all else that is expected held too.
    Proven(u16),
    /// The answer has another status than the one that is wanted; `None`: any success.
    Status {
        /// What it has.
        status: u16,
        /// What it should have.
        wanted: Option<u16>,
    },
    /// A proxy declined to CONNECT with this status.
    Tunnel(u16),
    /// A SOCKS 4 proxy replied this.
    Socks4(u8),
    /// A SOCKS 5 proxy chose this method of authentication, which is none of ours.
    Socks5Method(u8),
    /// A SOCKS 5 proxy refused the login with this status.
    Socks5Login(u8),
    /// A SOCKS 5 proxy refused the connection with this reply.
    Socks5Reply(u8),
    /// TLS failed.
    Tls(Verdict, Box<Error>),
}

impl Rule {
    /// What the peer sent is not of the protocol.
    pub(crate) const fn garbled(text: &'static str) -> Rule {
        Rule::Told(Verdict::BadProtocol, text)
    }

    /// What the peer sent exceeds a cap.
    pub(crate) const fn too_large(text: &'static str) -> Rule {
        Rule::Told(Verdict::TooLarge, text)
    }

    /// What the target is said to have answered is not its answer.
    pub(crate) const fn own_page(text: &'static str) -> Rule {
        Rule::Told(Verdict::OwnPage, text)
    }

    /// The peer closed too early.
    pub(crate) const fn closed(text: &'static str) -> Rule {
        Rule::Told(Verdict::Closed, text)
    }

    /// A fault of our own.
    pub(crate) const fn fault(text: &'static str) -> Rule {
        Rule::Told(Verdict::LocalFault, text)
    }

    /// Whether a status of 400 was the reason.
    pub(crate) const fn is_bad_request(&self) -> bool {
        matches!(self, Rule::Status { status: 400, .. } | Rule::Tunnel(400))
    }

    /// What it leads to.
    pub(crate) const fn verdict(&self) -> Verdict {
        match self {
            Rule::Told(verdict, _) | Rule::Tls(verdict, _) => *verdict,
            Rule::Proven(_) => Verdict::Alive,
            Rule::Status { status: 407, .. } | Rule::Tunnel(407) => Verdict::AuthRequired,
            Rule::Status { status, .. } => match status {
                200..=299 => Verdict::OwnPage,
                300..=399 => Verdict::Redirected,
                _ => Verdict::WrongStatus,
            },
            // 92: no identd on our side; 93: it names another user. Both ask who we are.
            Rule::Socks4(92 | 93) | Rule::Socks5Method(0xFF | 1 | 2) | Rule::Socks5Login(_) => {
                Verdict::AuthRequired
            }
            Rule::Socks4(91) | Rule::Socks5Reply(_) | Rule::Tunnel(_) => Verdict::Denied,
            Rule::Socks4(_) | Rule::Socks5Method(_) => Verdict::BadProtocol,
        }
    }
}

/// One line of printable ASCII, whatever the peer put into it.
impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let line = &mut Printable {
            to: f,
            left: TEXT_BYTES_MAX,
        };
        match self {
            Rule::Told(_, text) => line.write_str(text),
            Rule::Proven(status) => write!(
                line,
                "status {status} and all else that is expected: the target answered"
            ),
            Rule::Status { status, wanted } => text_of_status(line, *status, *wanted),
            Rule::Tunnel(407) => {
                line.write_str("CONNECT was answered 407: credentials are asked for")
            }
            Rule::Tunnel(status) => write!(line, "CONNECT was answered {status}: no tunnel"),
            Rule::Socks4(code) => write!(line, "SOCKS 4 reply {code}: {}", text_of_socks4(*code)),
            Rule::Socks5Method(method) => write!(
                line,
                "SOCKS 5 method {method}: {} (RFC 1928, section 3)",
                text_of_method(*method)
            ),
            Rule::Socks5Login(status) => write!(
                line,
                "SOCKS 5 login status {status}: user name or password refused (RFC 1929, section 2)"
            ),
            Rule::Socks5Reply(code) => write!(
                line,
                "SOCKS 5 reply {code}: {} (RFC 1928, section 6)",
                text_of_reply(*code)
            ),
            Rule::Tls(_, error) => text_of_tls(line, error),
        }
    }
}

fn text_of_status(line: &mut Printable<'_, '_>, status: u16, wanted: Option<u16>) -> fmt::Result {
    write!(line, "status {status}, but ")?;
    match wanted {
        Some(wanted) => write!(line, "{wanted} was expected: ")?,
        None => line.write_str("a success was expected: ")?,
    }
    line.write_str(match status {
        407 => "the proxy asks for credentials",
        200..=299 => "the answer is not the target's",
        300..=399 => "a redirection, which is never followed",
        _ => "neither the target's answer nor another success",
    })
}

const fn text_of_socks4(code: u8) -> &'static str {
    match code {
        91 => "request rejected or failed",
        92 => "rejected, because it cannot reach identd on our side",
        93 => "rejected, because identd and the request name different users",
        _ => "no reply of this protocol",
    }
}

const fn text_of_method(method: u8) -> &'static str {
    match method {
        0xFF => "none of those that we offered",
        1 => "GSSAPI, which was not offered",
        2 => "user name and password, which was not offered",
        _ => "one that was not offered",
    }
}

const fn text_of_reply(code: u8) -> &'static str {
    match code {
        1 => "general failure",
        2 => "connection not allowed by ruleset",
        3 => "network unreachable",
        4 => "host unreachable",
        5 => "connection refused",
        6 => "TTL expired",
        7 => "command not supported",
        8 => "address type not supported",
        _ => "a refusal that is not assigned",
    }
}

fn text_of_tls(line: &mut Printable<'_, '_>, error: &Error) -> fmt::Result {
    let Error::InvalidCertificate(certificate) = error else {
        return write!(line, "TLS: {error}");
    };
    line.write_str("certificate: ")?;
    match certificate {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            line.write_str("expired")
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            line.write_str("not valid yet")
        }
        CertificateError::BadSignature => {
            line.write_str("signed by another than the issuer that it names")
        }
        CertificateError::UnknownIssuer => line.write_str("its issuer is not trusted"),
        // Which names it is valid for is the peer's text, and none of ours.
        CertificateError::NotValidForNameContext { expected, .. } => {
            write!(line, "not valid for name {}", expected.to_str())
        }
        other => write!(line, "{other}"),
    }
}

/// Lets printable ASCII through, escapes all else, and stops at a cap.
struct Printable<'a, 'b> {
    to: &'a mut fmt::Formatter<'b>,
    left: usize,
}

impl fmt::Write for Printable<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for char in text.chars() {
            let escaped = char.escape_default();
            let plain = matches!(char, ' '..='~');
            let length = if plain { 1 } else { escaped.len() };
            if length > self.left {
                self.left = 0;
                return Ok(());
            }
            self.left -= length;
            match plain {
                true => self.to.write_char(char)?,
                false => write!(self.to, "{escaped}")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
