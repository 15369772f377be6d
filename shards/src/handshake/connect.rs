//! CONNECT: a tunnel through an HTTP proxy (RFC 9110, section 9.3.6).

use super::Progress;
use crate::policy::ProbePolicy;
use crate::rule::Rule;
use crate::target::Target;
use crate::verify::head::{HeadReader, Wanted};
use std::rc::Rc;

/// The request for a tunnel to the target. The port is always named.
pub(crate) fn request(policy: &ProbePolicy, target: &Target) -> Rc<[u8]> {
    let user_agent = &policy.user_agent;
    let (host, port) = (&target.host, target.port);
    let authority = match host.contains(':') {
        true => format!("[{host}]:{port}"),
        false => format!("{host}:{port}"),
    };
    let request = format!(
        "CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\nUser-Agent: {user_agent}\r\n\r\n"
    );
    request.into_bytes().into()
}

/// Reads the proxy's reply to [`request`]: a head without a body, whatever its fields announce.
#[derive(Default)]
pub(crate) struct Connect(HeadReader);

impl Connect {
    /// Takes bytes of the reply, at least one.
    pub(crate) fn received(&mut self, bytes: &[u8]) -> Progress {
        match self.0.received(Wanted::default(), bytes) {
            Ok(None) => Progress::Recv,
            Ok(Some((head, rest))) => match head.status {
                200..=299 => Progress::open(rest),
                status => Progress::Ended(Rule::Tunnel(status)),
            },
            Err(rule) => Progress::Ended(rule),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Verdict;
    use crate::handshake::Seen;
    use crate::policy::PolicyOptions;
    use crate::verify::tests::splits;

    #[test]
    fn the_request_names_host_and_port() {
        for (url, line) in [
            (
                "https://a.example/x",
                "CONNECT a.example:443 HTTP/1.1\r\nHost: a.example:443\r\n",
            ),
            (
                "https://[2001:db8::1]:8443",
                "CONNECT [2001:db8::1]:8443 HTTP/1.1\r\n",
            ),
        ] {
            let options = PolicyOptions {
                targets: vec![url.into()],
                ..PolicyOptions::default()
            };
            let policy = ProbePolicy::new(options).unwrap();
            let request = request(&policy, &policy.targets[0]);
            assert!(request.starts_with(line.as_bytes()), "{request:?}");
            assert!(request.ends_with(b"\r\n\r\n"));
        }
    }

    /// The reply leads to `expected`, however it is split.
    fn check(reply: &str, expected: Seen) {
        for pieces in splits(reply.as_bytes()) {
            let mut connect = Connect::default();
            let last = pieces
                .iter()
                .map(|piece| Seen::from(connect.received(piece)))
                .find(|progress| *progress != Seen::Recv);
            assert_eq!(
                last.unwrap_or(Seen::Recv),
                expected,
                "{reply:?} as {pieces:?}"
            );
        }
    }

    fn check_ended(reply: &str, verdict: Verdict) {
        check(reply, Seen::Ended(verdict));
    }

    #[test]
    fn any_success_opens_the_tunnel() {
        check("HTTP/1.1 200 Connection established\r\n\r\n", Seen::Open);
        check("HTTP/1.0 200\r\nProxy-agent: x\r\n\r\n", Seen::Open);
        check("HTTP/1.1 299 Odd\r\n\r\n", Seen::Open);
        check("HTTP/1.1 200 OK\n\n", Seen::Open);
    }

    #[test]
    fn a_success_has_no_body_whatever_it_announces() {
        check("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", Seen::Open);
        check("HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", Seen::Open);
        check(
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
            Seen::Open,
        );
    }

    #[test]
    fn interim_replies_are_skipped() {
        check(
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
            Seen::Open,
        );
        check_ended(
            "HTTP/1.1 102 Wait\r\n\r\nHTTP/1.1 403 No\r\n\r\n",
            Verdict::Denied,
        );
    }

    #[test]
    fn a_refusal_is_told_from_a_demand_for_credentials() {
        check_ended(
            "HTTP/1.1 407 Who?\r\nContent-Length: 9\r\n\r\n",
            Verdict::AuthRequired,
        );
        for status in [101, 302, 400, 403, 404, 405, 500, 502, 503, 504, 999] {
            check_ended(&format!("HTTP/1.1 {status} No\r\n\r\n"), Verdict::Denied);
        }
    }

    #[test]
    fn what_is_not_http_is_said_so_at_its_first_wrong_byte() {
        check_ended("\x05\x00", Verdict::BadProtocol);
        check_ended("SSH-2.0-OpenSSH_9\r\n", Verdict::BadProtocol);
        check_ended("HTTP/2", Verdict::BadProtocol);
    }

    #[test]
    fn a_tunnel_that_speaks_first_is_no_tunnel() {
        let mut connect = Connect::default();
        let progress = connect.received(b"HTTP/1.1 200 OK\r\n\r\n<html>");
        assert_eq!(Seen::from(progress), Seen::Ended(Verdict::BadProtocol));
    }
}
