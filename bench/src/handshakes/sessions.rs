//! Many TLS sessions held at one stage, so that the memory of one can be seen.

use super::Error;
use super::client::{Client, Connection, Kind, Said};
use super::server::{Chain, Target};

/// How far a session is when its peer falls silent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Stage {
    /// The ClientHello is said and nothing was answered.
    Hello,
    /// All but the end of the server's first flight has come.
    Flight,
    /// TLS stands, and the request is not answered.
    Request,
}

impl Stage {
    /// Each, in order.
    pub const ALL: [Stage; 3] = [Stage::Hello, Stage::Flight, Stage::Request];

    /// The one word for it on the command line.
    pub const fn label(self) -> &'static str {
        match self {
            Stage::Hello => "hello",
            Stage::Flight => "flight",
            Stage::Request => "request",
        }
    }

    /// What a table says of it.
    pub const fn meaning(self) -> &'static str {
        match self {
            Stage::Hello => "silent after the ClientHello",
            Stage::Flight => "silent within its first flight",
            Stage::Request => "silent after the request",
        }
    }
}

/// Bytes at the end of the server's first flight that are held back: its `Finished`.
const HELD_BACK: usize = 40;

/// Bytes of memory that each of `count` sessions takes.
///
/// # Errors
/// A handshake that failed, or a process that cannot look at itself.
pub fn bytes_each(kind: Kind, stage: Stage, count: usize) -> Result<f64, Error> {
    let target = Target::new(Chain::Public, 2)?;
    let client = Client::new(kind, &target.ca_pem)?;
    let mut held = Vec::with_capacity(count);
    // Those of the first few know what all others share.
    for _ in 0..8 {
        drop(silent(&client, &target, stage)?);
    }
    let before = resident()?;
    for _ in 0..count {
        held.push(silent(&client, &target, stage)?);
    }
    let after = resident()?;
    drop(held);
    Ok((after - before) / count as f64)
}

/// A session whose peer falls silent.
fn silent(client: &Client, target: &Target, stage: Stage) -> Result<Connection, Error> {
    let (mut connection, hello) = client.connect()?;
    if stage == Stage::Hello {
        return Ok(connection);
    }
    let mut server = target.accept()?;
    let flight = server.hear(&hello)?;
    if stage == Stage::Flight {
        let until = flight.len().saturating_sub(HELD_BACK);
        connection.hear(&flight[..until])?;
        return Ok(connection);
    }
    match connection.hear(&flight)? {
        Said::Bytes(bytes) if !bytes.is_empty() => Ok(connection),
        other => Err(format!("no request was said: {other:?}").into()),
    }
}

/// Resident memory of this process, in bytes.
fn resident() -> Result<f64, Error> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB"));
    Ok(kib.ok_or("no VmRSS in /proc/self/status")?.parse::<f64>()? * 1024.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_stage_is_reached_by_each_kind() {
        let target = Target::new(Chain::Short, 2).expect("a target");
        for kind in Kind::ALL {
            let client = Client::new(kind, &target.ca_pem).expect("a client");
            for stage in Stage::ALL {
                silent(&client, &target, stage).expect("reached");
            }
        }
    }
}
