//! What is said in Redis, as bytes: ids, jobs and records. Numbers are little-endian; each packed
//! piece begins with its format, and one of another format is nothing.

pub(super) mod entry;
pub(super) mod line;
pub(super) mod node;
pub(super) mod report;

#[cfg(test)]
mod tests;

use crate::store::record::{self, Reader};
use proxy_shards::{Job, Protocol, Protocols};
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

/// The format of this version, of every piece.
pub(super) const FORMAT: u8 = 1;

/// Most jobs in one entry: as many as a set of bits of an entry can stand for.
pub(super) const JOBS_MAX: usize = 64;

/// The id of an entry of the jobs or of the log: who wrote it, and which of its entries it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Id {
    /// The token of its leader.
    pub token: u64,
    /// Its number under that token, from 1.
    pub number: u64,
}

impl Id {
    /// The first id that is behind this one under the same token; of the last that Redis can have,
    /// that one itself.
    pub(super) fn next(self) -> Id {
        Id {
            number: self.number.saturating_add(1),
            ..self
        }
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.token, self.number)
    }
}

/// Not an id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NoId;

impl FromStr for Id {
    type Err = NoId;

    fn from_str(text: &str) -> Result<Id, NoId> {
        let (token, number) = text.split_once('-').ok_or(NoId)?;
        Ok(Id {
            token: token.parse().map_err(|_| NoId)?,
            number: number.parse().map_err(|_| NoId)?,
        })
    }
}

/// At most [`JOBS_MAX`] jobs as one piece: `format · jobs u8`, then of each `id u64 · protocols u8 ·
/// host · port u16 · login`, with host and login as the store has them.
pub(super) fn pack_jobs(jobs: &[Job]) -> Vec<u8> {
    debug_assert!(jobs.len() <= JOBS_MAX, "the caller divides them");
    let mut out = Vec::with_capacity(2 + 20 * jobs.len());
    out.extend([FORMAT, jobs.len() as u8]);
    for job in jobs {
        out.extend(job.id.to_le_bytes());
        put_protocols(job.protocols, &mut out);
        record::put_host(&job.address.ip().into(), &mut out);
        out.extend(job.address.port().to_le_bytes());
        record::put_credentials(job.credentials.as_deref(), &mut out);
    }
    out
}

/// The jobs of a piece.
pub(super) fn unpack_jobs(bytes: &[u8]) -> Option<Vec<Job>> {
    let mut reader = opened(bytes)?;
    let count = usize::from(reader.u8()?);
    let jobs = (0..count).map(|_| job(&mut reader));
    let jobs: Vec<Job> = jobs.collect::<Option<_>>()?;
    (reader.is_at_end() && count <= JOBS_MAX).then_some(jobs)
}

fn job(reader: &mut Reader<'_>) -> Option<Job> {
    Some(Job {
        id: reader.u64()?,
        protocols: protocols(reader).filter(|all| !all.is_empty())?,
        address: SocketAddr::new(ip(reader)?, reader.u16().filter(|&port| port != 0)?),
        credentials: reader.credentials()?,
    })
}

fn ip(reader: &mut Reader<'_>) -> Option<IpAddr> {
    reader.host()?.ip()
}

pub(super) fn put_protocols(protocols: Protocols, out: &mut Vec<u8>) {
    let bit =
        |(place, &protocol): (usize, &Protocol)| u8::from(protocols.contains(protocol)) << place;
    out.push(PROTOCOLS.iter().enumerate().map(bit).sum());
}

pub(super) fn protocols(reader: &mut Reader<'_>) -> Option<Protocols> {
    let bits = reader.u8()?;
    let is_in = |(place, _): &(usize, &Protocol)| bits & 1 << place != 0;
    let all = PROTOCOLS.iter().enumerate().filter(is_in);
    (bits >> PROTOCOLS.len() == 0).then(|| all.map(|(_, &protocol)| protocol).collect())
}

/// The bits of a set, the lowest first: never change one, only add.
const PROTOCOLS: [Protocol; 4] = [
    Protocol::Http,
    Protocol::Https,
    Protocol::Socks4,
    Protocol::Socks5,
];

/// What a piece of this version's format holds.
pub(super) fn opened(bytes: &[u8]) -> Option<Reader<'_>> {
    let mut reader = Reader::new(bytes);
    (reader.u8()? == FORMAT).then_some(reader)
}
