//! SOCKS 4 and 4a: one request, one reply of eight bytes.

use super::Progress;
use crate::rule::Rule;
use crate::target::Target;
use crate::{Credentials, Verdict};
use std::net::IpAddr;
use std::rc::Rc;

/// Length of the reply: version, code, port, address.
const REPLY_BYTES: u8 = 8;

/// The request for a connection to `target`: by address if it is IPv4, by name (4a) if it is a
/// name. The user name goes into the USERID field; SOCKS 4 has no password.
///
/// # Errors
/// What SOCKS 4 cannot say ends the probe before it begins: an IPv6 target is `denied` by the
/// protocol itself, and a user name with a NUL, which would end the field early, is `auth_required`.
pub(crate) fn request(
    target: &Target,
    credentials: Option<&Credentials>,
) -> Result<Rc<[u8]>, Rule> {
    let user = credentials.map_or("", |credentials| &credentials.user);
    if user.contains('\0') {
        return Err(Rule::Told(
            Verdict::AuthRequired,
            "SOCKS 4 cannot carry a user name with a NUL in it",
        ));
    }
    let (address, name) = match target.host.parse() {
        Ok(IpAddr::V4(ip)) => (ip.octets(), None),
        Ok(IpAddr::V6(_)) => {
            let rule = "SOCKS 4 cannot name a target by its IPv6 address";
            return Err(Rule::Told(Verdict::Denied, rule));
        }
        // 4a: an address 0.0.0.x with x other than 0 announces a name behind the user.
        Err(_) => ([0, 0, 0, 1], Some(&target.host)),
    };
    let mut request = vec![4, 1];
    request.extend(target.port.to_be_bytes());
    request.extend(address);
    request.extend(user.as_bytes());
    request.push(0);
    if let Some(name) = name {
        request.extend(name.as_bytes());
        request.push(0);
    }
    Ok(request.into())
}

/// Reads the reply to [`request`].
#[derive(Default)]
pub(crate) struct Socks4 {
    /// Bytes of the reply that were read.
    read: u8,
}

impl Socks4 {
    /// Takes bytes of the reply, at least one. A refusal is final at its code: many a server closes
    /// without the six bytes behind it, which mean nothing.
    pub(crate) fn received(&mut self, bytes: &[u8]) -> Progress {
        for (index, &byte) in bytes.iter().enumerate() {
            match (self.read, byte) {
                (0, 0) | (1, 90) | (2.., _) => self.read += 1,
                (1, code) => return Progress::Ended(Rule::Socks4(code)),
                (_, _) => {
                    let rule = "a SOCKS 4 reply begins with 0";
                    return Progress::Ended(Rule::garbled(rule));
                }
            }
            if self.read == REPLY_BYTES {
                return Progress::open(&bytes[index + 1..]);
            }
        }
        Progress::Recv
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::handshake::Seen;
    use crate::policy::{PolicyOptions, ProbePolicy};
    use crate::verify::tests::splits;

    fn check_request(url: &str, user: Option<&str>, expected: Result<&[u8], Verdict>) {
        let options = PolicyOptions {
            targets: vec![url.into()],
            ..PolicyOptions::default()
        };
        let target = ProbePolicy::new(options).unwrap().targets[0].clone();
        let credentials = user.map(|user| Credentials {
            user: user.into(),
            password: "unused".into(),
        });
        let request = request(&target, credentials.as_ref()).map_err(|rule| rule.verdict());
        assert_eq!(request.as_deref(), expected.as_deref(), "{url}");
    }

    #[test]
    fn an_address_is_asked_for_as_socks4_and_a_name_as_socks4a() {
        check_request(
            "http://192.0.2.7/",
            None,
            Ok(b"\x04\x01\x00\x50\xc0\x00\x02\x07\x00"),
        );
        let named = b"\x04\x01\x01\xbb\x00\x00\x00\x01\x00a.example\x00";
        check_request("https://a.example/", None, Ok(named));
        let with_user = b"\x04\x01\x01\xbb\x00\x00\x00\x01me\x00a.example\x00";
        check_request("https://a.example/", Some("me"), Ok(with_user));
    }

    #[test]
    fn what_socks4_cannot_say_is_not_said() {
        check_request("http://[2001:db8::1]/", None, Err(Verdict::Denied));
        check_request(
            "http://a.example/",
            Some("a\0b"),
            Err(Verdict::AuthRequired),
        );
    }

    fn check(reply: &[u8], expected: Seen) {
        for pieces in splits(reply) {
            let mut socks = Socks4::default();
            let last = pieces
                .iter()
                .map(|piece| Seen::from(socks.received(piece)))
                .find(|progress| *progress != Seen::Recv);
            assert_eq!(last.unwrap_or(Seen::Recv), expected, "{pieces:?}");
        }
    }

    #[test]
    fn every_code_has_its_verdict() {
        check(&[0, 90, 1, 2, 3, 4, 5, 6], Seen::Open);
        check(&[0, 91], Seen::Ended(Verdict::Denied));
        check(&[0, 91, 0, 0, 0, 0, 0, 0], Seen::Ended(Verdict::Denied));
        check(
            &[0, 92, 0, 0, 0, 0, 0, 0],
            Seen::Ended(Verdict::AuthRequired),
        );
        check(
            &[0, 93, 0, 0, 0, 0, 0, 0],
            Seen::Ended(Verdict::AuthRequired),
        );
        for code in (0..=255).filter(|code| !(90..=93).contains(code)) {
            check(&[0, code], Seen::Ended(Verdict::BadProtocol));
        }
    }

    #[test]
    fn half_a_grant_is_no_grant() {
        check(&[0, 90, 0, 0, 0, 0, 0], Seen::Recv);
    }

    #[test]
    fn an_http_server_is_not_a_socks_proxy() {
        check(
            b"HTTP/1.1 400 Bad Request\r\n\r\n",
            Seen::Ended(Verdict::BadProtocol),
        );
        check(
            &[4, 90, 0, 0, 0, 0, 0, 0],
            Seen::Ended(Verdict::BadProtocol),
        );
    }

    #[test]
    fn a_tunnel_that_speaks_first_is_no_tunnel() {
        let progress = Socks4::default().received(&[0, 90, 0, 0, 0, 0, 0, 0, b'x']);
        assert_eq!(Seen::from(progress), Seen::Ended(Verdict::BadProtocol));
    }
}
