//! What a check hears from outside, and what time it is there: its loop waits nowhere else.

use crossbeam_channel::{Receiver, select, tick};
use proxy_shards::Report;
use std::time::{Duration, Instant};

/// Rows wait for their reader at most this long, and the targets for their next round.
pub(super) const TICK: Duration = Duration::from_millis(100);

/// What a check heard.
#[derive(Debug)]
pub(super) enum Heard {
    /// A shard has something to report.
    Report(Box<Report>),
    /// Time has passed.
    Tick,
    /// A signal came.
    Interrupt,
    /// The shards are gone.
    Lost,
}

/// The world around the loop of a check: [`Outdoors`], or a simulation of it in tests.
pub(super) trait Outside {
    /// Time since the check began.
    fn now(&self) -> Duration;
    /// Waits for what comes next, for [`TICK`] at most.
    fn hear(&self, reports: &Receiver<Report>) -> Heard;
}

/// The world itself.
#[derive(Debug)]
pub(super) struct Outdoors<'i> {
    started: Instant,
    ticks: Receiver<Instant>,
    interrupts: &'i Receiver<()>,
}

impl Outdoors<'_> {
    /// The check begins.
    pub(super) fn new(interrupts: &Receiver<()>) -> Outdoors<'_> {
        Outdoors {
            started: Instant::now(),
            ticks: tick(TICK),
            interrupts,
        }
    }
}

impl Outside for Outdoors<'_> {
    fn now(&self) -> Duration {
        self.started.elapsed()
    }

    fn hear(&self, reports: &Receiver<Report>) -> Heard {
        select! {
            recv(reports) -> report => report.map_or(Heard::Lost, |report| Heard::Report(report.into())),
            recv(self.ticks) -> _ => Heard::Tick,
            recv(self.interrupts) -> _ => Heard::Interrupt,
        }
    }
}
