//! One ledger entry as bytes. Numbers are little-endian and of fixed width, so that a record keeps
//! its length when its candidate is checked again: the chunks behind it stay where they are.
//!
//! `protocol u8 · host tag u8 · host · port u16 · login u8 [user, password] · verdict u8 ·
//! latency_us u32 · checked_at_ms u64 · alive_at_ms u64 · failures u32`; a text is a length in one
//! byte and UTF-8. The codes below are stored: never change one, only add.

use crate::ledger::Entry;
use proxy_shards::{Candidate, Credentials, Host, Scheme, Timing, Verdict, Works};
use std::sync::Arc;

/// The shortest record, in bytes.
pub(super) const RECORD_BYTES_MIN: usize = 34;

const HOST_V4: u8 = 4;
const HOST_V6: u8 = 6;
const HOST_NAME: u8 = 1;
const LOGIN_NONE: u8 = 0;
const LOGIN_PASSWORD: u8 = 1;
const VERDICT_NONE: u8 = 0;

/// Whether an entry comes back as it is: true for all that a list can hold.
pub(super) fn is_storable(entry: &Entry) -> bool {
    let candidate = &entry.candidate;
    let host_ok = match &candidate.host {
        Host::Name(name) => name.len() <= 253 && is_host_name(name),
        Host::V4(_) | Host::V6(_) => true,
    };
    let login_ok = candidate.credentials.as_ref().is_none_or(|c| {
        let lengths = (c.user.len(), c.password.len());
        lengths != (0, 0) && lengths.0 <= 255 && lengths.1 <= 255
    });
    host_ok && login_ok && candidate.port != 0
}

fn is_host_name(name: &str) -> bool {
    matches!(name.parse(), Ok(Host::Name(read)) if *read == *name)
}

/// Appends a storable entry.
pub(super) fn encode(entry: &Entry, out: &mut Vec<u8>) {
    let candidate = &entry.candidate;
    out.push(scheme_code(candidate.scheme));
    match &candidate.host {
        Host::V4(ip) => {
            out.push(HOST_V4);
            out.extend(ip.octets());
        }
        Host::V6(ip) => {
            out.push(HOST_V6);
            out.extend(ip.octets());
        }
        Host::Name(name) => {
            out.push(HOST_NAME);
            put_text(name, out);
        }
    }
    out.extend(candidate.port.to_le_bytes());
    match &candidate.credentials {
        None => out.push(LOGIN_NONE),
        Some(credentials) => {
            out.push(LOGIN_PASSWORD);
            put_text(&credentials.user, out);
            put_text(&credentials.password, out);
        }
    }
    out.push(entry.verdict.map_or(VERDICT_NONE, verdict_code));
    out.extend(entry.timing.total_us.to_le_bytes());
    out.extend(entry.checked_at_ms.to_le_bytes());
    out.extend(entry.alive_at_ms.to_le_bytes());
    out.extend(entry.failures.to_le_bytes());
}

fn put_text(text: &str, out: &mut Vec<u8>) {
    debug_assert!(text.len() <= 255, "is_storable looks at the length");
    out.push(text.len() as u8);
    out.extend(text.as_bytes());
}

/// Reads records, one after the other. Total: any bytes give an entry or `None`.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Reader<'a> {
        Reader { rest: bytes }
    }

    /// Whether all was read.
    pub(super) fn is_at_end(&self) -> bool {
        self.rest.is_empty()
    }

    /// The next entry.
    pub(super) fn entry(&mut self) -> Option<Entry> {
        Some(Entry {
            candidate: self.candidate()?,
            verdict: match self.u8()? {
                VERDICT_NONE => None,
                code => Some(verdict_of(code)?),
            },
            works: Works::default(),
            exit: None,
            timing: Timing {
                total_us: self.u32()?,
                ..Timing::default()
            },
            checked_at_ms: self.u64()?,
            alive_at_ms: self.u64()?,
            failures: self.u32()?,
            history: Box::default(),
        })
    }

    fn candidate(&mut self) -> Option<Candidate> {
        let code = self.u8()?;
        Some(Candidate {
            scheme: Scheme::ALL.into_iter().find(|&s| scheme_code(s) == code)?,
            host: self.host()?,
            port: self.u16().filter(|&port| port != 0)?,
            credentials: self.credentials()?,
        })
    }

    fn host(&mut self) -> Option<Host> {
        match self.u8()? {
            HOST_V4 => self.array::<4>().map(|ip| Host::V4(ip.into())),
            HOST_V6 => self.array::<16>().map(|ip| Host::V6(ip.into())),
            HOST_NAME => {
                let name = self.text()?;
                is_host_name(name).then(|| Host::Name(name.into()))
            }
            _ => None,
        }
    }

    fn credentials(&mut self) -> Option<Option<Arc<Credentials>>> {
        match self.u8()? {
            LOGIN_NONE => Some(None),
            LOGIN_PASSWORD => {
                let (user, password) = (self.text()?.into(), self.text()?.into());
                Some(Some(Arc::new(Credentials { user, password })))
            }
            _ => None,
        }
    }

    fn text(&mut self) -> Option<&'a str> {
        let length = self.u8()?;
        std::str::from_utf8(self.take(usize::from(length))?).ok()
    }

    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(count)?;
        self.rest = rest;
        Some(taken)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    pub(super) fn u8(&mut self) -> Option<u8> {
        self.array().map(u8::from_le_bytes)
    }

    pub(super) fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_le_bytes)
    }

    pub(super) fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    pub(super) fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }
}

const fn scheme_code(scheme: Scheme) -> u8 {
    match scheme {
        Scheme::Http => 1,
        Scheme::Socks4 => 2,
        Scheme::Socks5 => 3,
        Scheme::Https => 4,
        Scheme::Auto => 5,
    }
}

const fn verdict_code(verdict: Verdict) -> u8 {
    match verdict {
        Verdict::Alive => 1,
        Verdict::Refused => 2,
        Verdict::Unreachable => 3,
        Verdict::Reset => 4,
        Verdict::ConnectTimeout => 5,
        Verdict::HandshakeTimeout => 6,
        Verdict::ResponseTimeout => 7,
        Verdict::Closed => 8,
        Verdict::BadProtocol => 9,
        Verdict::AuthRequired => 10,
        Verdict::Denied => 11,
        Verdict::WrongStatus => 12,
        Verdict::OwnPage => 13,
        Verdict::Redirected => 14,
        Verdict::TlsIntercepted => 15,
        Verdict::Tampered => 16,
        Verdict::TooLarge => 17,
        Verdict::LocalDescriptors => 18,
        Verdict::LocalPorts => 19,
        Verdict::LocalMemory => 20,
        Verdict::LocalNetwork => 21,
        Verdict::LocalNames => 22,
        Verdict::LocalCancelled => 23,
        Verdict::LocalFault => 24,
        Verdict::LocalTarget => 25,
    }
}

fn verdict_of(code: u8) -> Option<Verdict> {
    Verdict::ALL.into_iter().find(|&v| verdict_code(v) == code)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::contract::random_entry;

    /// The codes as they are in stores out there, each beside its label: a row is never changed.
    const STORED: [(u8, &str); 25] = [
        (1, "alive"),
        (2, "refused"),
        (3, "unreachable"),
        (4, "reset"),
        (5, "connect_timeout"),
        (6, "handshake_timeout"),
        (7, "response_timeout"),
        (8, "closed"),
        (9, "bad_protocol"),
        (10, "auth_required"),
        (11, "denied"),
        (12, "wrong_status"),
        (13, "own_page"),
        (14, "redirected"),
        (15, "tls_intercepted"),
        (16, "tampered"),
        (17, "too_large"),
        (18, "local_descriptors"),
        (19, "local_ports"),
        (20, "local_memory"),
        (21, "local_network"),
        (22, "local_names"),
        (23, "local_cancelled"),
        (24, "local_fault"),
        (25, "local_target"),
    ];

    #[test]
    fn a_stored_code_means_the_same_verdict_for_ever() {
        for (code, label) in STORED {
            assert_eq!(verdict_of(code).map(Verdict::label), Some(label));
        }
        assert_eq!(STORED.len(), Verdict::COUNT);
        assert_eq!(Scheme::ALL.map(scheme_code), [5, 1, 4, 2, 3]);
    }

    #[test]
    fn the_bytes_of_a_record_are_these() {
        let entry = Entry {
            verdict: Some(Verdict::Refused),
            timing: Timing {
                total_us: 1,
                ..Timing::default()
            },
            checked_at_ms: 2,
            alive_at_ms: 3,
            failures: 4,
            ..Entry::new("socks5://u:p@1.2.3.4:1080".parse().unwrap())
        };
        let mut bytes = Vec::new();
        encode(&entry, &mut bytes);
        let candidate = [3, 4, 1, 2, 3, 4, 0x38, 0x04, 1, 1, b'u', 1, b'p'];
        let rest = [
            2, 1, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0,
        ];
        assert_eq!(bytes, [&candidate[..], &rest[..]].concat());
    }

    #[test]
    fn entries_come_back_as_they_went_in() {
        let mut random = fastrand::Rng::with_seed(1);
        let entries: Vec<Entry> = (0..2_000).map(|_| random_entry(&mut random)).collect();
        let mut bytes = Vec::new();
        for entry in &entries {
            assert!(is_storable(entry));
            let before = bytes.len();
            encode(entry, &mut bytes);
            assert!(bytes.len() - before >= RECORD_BYTES_MIN);
        }
        let mut reader = Reader::new(&bytes);
        for entry in entries {
            assert_eq!(reader.entry(), Some(entry));
        }
        assert!(reader.is_at_end());
    }

    #[test]
    fn what_no_list_can_hold_is_not_storable() {
        let mut random = fastrand::Rng::with_seed(2);
        let base = random_entry(&mut random);
        let with = |change: &dyn Fn(&mut Candidate)| {
            let mut entry = base.clone();
            change(&mut entry.candidate);
            is_storable(&entry)
        };
        let login = |user: &str, password: &str| {
            let (user, password) = (user.into(), password.into());
            Some(Arc::new(Credentials { user, password }))
        };
        assert!(!with(&|c| c.port = 0));
        assert!(!with(&|c| c.host = Host::Name("A.example".into())));
        assert!(!with(&|c| c.host = Host::Name("a\nb".into())));
        assert!(!with(&|c| c.host = Host::Name("1.2.3.4".into())));
        assert!(!with(&|c| c.credentials = login("", "")));
        assert!(!with(&|c| c.credentials = login("u", &"p".repeat(256))));
        assert!(with(&|c| c.credentials = login(&"u".repeat(255), "")));
    }

    #[test]
    fn any_bytes_give_an_entry_or_nothing() {
        let mut random = fastrand::Rng::with_seed(3);
        for _ in 0..20_000 {
            let mut bytes = Vec::new();
            encode(&random_entry(&mut random), &mut bytes);
            let at = random.usize(..bytes.len());
            bytes[at] = random.u8(..);
            bytes.truncate(random.usize(..=bytes.len()));
            if let Some(entry) = Reader::new(&bytes).entry() {
                let _ = entry.candidate.url().to_string();
            }
        }
    }
}
