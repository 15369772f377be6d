//! Handshakes in memory, client and server in one thread: what the client's half costs with no socket
//! and no kernel in between.

use super::Error;
use super::client::{Client, Kind, Said};
use super::server::{Chain, Target};
use nix::time::{ClockId, clock_gettime};
use std::time::Duration;

/// Tickets that a target gives in a handshake, unless sessions are not to be resumed.
const TICKETS: usize = 2;

/// What is done again and again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exercise {
    /// Whose client.
    pub kind: Kind,
    /// What it has to verify.
    pub chain: Chain,
    /// Whether the target lets sessions be resumed.
    pub resumes: bool,
}

/// The client's CPU time of a handshake with its exchange, in µs, mean over `count` of them behind
/// three that are not counted: those make sessions and certificates known, as far as that is done.
///
/// # Errors
/// A handshake that failed, or was not of the kind that was to be measured.
pub fn cpu_us(exercise: Exercise, count: u32) -> Result<f64, Error> {
    let target = Target::new(exercise.chain, if exercise.resumes { TICKETS } else { 0 })?;
    let client = Client::new(exercise.kind, &target.ca_pem)?;
    let mut spent = Duration::ZERO;
    for number in 0..count + 3 {
        let (resumed, took) = shake(&client, &target)?;
        if number < 3 {
            continue;
        }
        if resumed != exercise.resumes {
            return Err(format!("{exercise:?}: handshake {number}: resumed: {resumed}").into());
        }
        spent += took;
    }
    Ok(spent.as_secs_f64() * 1e6 / f64::from(count.max(1)))
}

/// One of them: whether the session was resumed, and the client's CPU time.
fn shake(client: &Client, target: &Target) -> Result<(bool, Duration), Error> {
    let mut server = target.accept()?;
    let mut spent = Duration::ZERO;
    let started = cpu()?;
    let (mut connection, mut there) = client.connect()?;
    spent += cpu()?.saturating_sub(started);
    loop {
        let back = server.hear(&there)?;
        if back.is_empty() {
            return Err("both wait".into());
        }
        let started = cpu()?;
        let said = connection.hear(&back)?;
        if said == Said::Alive {
            drop(connection);
            spent += cpu()?.saturating_sub(started);
            return Ok((server.is_resumed(), spent));
        }
        spent += cpu()?.saturating_sub(started);
        if let Said::Bytes(bytes) = said {
            there = bytes;
        }
    }
}

/// The CPU time of this thread so far.
fn cpu() -> Result<Duration, Error> {
    Ok(clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID)?.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_exercise_can_be_done() {
        for kind in Kind::ALL {
            for chain in Chain::ALL {
                for resumes in [false, true] {
                    let exercise = Exercise {
                        kind,
                        chain,
                        resumes,
                    };
                    let took = cpu_us(exercise, 4).expect("done");
                    assert!(took > 1.0, "{exercise:?}: {took} µs");
                }
            }
        }
    }
}
