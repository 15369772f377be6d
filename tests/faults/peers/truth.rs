//! Whether what a peer said is really the target's answer. Written from the RFCs and from what the farm
//! says, not from the engine: what it calls alive must be so by this, too.

use proxy_bench::farm::{Aim, TARGET_BODY};
use proxy_shards::Protocol;

/// A conversation as its peer had it: by which protocol and for which aim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Way {
    pub(crate) protocol: Protocol,
    pub(crate) aim: Aim,
}

/// The most that the payload of a record has that only says that TLS ends: an alert of two bytes, its
/// type and its seal (RFC 8446, section 5.2), once more in a record of that kind if TLS is in TLS.
const ALERT_BYTES_MAX: usize = 19 + 5 + 17;

impl Way {
    /// Whether `said` holds an answer that proves the target, where it would have been `meant`. Nothing
    /// is asked of what lies behind it.
    pub(crate) fn is_answer(self, meant: &[u8], said: &[u8]) -> bool {
        if self.protocol == Protocol::Https {
            return is_same_tls(meant, said);
        }
        let (Some(meant), Some(said)) = (self.behind_handshake(meant), self.behind_handshake(said))
        else {
            return false;
        };
        match self.aim.is_tls() {
            true => is_same_tls(meant, said),
            false => self.is_plain_answer(meant, said),
        }
    }

    /// What comes when the proxy has opened the way, if it has.
    fn behind_handshake(self, said: &[u8]) -> Option<&[u8]> {
        match self.protocol {
            Protocol::Socks4 => (said.first_chunk()? == &[0, 90]).then(|| said.get(8..))?,
            Protocol::Socks5 => {
                let reply = said.strip_prefix(&[5, 0])?.strip_prefix(&[5, 0])?;
                let address = match reply.get(1)? {
                    1 => 4,
                    3 => 1 + usize::from(*reply.get(2)?),
                    4 => 16,
                    _ => return None,
                };
                reply.get(2 + address + 2..)
            }
            Protocol::Http | Protocol::Https if self.is_tunnelled() => {
                let (status, rest) = head(said)?;
                (200..300).contains(&status).then_some(rest)
            }
            Protocol::Http | Protocol::Https => Some(said),
        }
    }

    fn is_tunnelled(self) -> bool {
        self.aim == Aim::Tunnel || self.aim.is_tls()
    }

    fn is_plain_answer(self, meant: &[u8], said: &[u8]) -> bool {
        let Some((status, body)) = head(said) else {
            return false;
        };
        match self.aim {
            Aim::KnownBody => status == 200 && body.starts_with(TARGET_BODY.as_bytes()),
            // The page is sealed from its first byte to its last.
            Aim::Judge | Aim::JudgeTls => {
                let page = head(meant).map(|(_, page)| page);
                status == 200 && page.is_some_and(|page| !page.is_empty() && body.starts_with(page))
            }
            _ => status == 204,
        }
    }
}

/// The status of the first final head of HTTP/1 (RFC 9112, sections 2 and 4), and what is behind it.
fn head(said: &[u8]) -> Option<(u16, &[u8])> {
    let mut rest = said;
    loop {
        let line = rest.strip_prefix(b"HTTP/1.")?.get(1..)?;
        let status = std::str::from_utf8(line.strip_prefix(b" ")?.get(..3)?).ok()?;
        let status: u16 = status.parse().ok()?;
        let mut start = true;
        let mut bytes = rest.iter().enumerate().filter(|(_, byte)| **byte != b'\r');
        let end = bytes.find_map(|(at, byte)| match (byte, start) {
            (b'\n', true) => Some(at + 1),
            (byte, _) => {
                start = *byte == b'\n';
                None
            }
        })?;
        rest = &rest[end..];
        if !matches!(status, 100 | 102..=199) {
            return Some((status, rest));
        }
    }
}

/// Whether TLS says the same. Every record is sealed, or is a part of the handshake, of which every byte
/// is vouched for by its `Finished`; but the version in a record's head means nothing, nor does a
/// `ChangeCipherSpec` (RFC 8446, sections 5.1 and 5), nor what is behind the end.
fn is_same_tls(meant: &[u8], said: &[u8]) -> bool {
    let mut meant = records(meant);
    while meant
        .last()
        .is_some_and(|(_, payload)| payload.len() <= ALERT_BYTES_MAX)
    {
        meant.pop();
    }
    !meant.is_empty() && records(said).starts_with(&meant)
}

/// The whole records that mean something: type and payload.
fn records(mut wire: &[u8]) -> Vec<(u8, &[u8])> {
    const CHANGE_CIPHER_SPEC: u8 = 20;
    let mut records = Vec::new();
    while let Some(&[kind, _, _, high, low]) = wire.first_chunk() {
        let length = usize::from(u16::from_be_bytes([high, low]));
        let Some(payload) = wire.get(5..5 + length) else {
            break;
        };
        if (kind, payload) != (CHANGE_CIPHER_SPEC, &[1]) {
            records.push((kind, payload));
        }
        wire = &wire[5 + length..];
    }
    records
}

#[cfg(test)]
mod tests {
    use super::*;

    const GRANT5: &[u8] = b"\x05\0\x05\0\0\x01\0\0\0\0\0\0";
    const NO_CONTENT: &[u8] = b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n";

    /// Whether `said` is an answer where `meant` would have been.
    fn check(protocol: Protocol, aim: Aim, meant: &[u8], said: &[u8], expected: bool) {
        let way = Way { protocol, aim };
        let text = said.escape_ascii();
        assert_eq!(way.is_answer(meant, said), expected, "{way:?} {text}");
    }

    #[test]
    fn an_answer_is_one_in_any_words_that_mean_the_same() {
        let check = |said, expected| {
            check(Protocol::Http, Aim::NoContent, NO_CONTENT, said, expected);
        };
        check(NO_CONTENT, true);
        check(b"HTTP/1.0 204 No C\n\n", true);
        check(
            b"HTTP/1.1 100 Go\r\n\r\nHTTP/1.1 204 N\r\na: b\r\n\r\nmore",
            true,
        );
        check(b"HTTP/1.1 200 OK\r\n\r\n", false);
        check(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n", false);
        check(b"HTTQ/1.1 204 No Content\r\n\r\n", false);
    }

    #[test]
    fn the_way_must_have_been_opened() {
        let after = |grant: &[u8]| [grant, NO_CONTENT].concat();
        let meant = after(GRANT5);
        let check5 = |grant: &[u8], expected| {
            let protocol = Protocol::Socks5;
            check(protocol, Aim::NoContent, &meant, &after(grant), expected);
        };
        check5(GRANT5, true);
        check5(b"\x05\0\x05\0\x07\x03\x02ab\x01\x02", true);
        check5(b"\x05\0\x05\x01\0\x01\0\0\0\0\0\0", false);
        check5(b"\x05\0\x05\0\0\x01\0\0\0\0\0", false);
        let meant = after(b"\0\x5a\0\0\0\0\0\0");
        check(Protocol::Socks4, Aim::NoContent, &meant, &meant, true);
        check(Protocol::Socks4, Aim::NoContent, &meant, &meant[1..], false);
        let meant = after(b"HTTP/1.1 200 Connection established\r\n\r\n");
        check(Protocol::Http, Aim::Tunnel, &meant, &meant, true);
        check(Protocol::Http, Aim::Tunnel, &meant, NO_CONTENT, false);
    }

    #[test]
    fn a_page_is_the_page_to_its_last_byte() {
        let page = |body: &str| format!("HTTP/1.1 200 OK\r\n\r\n{body}").into_bytes();
        let (whole, short) = (page(TARGET_BODY), page(&TARGET_BODY[1..]));
        check(Protocol::Http, Aim::KnownBody, &whole, &whole, true);
        check(Protocol::Http, Aim::KnownBody, &whole, &short, false);
        let (sealed, other) = (page("nonce, seal"), page("nonce, sea1"));
        check(Protocol::Http, Aim::Judge, &sealed, &sealed, true);
        check(Protocol::Http, Aim::Judge, &sealed, &other, false);
    }

    #[test]
    fn of_tls_only_what_nobody_reads_may_differ() {
        let record = |kind: u8, version: u8, payload: &[u8]| {
            let length = u16::try_from(payload.len()).unwrap().to_be_bytes();
            [&[kind, 3, version], &length[..], payload].concat()
        };
        let (hello, answer) = (record(22, 3, &[2; 90]), record(23, 3, &[7; 80]));
        let (spec, alert) = (record(20, 3, &[1]), record(23, 3, &[9; 19]));
        let meant = [&hello[..], &spec, &answer, &alert].concat();
        let check = |said: &[&[u8]], expected| {
            let said = said.concat();
            check(Protocol::Https, Aim::NoContent, &meant, &said, expected);
        };
        check(&[&meant], true);
        check(&[&hello, &answer], true);
        check(&[&record(22, 1, &[2; 90]), &spec, &spec, &answer], true);
        check(&[&hello, &spec, &answer[..84]], false);
        check(&[&hello, &spec, &record(23, 3, &[8; 80])], false);
        check(&[&record(21, 3, &[2; 90]), &answer], false);
        check(&[], false);
    }
}
