//! One ledger entry as bytes. Numbers are little-endian and of fixed width, so that a record keeps
//! its length when its candidate is checked again, and only grows once, when that is alive for the
//! first time: the chunks behind it stay where they are.
//!
//! `scheme u8 · host tag u8 · host · port u16 · login u8 [user, password] · verdict u8 ·
//! checked_at_ms u64 · failures u32 · works 4 × u8 · life u8 [life]`; a text is a length in one
//! byte and UTF-8. `life` is what only a candidate has that was alive once: `alive_at_ms u64 ·
//! timing 5 × u32 · exit tag u8, 16 bytes, anonymity u8 · checks u8, 16 × (at_s u32, total_us u32,
//! verdict u8)`, the oldest check first, with zeros where there is nothing.

mod code;
pub(super) mod first;

use crate::ledger::{Check, Entry, HISTORY_MAX};
use proxy_shards::works::TARGETS_MAX;
use proxy_shards::{Candidate, Credentials, Exit, Host, Targets, Timing, Verdict, Works};
use std::net::IpAddr;
use std::sync::Arc;

/// Bytes of one check.
const CHECK_BYTES: usize = 9;

/// Appends the names of targets: how many in one byte, and each; nothing if they are not known.
pub(super) fn put_targets(names: &[Box<str>], out: &mut Vec<u8>) {
    debug_assert!(names.len() <= TARGETS_MAX, "a policy has no more");
    if !names.is_empty() {
        out.push(names.len() as u8);
        names.iter().for_each(|name| put_text(name, out));
    }
}

/// Whether an entry comes back as it is: true for all that a list can hold.
pub(crate) fn is_storable(entry: &Entry) -> bool {
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
pub(crate) fn encode(entry: &Entry, out: &mut Vec<u8>) {
    put_candidate(&entry.candidate, out);
    put_verdict(entry.verdict, out);
    out.extend(entry.checked_at_ms.to_le_bytes());
    out.extend(entry.failures.to_le_bytes());
    put_works(entry.works, out);
    match has_lived(entry) {
        false => out.push(code::LIFE_NONE),
        true => {
            out.push(code::LIFE);
            put_life(entry, out);
        }
    }
}

/// Whether there is anything that only a candidate has that was alive once.
fn has_lived(entry: &Entry) -> bool {
    entry.alive_at_ms != 0
        || entry.timing != Timing::default()
        || entry.exit.is_some()
        || !entry.history.is_empty()
}

/// The checks that are kept: the newest, should there be too many.
pub(super) fn kept(history: &[Check]) -> &[Check] {
    &history[history.len().saturating_sub(HISTORY_MAX)..]
}

pub(crate) fn put_candidate(candidate: &Candidate, out: &mut Vec<u8>) {
    out.push(code::scheme(candidate.scheme));
    put_host(&candidate.host, out);
    out.extend(candidate.port.to_le_bytes());
    put_credentials(candidate.credentials.as_deref(), out);
}

/// Appends where a proxy listens, without its port.
pub(crate) fn put_host(host: &Host, out: &mut Vec<u8>) {
    match host {
        Host::V4(ip) => {
            out.push(code::HOST_V4);
            out.extend(ip.octets());
        }
        Host::V6(ip) => {
            out.push(code::HOST_V6);
            out.extend(ip.octets());
        }
        Host::Name(name) => {
            out.push(code::HOST_NAME);
            put_text(name, out);
        }
    }
}

/// Appends what it asks for, if anything.
pub(crate) fn put_credentials(credentials: Option<&Credentials>, out: &mut Vec<u8>) {
    match credentials {
        None => out.push(code::LOGIN_NONE),
        Some(credentials) => {
            out.push(code::LOGIN_PASSWORD);
            put_text(&credentials.user, out);
            put_text(&credentials.password, out);
        }
    }
}

pub(crate) fn put_text(text: &str, out: &mut Vec<u8>) {
    debug_assert!(text.len() <= 255, "is_storable looks at the length");
    out.push(text.len() as u8);
    out.extend(text.as_bytes());
}

fn put_life(entry: &Entry, out: &mut Vec<u8>) {
    out.extend(entry.alive_at_ms.to_le_bytes());
    put_timing(entry.timing, out);
    put_exit(entry.exit, out);
    let checks = kept(&entry.history);
    out.push(checks.len() as u8);
    for check in checks {
        out.extend(check.at_s.to_le_bytes());
        out.extend(check.total_us.to_le_bytes());
        out.push(code::verdict(check.verdict));
    }
    let unused = (HISTORY_MAX - checks.len()) * CHECK_BYTES;
    out.resize(out.len() + unused, 0);
}

/// Appends a verdict, or that there is none.
pub(crate) fn put_verdict(verdict: Option<Verdict>, out: &mut Vec<u8>) {
    out.push(verdict.map_or(code::VERDICT_NONE, code::verdict));
}

/// Appends the targets that each protocol reached.
pub(crate) fn put_works(works: Works, out: &mut Vec<u8>) {
    out.extend(code::WORKS.map(|protocol| works.by(protocol).bits()));
}

/// Appends the parts of a probe.
pub(crate) fn put_timing(timing: Timing, out: &mut Vec<u8>) {
    for us in [
        timing.total_us,
        timing.connect_us,
        timing.handshake_us,
        timing.tls_us,
        timing.first_byte_us,
    ] {
        out.extend(us.to_le_bytes());
    }
}

/// Appends what a judge saw.
pub(crate) fn put_exit(exit: Option<Exit>, out: &mut Vec<u8>) {
    let (tag, ip) = match exit.map(|exit| exit.ip) {
        None => (code::EXIT_NONE, 0),
        Some(IpAddr::V4(ip)) => (code::EXIT_V4, u128::from(ip.to_bits())),
        Some(IpAddr::V6(ip)) => (code::EXIT_V6, ip.to_bits()),
    };
    out.push(tag);
    out.extend(ip.to_le_bytes());
    out.push(exit.map_or(0, |exit| code::anonymity(exit.anonymity)));
}

/// Reads records, one after the other. Total: any bytes give an entry or `None`.
#[derive(Debug)]
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Reader<'a> {
        Reader { rest: bytes }
    }

    /// Whether all was read.
    pub(crate) fn is_at_end(&self) -> bool {
        self.rest.is_empty()
    }

    /// The next entry.
    pub(crate) fn entry(&mut self) -> Option<Entry> {
        let mut entry = Entry::new(self.candidate()?);
        entry.verdict = self.verdict()?;
        entry.checked_at_ms = self.u64()?;
        entry.failures = self.u32()?;
        entry.works = self.works()?;
        match self.u8()? {
            code::LIFE_NONE => (),
            code::LIFE => self.life(&mut entry)?,
            _ => return None,
        }
        Some(entry)
    }

    /// The names of targets, which are the last there is; none if the bytes end before them.
    pub(super) fn targets(&mut self) -> Option<Vec<Box<str>>> {
        if self.is_at_end() {
            return Some(Vec::new());
        }
        let count = usize::from(self.u8()?);
        let names = (0..count).map(|_| self.text().map(Box::from));
        names
            .collect::<Option<_>>()
            .filter(|_| count <= TARGETS_MAX)
    }

    pub(crate) fn verdict(&mut self) -> Option<Option<Verdict>> {
        match self.u8()? {
            code::VERDICT_NONE => Some(None),
            code => code::verdict_of(code).map(Some),
        }
    }

    pub(crate) fn works(&mut self) -> Option<Works> {
        let mut works = Works::default();
        for protocol in code::WORKS {
            works.set(protocol, Targets::from_bits(self.u8()?));
        }
        Some(works)
    }

    fn life(&mut self, entry: &mut Entry) -> Option<()> {
        entry.alive_at_ms = self.u64()?;
        entry.timing = self.timing()?;
        entry.exit = self.exit()?;
        let count = usize::from(self.u8()?);
        let mut checks = Reader::new(self.take(HISTORY_MAX * CHECK_BYTES)?);
        if count > HISTORY_MAX {
            return None;
        }
        entry.history = (0..count).map(|_| checks.check()).collect::<Option<_>>()?;
        Some(())
    }

    pub(crate) fn timing(&mut self) -> Option<Timing> {
        Some(Timing {
            total_us: self.u32()?,
            connect_us: self.u32()?,
            handshake_us: self.u32()?,
            tls_us: self.u32()?,
            first_byte_us: self.u32()?,
        })
    }

    pub(crate) fn exit(&mut self) -> Option<Option<Exit>> {
        let (tag, ip, anonymity) = (self.u8()?, self.array()?, self.u8()?);
        let ip = u128::from_le_bytes(ip);
        let ip = match tag {
            code::EXIT_NONE => return Some(None),
            code::EXIT_V4 => IpAddr::V4(u32::try_from(ip).ok()?.into()),
            code::EXIT_V6 => IpAddr::V6(ip.into()),
            _ => return None,
        };
        let anonymity = code::anonymity_of(anonymity)?;
        Some(Some(Exit { ip, anonymity }))
    }

    fn check(&mut self) -> Option<Check> {
        Some(Check {
            at_s: self.u32()?,
            total_us: self.u32()?,
            verdict: code::verdict_of(self.u8()?)?,
        })
    }

    pub(crate) fn candidate(&mut self) -> Option<Candidate> {
        Some(Candidate {
            scheme: code::scheme_of(self.u8()?)?,
            host: self.host()?,
            port: self.u16().filter(|&port| port != 0)?,
            credentials: self.credentials()?,
        })
    }

    pub(crate) fn host(&mut self) -> Option<Host> {
        match self.u8()? {
            code::HOST_V4 => self.array::<4>().map(|ip| Host::V4(ip.into())),
            code::HOST_V6 => self.array::<16>().map(|ip| Host::V6(ip.into())),
            code::HOST_NAME => {
                let name = self.text()?;
                is_host_name(name).then(|| Host::Name(name.into()))
            }
            _ => None,
        }
    }

    pub(crate) fn credentials(&mut self) -> Option<Option<Arc<Credentials>>> {
        match self.u8()? {
            code::LOGIN_NONE => Some(None),
            code::LOGIN_PASSWORD => {
                let (user, password) = (self.text()?, self.text()?);
                // Nobody writes such a one, and it would not come back as it is.
                if user.is_empty() && password.is_empty() {
                    return None;
                }
                let (user, password) = (user.into(), password.into());
                Some(Some(Arc::new(Credentials { user, password })))
            }
            _ => None,
        }
    }

    pub(crate) fn text(&mut self) -> Option<&'a str> {
        let length = self.u8()?;
        std::str::from_utf8(self.take(usize::from(length))?).ok()
    }

    pub(crate) fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(count)?;
        self.rest = rest;
        Some(taken)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    pub(crate) fn u8(&mut self) -> Option<u8> {
        self.array().map(u8::from_le_bytes)
    }

    pub(crate) fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_le_bytes)
    }

    pub(crate) fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    pub(crate) fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }
}

#[cfg(test)]
mod tests;
