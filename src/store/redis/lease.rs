//! The lock: a key with a token and an end, which a thread renews as long as the store is open.

use super::keys::Keys;
use super::scripts::{self, Applied, Grant};
use super::{Terms, Trouble};
use crate::config::RedisPlace;
use crate::redis_link;
use ::redis::{Connection, cmd};
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use std::fs;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// How many times a lease is renewed in the time that it holds.
const RENEWALS: u32 = 4;

/// The lock, held until this is dropped.
pub(super) struct Lease {
    token: String,
    length: Duration,
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Lease {
    /// Takes the lock. One whose holder is dead ends by itself, and is waited for; one that is
    /// renewed meanwhile is somebody's.
    pub(super) fn take(place: &RedisPlace, keys: &Keys, terms: Terms) -> Result<Lease, Trouble> {
        let token = token();
        let mut link = redis_link::connect(place, terms.answer)?;
        let grant = Grant {
            token: &token,
            lease: terms.lease,
        };
        wait_for(&mut link, keys, grant)?;
        let (stop, stopped) = bounded(0);
        let renewing = Renewing {
            place: place.clone(),
            keys: keys.clone(),
            token: token.clone(),
            terms,
            link: Some(link),
        };
        let thread = thread::Builder::new().name("store-lease".into());
        let thread = thread.spawn(move || renewing.run(&stopped));
        // A host without room for a thread: the lock ends by itself.
        let thread = thread.map_err(::redis::RedisError::from)?;
        Ok(Lease {
            token,
            length: terms.lease,
            stop: Some(stop),
            thread: Some(thread),
        })
    }

    pub(super) fn token(&self) -> &str {
        &self.token
    }

    pub(super) fn grant(&self) -> Grant<'_> {
        Grant {
            token: &self.token,
            lease: self.length,
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.stop = None;
        if let Some(thread) = self.thread.take() {
            // It gives the lock back, in the time of one answer; if it panicked, the lock ends by
            // itself.
            let _ = thread.join();
        }
    }
}

/// Waits until the lock is ours, or its holder has shown that it lives.
fn wait_for(link: &mut Connection, keys: &Keys, grant: Grant<'_>) -> Result<(), Trouble> {
    let give_up = Instant::now() + grant.lease + grant.lease / RENEWALS;
    let mut seen: Option<(String, i64)> = None;
    loop {
        let holder = match scripts::hold(link, keys, grant)? {
            Applied::Taken(holder) => holder,
            Applied::Done | Applied::Differs => return Ok(()),
        };
        let left_ms: i64 = cmd("PTTL").arg(&keys.lock).query(link)?;
        let lives = seen
            .as_ref()
            .is_some_and(|(before, ms)| *before != holder || left_ms > *ms);
        if lives || Instant::now() > give_up {
            return Err(Trouble::Taken(holder));
        }
        seen = Some((holder, left_ms));
        thread::sleep(grant.lease / 50);
    }
}

/// What renews the lease.
struct Renewing {
    place: RedisPlace,
    keys: Keys,
    token: String,
    terms: Terms,
    link: Option<Connection>,
}

impl Renewing {
    /// Renews until the store is gone, then gives the lock back.
    fn run(mut self, stopped: &Receiver<()>) {
        let mut held = true;
        while stopped.recv_timeout(self.terms.lease / RENEWALS) == Err(RecvTimeoutError::Timeout) {
            let holds = matches!(self.tell(scripts::hold), Some(Applied::Done));
            if held && !holds {
                let place = self.keys.shown(&self.place);
                tracing::warn!(%place, "the lock of the store could not be renewed; trying again");
            }
            held = holds;
        }
        // What cannot be given back ends by itself.
        let _ = self.tell(scripts::release);
    }

    /// Runs a script, over a new connection if there is none; `None` if the server did not do it.
    fn tell(
        &mut self,
        script: impl Fn(&mut Connection, &Keys, Grant<'_>) -> Result<Applied, ::redis::RedisError>,
    ) -> Option<Applied> {
        let link = self.link.take();
        let link = link.or_else(|| redis_link::connect(&self.place, self.terms.answer).ok());
        let mut link = link?;
        let grant = Grant {
            token: &self.token,
            lease: self.terms.lease,
        };
        let applied = script(&mut link, &self.keys, grant).ok()?;
        self.link = Some(link);
        Some(applied)
    }
}

/// Who we are, for the message that another one gets, and a number that makes it ours alone.
fn token() -> String {
    let host = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let host = host.trim();
    let process = std::process::id();
    format!("process {process} on {host} ({:08x})", fastrand::u32(..))
}
