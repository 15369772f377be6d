//! Where credentials stand in what we say to a proxy, by the form of its protocol. Pure.

use proxy_shards::Protocol;
use proxy_shards::conversation::Way;
use std::ops::Range;

/// The last field of a head that has it.
const AUTHORIZATION: &[u8] = b"\r\nProxy-Authorization: Basic ";
const HEAD_END: &[u8] = b"\r\n\r\n";
/// Version, command, port and address of a SOCKS 4 request; the user id follows.
const SOCKS4_USER_AT: usize = 8;
/// A SOCKS 5 login begins with it, all else that we say with other bytes (RFC 1929, section 2).
const SOCKS5_LOGIN: u8 = 1;

/// The bytes of `question` that are credentials for the proxy. Without any there are none: none is
/// in what is said to the target itself, nor in TLS records.
pub(super) fn credentials(way: Way, question: &[u8]) -> Option<Range<usize>> {
    let field = match way {
        Way::Direct => return None,
        Way::Proxy(Protocol::Http | Protocol::Https) => basic(question)?,
        Way::Proxy(Protocol::Socks4) => socks4(question)?,
        // How long they are is nobody's business either.
        Way::Proxy(Protocol::Socks5) => match question {
            [SOCKS5_LOGIN, ..] => 1..question.len(),
            _ => return None,
        },
    };
    (!field.is_empty()).then_some(field)
}

/// The value of the last field of a head, if that is Proxy-Authorization (RFC 9110, section 11.7.2).
fn basic(question: &[u8]) -> Option<Range<usize>> {
    let fields = question.strip_suffix(HEAD_END)?;
    let last = fields.windows(2).rposition(|pair| pair == b"\r\n")?;
    let value = fields[last..].strip_prefix(AUTHORIZATION)?;
    Some(fields.len() - value.len()..fields.len())
}

/// The user id of a request, up to the NUL that ends it.
fn socks4(question: &[u8]) -> Option<Range<usize>> {
    let behind = question.strip_prefix(&[4, 1])?.get(SOCKS4_USER_AT - 2..)?;
    let length = behind.iter().position(|&byte| byte == 0)?;
    Some(SOCKS4_USER_AT..SOCKS4_USER_AT + length)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(protocol: Protocol, question: &[u8], expected: &[u8]) {
        let field = credentials(Way::Proxy(protocol), question);
        assert_eq!(
            &question[field.unwrap_or_default()],
            expected,
            "{question:?}"
        );
    }

    #[test]
    fn each_protocol_has_its_field() {
        let head = b"CONNECT a.test:443 HTTP/1.1\r\nHost: a.test\r\nProxy-Authorization: Basic YTpi\r\n\r\n";
        check(Protocol::Http, head, b"YTpi");
        check(Protocol::Https, head, b"YTpi");
        check(
            Protocol::Socks4,
            b"\x04\x01\0\x50\0\0\0\x01me\0a.test\0",
            b"me",
        );
        check(Protocol::Socks5, b"\x01\x01a\x01b", b"\x01a\x01b");
        assert_eq!(credentials(Way::Direct, head), None);
    }

    #[test]
    fn what_carries_none_is_shown_whole() {
        let head = b"GET http://a.test/Proxy-Authorization: HTTP/1.1\r\nHost: a.test\r\n\r\n";
        check(Protocol::Http, head, b"");
        check(Protocol::Http, b"\x16\x03\x01", b"");
        check(Protocol::Socks4, b"\x04\x01\0\x50\0\0\0\x01\0a.test\0", b"");
        check(Protocol::Socks4, b"\x04\x01", b"");
        check(Protocol::Socks4, b"GET / HTTP/1.1\r\n\r\n", b"");
        check(Protocol::Socks5, b"\x05\x02\0\x02", b"");
        check(Protocol::Socks5, b"\x05\x01\0\x03\x06a.test\0\x50", b"");
    }
}
