//! The list, the requests, and the rows that come of them.

use super::answer::End;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::io::{self, BufWriter, Write};
use std::net::SocketAddrV4;

/// A proxy of the list.
#[derive(Clone, Copy, Debug)]
pub(super) struct Peer {
    pub(super) at: SocketAddrV4,
    /// Which of the requests it is sent.
    pub(super) request: u16,
}

/// All that is to be done.
#[derive(Debug)]
pub(super) struct Work {
    text: String,
    pub(super) peers: Vec<Peer>,
    /// One for each credentials of the list.
    requests: Vec<Box<[u8]>>,
}

impl Work {
    /// Reads `text`, one `http://[user:pass@]a.b.c.d:port` a line.
    pub(super) fn new(text: String, target: &str) -> io::Result<Work> {
        let wrong = |what: &str| io::Error::new(io::ErrorKind::InvalidInput, what.to_owned());
        let (mut peers, mut requests, mut credentials) = (Vec::new(), Vec::new(), Vec::new());
        for line in text.lines() {
            let not_ours = || wrong(&format!("{line:?}: not http:// with an IPv4 address"));
            let rest = line.strip_prefix("http://").ok_or_else(not_ours)?;
            let (user, host) = match rest.rsplit_once('@') {
                Some((user, host)) => (Some(user), host),
                None => (None, rest),
            };
            let at = host.parse().map_err(|_| not_ours())?;
            if line.contains(['"', '\\']) {
                return Err(not_ours());
            }
            let known = credentials.iter().position(|known| *known == user);
            let request = known.unwrap_or(credentials.len());
            if known.is_none() {
                credentials.push(user);
                requests.push(request_for(target, user).ok_or_else(|| wrong("the target's URL"))?);
            }
            let request = u16::try_from(request).map_err(|_| wrong("too many credentials"))?;
            peers.push(Peer { at, request });
        }
        match peers.is_empty() {
            true => Err(wrong("the list is empty")),
            false => Ok(Work {
                text,
                peers,
                requests,
            }),
        }
    }

    /// What is said to a peer; all that has the same credentials is at the same place.
    pub(super) fn request(&self, peer: Peer) -> &[u8] {
        &self.requests[usize::from(peer.request)]
    }

    /// Every request, in the order of their numbers.
    pub(super) fn requests(&self) -> impl Iterator<Item = &[u8]> {
        self.requests.iter().map(|request| &**request)
    }

    /// Writes a row for each end, in the order of the list.
    pub(super) fn write(&self, ends: &[End], out: impl Write) -> io::Result<()> {
        let mut out = BufWriter::new(out);
        for (line, end) in self.text.lines().zip(ends) {
            writeln!(out, r#"{{"proxy":"{line}","verdict":"{}"}}"#, end.label())?;
        }
        out.flush()
    }
}

/// The absolute form (RFC 9112, section 3.2.2), as a proxy takes it.
fn request_for(target: &str, user: Option<&str>) -> Option<Box<[u8]>> {
    let host = target.strip_prefix("http://")?.split('/').next()?;
    let login = user.map(|user| STANDARD.encode(user));
    let login = login.map(|basic| format!("Proxy-Authorization: Basic {basic}\r\n"));
    let login = login.unwrap_or_default();
    let request = format!(
        "GET {target} HTTP/1.1\r\nHost: {host}\r\n{login}User-Agent: reference\r\nAccept: */*\r\nConnection: close\r\n\r\n"
    );
    Some(request.into_bytes().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TARGET: &str = "http://127.0.0.1:80/generate_204";

    #[test]
    fn those_with_the_same_credentials_share_a_request() {
        let list = "http://127.4.0.0:1\nhttp://user:pass@127.5.0.0:1\nhttp://127.4.0.1:1\n";
        let work = Work::new(list.into(), TARGET).expect("a list");
        let text = |n: usize| String::from_utf8_lossy(work.request(work.peers[n])).into_owned();
        assert_eq!(work.requests.len(), 2);
        assert_eq!(text(0), text(2));
        assert!(text(0).starts_with(
            "GET http://127.0.0.1:80/generate_204 HTTP/1.1\r\nHost: 127.0.0.1:80\r\n"
        ));
        assert!(text(1).contains("Proxy-Authorization: Basic dXNlcjpwYXNz\r\n"));
    }

    #[test]
    fn what_these_checkers_cannot_do_is_told_at_once() {
        for list in [
            "",
            "socks5://127.4.0.0:1",
            "http://[::1]:80",
            "http://name:80",
        ] {
            assert!(Work::new(list.into(), TARGET).is_err(), "{list}");
        }
        assert!(Work::new("http://127.4.0.0:1".into(), "https://t/").is_err());
    }

    #[test]
    fn a_row_has_the_proxy_as_it_is_listed() {
        let work = Work::new("http://u:p@127.4.0.0:1".into(), TARGET).expect("a list");
        let mut out = Vec::new();
        work.write(&[End::Alive], &mut out).expect("written");
        let row = "{\"proxy\":\"http://u:p@127.4.0.0:1\",\"verdict\":\"alive\"}\n";
        assert_eq!(String::from_utf8_lossy(&out), row);
    }
}
