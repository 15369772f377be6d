//! The `cluster-jobs` thread: hands the leader's jobs out, in entries that a worker takes as a whole.

pub(super) mod take;

use super::bus::hub::Inner;
use super::bus::link::Line;
use super::bus::policy::Fingerprint;
use super::keys::Keys;
use super::lease::reign::Reign;
use super::scripts;
use super::wire::{JOBS_MAX, pack_jobs};
use crossbeam_channel::{Receiver, Sender};
use proxy_shards::Job;
use redis::RedisError;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Entries that are written at once: some hundred kilobytes.
const ENTRIES_MAX: usize = 128;

/// What the thread works with.
pub(super) struct HandingOut {
    pub(super) keys: Keys,
    pub(super) node: Box<str>,
    pub(super) lease: Duration,
    pub(super) reign: Arc<Reign>,
    pub(super) hub: Sender<Inner>,
    pub(super) fingerprint: Arc<Fingerprint>,
    pub(super) jobs: Receiver<(u64, Vec<Job>)>,
    pub(super) line: Line,
}

impl HandingOut {
    /// Runs until nobody can hand out jobs any more.
    pub(super) fn run(mut self) {
        let (mut token, mut number) = (0, 1);
        for (now, jobs) in self.jobs.clone() {
            if now != token {
                (token, number) = (now, 1);
            }
            let entries: Vec<Vec<u8>> = jobs.chunks(JOBS_MAX).map(pack_jobs).collect();
            for entries in entries.chunks(ENTRIES_MAX) {
                if !self.hand_out(token, number, entries) {
                    break;
                }
                number += entries.len() as u64;
            }
        }
    }

    /// Writes entries from this number on, until they are there or this node leads no more.
    fn hand_out(&mut self, token: u64, number: u64, entries: &[Vec<u8>]) -> bool {
        let began = Instant::now();
        while self.reign.holds(token, Instant::now()) {
            let (keys, node, fingerprint) = (&self.keys, &self.node, self.fingerprint.get());
            let answer: Result<i64, RedisError> = self.line.ask(|redis| {
                let mut call = scripts::HAND_OUT.key(&keys.leader);
                call.key(&keys.jobs);
                call.arg(format!("{token}|{node}")).arg(token);
                call.arg(number).arg(fingerprint);
                for entry in entries {
                    call.arg(&entry[..]);
                }
                call.invoke(redis)
            });
            match answer {
                Ok(1) => return true,
                Ok(_) => return false,
                // As with the log: who cannot hand out does not lead.
                Err(_) if began.elapsed() > self.lease => {
                    self.reign.end(token);
                    // The hub is gone when the bus stops.
                    let _ = self.hub.send(Inner::Wake);
                }
                Err(_) if self.line.rest() => return false,
                Err(_) => {}
            }
        }
        self.line.rested();
        false
    }
}
