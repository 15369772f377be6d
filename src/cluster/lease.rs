//! The `cluster-lease` thread: takes the lease when nobody has it, renews it, and gives it back.
//!
//! The time of a lease counts from when its last successful renewal was *sent*, and a fifth of it is
//! kept in reserve: Redis, which counts from when it was received, ends it later than this node does.

pub(super) mod reign;
pub(super) mod worth;

use super::bus::hub::Inner;
use super::bus::link::{Line, Stop};
use super::bus::policy::Fingerprint;
use super::keys::Keys;
use super::{scripts, wire::Id};
use crossbeam_channel::Sender;
use redis::RedisError;
use reign::{Phase, Reign};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use worth::Worth;

/// Within this time after the end of a lease the nodes ask for it, each at a moment of its own.
const AFTER: Duration = Duration::from_millis(20);

/// What the thread works with.
pub(super) struct Lease {
    pub(super) keys: Keys,
    pub(super) node: Box<str>,
    pub(super) lease: Duration,
    pub(super) reign: Arc<Reign>,
    pub(super) hub: Sender<Inner>,
    /// Whether the log was read, so that this node knows what a leader has to know.
    pub(super) ready: Arc<AtomicBool>,
    /// Whether it knows enough, next to the others.
    pub(super) worth: Arc<Worth>,
    /// Since when it sees that nobody leads, and may not itself.
    pub(super) vacant: Option<Instant>,
    pub(super) fingerprint: Arc<Fingerprint>,
    /// The last token of this node; 0: it had none.
    pub(super) last: u64,
    /// The run of Redis in which it was taken.
    pub(super) run: String,
    pub(super) line: Line,
    pub(super) stop: Stop,
}

impl Lease {
    /// Runs until the bus stops.
    pub(super) fn run(mut self) {
        // Another one on each node: they do not all ask in the same moment.
        let mut jitter = fastrand::Rng::new();
        // The fingerprint that Redis has of this reign.
        let mut told = 0;
        loop {
            let beat = self.lease / 5;
            let pause = match self.reign.hold(Instant::now()) {
                Some(hold) => {
                    if hold.phase == Phase::Leading {
                        self.worth.in_touch();
                    }
                    self.renew(hold.token, &mut told);
                    beat
                }
                None => {
                    let pause = beat.mul_f64(0.5 + jitter.f64());
                    let mut left = None;
                    if self.ready.load(Ordering::Acquire) {
                        told = self.fingerprint.get();
                        left = self.seek(told);
                    }
                    // Who asks as soon as a lease can have ended leads as soon as that.
                    let end = left.map(|left| left + AFTER.mul_f64(jitter.f64()));
                    end.map_or(pause, |end| end.min(pause))
                }
            };
            if self.stop.wait(pause) {
                break;
            }
        }
        if let Some(hold) = self.reign.hold(Instant::now()) {
            self.reign.end(hold.token);
            self.release(hold.token);
        }
    }

    /// Takes the lease, if nobody has it and this node knows enough; else, how long it is held at least.
    fn seek(&mut self, fingerprint: u64) -> Option<Duration> {
        let sent = Instant::now();
        let (keys, node, lease) = (&self.keys, &self.node, self.lease);
        let vacant = self.vacant.take();
        let may_lead = self.worth.may_lead(lease, vacant, sent);
        let answer: Result<(String, String, i64, String), RedisError> = self.line.ask(|redis| {
            let mut call = scripts::ACQUIRE.key(&keys.leader);
            for key in [&keys.epoch, &keys.policy, &keys.jobs, &keys.done] {
                call.key(key);
            }
            call.key(&keys.reports).key(&keys.log);
            call.arg(&**node).arg(millis(lease)).arg(fingerprint);
            call.arg(u8::from(may_lead));
            call.invoke(redis)
        });
        let (token, rest, left_ms, run) = answer.ok()?;
        let token: u64 = token.parse().unwrap_or(0);
        if token == 0 {
            if rest == self.value(self.last) {
                // It ended here before it did in Redis, and nobody acts under it any more.
                self.release(self.last);
                return Some(Duration::ZERO);
            }
            let name = rest.split_once('|').map(|(_, name)| Box::from(name));
            self.tell(Inner::Leader(name));
            if rest.is_empty() {
                self.vacant = vacant.or(Some(sent));
                return None;
            }
            return u64::try_from(left_ms).ok().map(Duration::from_millis);
        }
        (self.last, self.run) = (token, run);
        let until = sent + self.safe();
        if Instant::now() >= until {
            // Redis was slower than a lease lasts.
            self.release(token);
            return None;
        }
        tracing::info!(token, "this node takes the lead of the cluster");
        self.reign.begin(token, id(&rest), until);
        self.tell(Inner::Wake);
        None
    }

    fn renew(&mut self, token: u64, told: &mut u64) {
        let (sent, value) = (Instant::now(), self.value(token));
        let (keys, lease, run) = (&self.keys, self.lease, &self.run);
        let answer: Result<i64, RedisError> = self.line.ask(|redis| {
            let mut call = scripts::RENEW.key(&keys.leader);
            call.arg(&value).arg(millis(lease)).arg(run).invoke(redis)
        });
        match answer {
            Ok(1) if self.reign.extend(token, sent + self.safe(), Instant::now()) => {}
            // The answer came too late, and the coordinator may know.
            Ok(1) => self.release(token),
            Ok(_) => {
                tracing::warn!(
                    token,
                    "the lease is gone: another node leads, or Redis was restarted or emptied"
                );
                self.reign.end(token);
                self.tell(Inner::Wake);
            }
            // Tried again until its time is over.
            Err(_) => {}
        }
        let fingerprint = self.fingerprint.get();
        if answer_is_one(&answer) && *told != fingerprint {
            let keys = &self.keys;
            let set: Result<i64, RedisError> = self.line.ask(|redis| {
                let mut call = scripts::POLICY.key(&keys.leader);
                call.key(&keys.policy)
                    .arg(&value)
                    .arg(fingerprint)
                    .invoke(redis)
            });
            if set.is_ok() {
                *told = fingerprint;
            }
        }
    }

    /// Best effort: it ends by itself too.
    fn release(&mut self, token: u64) {
        let (keys, value) = (&self.keys, self.value(token));
        let _: Result<i64, RedisError> = self.line.ask(|redis| {
            let mut call = scripts::RELEASE.key(&keys.leader);
            call.arg(&value).invoke(redis)
        });
    }

    /// How long it is safe to act after a renewal was sent.
    fn safe(&self) -> Duration {
        self.lease * 4 / 5
    }

    fn value(&self, token: u64) -> String {
        format!("{token}|{}", self.node)
    }

    fn tell(&self, inner: Inner) {
        // The hub is gone when the bus stops.
        let _ = self.hub.send(inner);
    }
}

fn answer_is_one(answer: &Result<i64, RedisError>) -> bool {
    matches!(answer, Ok(1))
}

/// Whole milliseconds, as Redis wants them.
pub(super) fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// The last id of a stream, as a script answers it.
pub(super) fn id(text: &str) -> Id {
    text.parse().unwrap_or_default()
}
