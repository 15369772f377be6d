//! The loop of a check: keeps every shard topped up, turns what comes back into rows, holds what
//! the targets have not vouched for yet, and knows when it is over.

mod govern;

use super::book::Check;
use super::direct::{self, Addresses};
use super::feed::{Again, Feed};
use super::outside::{Heard, Outside};
use crate::control::{Control, Health, Round};
use crate::dispatch::Shards;
use crate::lanes::Lanes;
use crate::usage::Meter;
use proxy_shards::{ControlJob, Protocols, Record, Report, Targets, Verdict};
use std::io::{self, Write};
use std::time::Duration;

/// Rounds in which the targets may fail to answer before the first proxy is probed.
const FIRST_ROUNDS_MAX: u32 = 2;

/// How a check came to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// Every candidate has its verdict.
    Complete,
    /// A signal came first.
    Interrupted,
    /// The shards are gone, which is a bug; candidates without a verdict are `local_fault`.
    Lost,
    /// The targets did not answer without a proxy, for this reason; nothing was probed.
    Unreached(String),
    /// They went away in the middle and did not come back; candidates without a verdict are
    /// `local_target`.
    Gone(String),
}

/// How long one waits for targets that do not answer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    /// Before the first proxy: no second round is begun after this.
    pub(super) first: Duration,
    /// In the middle.
    pub(super) down: Duration,
}

impl Default for Patience {
    fn default() -> Patience {
        Patience {
            first: Duration::from_secs(10),
            down: Duration::from_secs(60),
        }
    }
}

/// The targets without a proxy, the lanes, and who hears of both.
pub(super) struct Direct<'e> {
    pub(super) control: Control<Record>,
    pub(super) addresses: Addresses,
    pub(super) patience: Patience,
    pub(super) lanes: Lanes,
    pub(super) err: &'e mut dyn Write,
}

/// Probes every candidate, until each has its verdict, an interrupt comes, or the targets stay away.
/// The shards have ended when it returns, and every candidate has exactly one verdict unless nothing
/// was probed at all. `Err`: rows could not be written.
pub(super) fn drive<W: Write>(
    shards: impl Shards,
    check: &mut Check<'_, W>,
    direct: Direct<'_>,
    outside: &impl Outside,
) -> io::Result<End> {
    let mut drive = Drive::new(&shards, outside, check, direct);
    let end = drive.probe_all();
    drive.count_lanes();
    let every_record_counts = !drive.controlled;
    // Also after an error: probes under way end here, not behind our back.
    let rest = shards.stop(Duration::ZERO);
    let end = end?;
    let records = rest.try_iter().flat_map(|report| report.records);
    // The targets cannot vouch for what failed any more.
    for record in records.filter(|r| every_record_counts || r.verdict == Verdict::Alive) {
        check.end(&record)?;
    }
    match end {
        End::Complete | End::Unreached(_) => {}
        End::Interrupted => check.end_rest(Verdict::LocalCancelled)?,
        End::Lost => check.end_rest(Verdict::LocalFault)?,
        End::Gone(_) => check.end_rest(Verdict::LocalTarget)?,
    }
    Ok(end)
}

struct Drive<'d, 'a, 'e, S: Shards, O: Outside, W: Write> {
    shards: &'d S,
    outside: &'d O,
    check: &'d mut Check<'a, W>,
    control: Control<Record>,
    /// Whether the targets are reached without a proxy at all.
    controlled: bool,
    addresses: Addresses,
    patience: Patience,
    lanes: Lanes,
    /// Until when they are counted.
    counted: Duration,
    meter: Meter,
    err: &'e mut dyn Write,
    feed: Feed,
    /// Rounds in which the targets did not answer, before they ever did.
    first_rounds: u32,
    /// Since when the targets have not answered, once they had.
    down_since: Option<Duration>,
    /// When something else was last learnt of the targets, in milliseconds of the check: who was
    /// asked before and failed was asked for the wrong thing.
    relearnt_ms: u64,
}

impl<'d, 'a, 'e, S: Shards, O: Outside, W: Write> Drive<'d, 'a, 'e, S, O, W> {
    fn new(
        shards: &'d S,
        outside: &'d O,
        check: &'d mut Check<'a, W>,
        direct: Direct<'e>,
    ) -> Drive<'d, 'a, 'e, S, O, W> {
        Drive {
            feed: Feed::new(shards, 0, std::iter::empty()),
            shards,
            outside,
            check,
            controlled: direct.control.health() == Health::Unknown,
            control: direct.control,
            addresses: direct.addresses,
            patience: direct.patience,
            lanes: direct.lanes,
            counted: outside.now(),
            meter: Meter::start(),
            err: direct.err,
            first_rounds: 0,
            down_since: None,
            relearnt_ms: 0,
        }
    }

    fn probe_all(&mut self) -> io::Result<End> {
        let count = self.check.list.len();
        let diallable = self.check.end_undiallable()?;
        self.feed = Feed::new(self.shards, count, diallable.into_iter());
        while !self.check.complete() {
            self.govern();
            self.reach_targets()?;
            if let Some(end) = self.given_up() {
                return Ok(end);
            }
            if self.control.allows_probes() {
                self.feed
                    .top_up(self.check.list, self.shards, self.now_ms());
            }
            if self.check.complete() {
                break;
            }
            match self.outside.hear(self.shards.reports()) {
                Heard::Report(report) => self.absorb(*report)?,
                Heard::Tick => self.check.tick()?,
                Heard::Interrupt => return Ok(End::Interrupted),
                Heard::Lost => return Ok(End::Lost),
            }
        }
        Ok(End::Complete)
    }

    fn absorb(&mut self, report: Report) -> io::Result<()> {
        self.lanes.note(&report);
        self.feed.ended(report.shard, report.records.len());
        self.check.note(&report);
        for record in &report.records {
            self.take(record)?;
        }
        for control in report.controls {
            if let Some(round) = self.control.ended(control, self.now_ms()) {
                self.conclude(round)?;
            }
        }
        Ok(())
    }

    /// A record is a row, is held, or is void.
    fn take(&mut self, record: &Record) -> io::Result<()> {
        let Some(back) = self.feed.back(record.id) else {
            return Ok(());
        };
        let alive = record.verdict == Verdict::Alive;
        match () {
            () if !alive && back.began_ms < self.relearnt_ms => self.void(record),
            () if let Some(reason) = self.passing(record) => self.again(back.index, reason, record),
            () if self.control.is_proof(record, Protocols::NONE) => self.check.end(record),
            () => {
                let now_ms = self.now_ms();
                self.control.hold(*record, back.began_ms, now_ms);
                Ok(())
            }
        }
    }

    /// Has a candidate probed again, or ends it with `last` if that was done often enough.
    fn again(&mut self, index: u32, reason: Again, last: &Record) -> io::Result<()> {
        match self.feed.again(index, reason) {
            true => Ok(()),
            false => self.check.end(last),
        }
    }

    /// The verdict says nothing: a target was down meanwhile.
    fn void(&mut self, record: &Record) -> io::Result<()> {
        let Ok(index) = u32::try_from(record.id) else {
            return Ok(());
        };
        let last = Record::unprobed(record.id, Verdict::LocalTarget);
        self.again(index, Again::TargetDown, &last)
    }

    /// Starts a round if one is due: at once, when nothing is left but what is held.
    fn reach_targets(&mut self) -> io::Result<()> {
        let now_ms = self.now_ms();
        let idle = self.feed.is_idle();
        let last = idle && self.control.held() > 0;
        let due = self.control.due_at(!idle).is_some_and(|at| at <= now_ms);
        if !last && !due {
            return Ok(());
        }
        if let Some(round) = self.control.give_up(now_ms) {
            return self.conclude(round);
        }
        for id in self.control.start(now_ms) {
            let Some(target) = self.control.target_of(id) else {
                continue;
            };
            if let Some(address) = self.addresses.of(target) {
                let shard = target % self.shards.shards().max(1);
                let job = ControlJob {
                    id,
                    target,
                    address,
                };
                self.shards.control(shard, job);
            } else if let Some(round) = self.control.unresolved(id, now_ms) {
                self.conclude(round)?;
            }
        }
        Ok(())
    }

    fn conclude(&mut self, round: Round<Record>) -> io::Result<()> {
        if let Some(policy) = round.policy {
            self.shards.set_policy(policy);
        }
        self.addresses.turn(round.reached);
        match (self.control.health(), round.changed_from) {
            (Health::Down, Some(Health::Fine)) => {
                self.down_since = Some(self.outside.now());
                let missing = direct::missing(&self.control);
                self.say(&format!(
                    "warning: the target does not answer without a proxy any more: {missing}; nothing is probed until it does, and what failed meanwhile will be probed again"
                ));
            }
            (Health::Fine, Some(Health::Down)) if self.down_since.take().is_some() => {
                self.say("the target answers again: the check goes on");
            }
            (Health::Down, _) if self.down_since.is_none() => self.first_rounds += 1,
            _ => {}
        }
        if round.said_else {
            self.say("warning: without a proxy the target says something else than before, and proxies must say the same from now on");
        }
        if round.relearnt {
            self.relearnt_ms = self.now_ms();
        }
        let all = Targets::first(self.control.policy().targets.len());
        for (record, trusted) in &round.settled {
            // A failure while one of several targets was away may be that one's.
            match record.verdict == Verdict::Alive || *trusted == all {
                true => self.check.end(record)?,
                false => self.again(record.id as u32, Again::TargetDown, record)?,
            }
        }
        round.void.iter().try_for_each(|record| self.void(record))
    }

    /// Whether one has waited long enough for the targets.
    fn given_up(&self) -> Option<End> {
        if self.control.health() != Health::Down {
            return None;
        }
        let missing = || direct::missing(&self.control);
        let remedies = || direct::remedies(&self.control);
        if let Some(since) = self.down_since {
            let gone = self.outside.now() >= since + self.patience.down;
            return gone.then(|| End::Gone(missing()));
        }
        let often = self.first_rounds >= FIRST_ROUNDS_MAX;
        let long = self.first_rounds > 0 && self.outside.now() >= self.patience.first;
        (often || long).then(|| End::Unreached(format!("{}. Remedy: {}", missing(), remedies())))
    }

    fn say(&mut self, text: &str) {
        let err = &mut self.err;
        // Without stderr there is nobody to tell.
        let _ = self
            .check
            .bar
            .suspend(|| writeln!(err, "proxy-checker: {text}"));
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.outside.now().as_millis()).unwrap_or(u64::MAX)
    }
}
