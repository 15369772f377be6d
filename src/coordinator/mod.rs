//! Keeps the ledger and the schedule, feeds the shards, publishes snapshots.
//!
//! Candidates come in from the sources and are due at once. What is due is handed to the shards,
//! what they report goes into the ledger and is due again when its standing says; what is no proof
//! is held until the targets have answered without a proxy. Whatever changed is published, and saved
//! from time to time. [`State`] decides all of it without a thread, a
//! socket or a clock; [`run`] is the loop around it.

mod asked;
mod event;
mod state;

mod feed;
mod forbid;
mod govern;
mod imports;
mod names;
mod reload;
mod reserve;
mod restore;
mod rounds;
mod setback;
mod sources;
mod sweeps;

mod answer;
mod fresh;
mod heard;
mod lately;
mod publication;
mod publish;
mod saves;
mod view;

mod fleet;
mod journal;
mod succession;

#[cfg(test)]
mod model;
#[cfg(test)]
pub(crate) mod simulation;
#[cfg(test)]
mod tests;

pub(crate) use asked::mark;
pub use event::{
    Action, Event, Hearsay, Import, Known, Lookup, Now, Purpose, Question, SaveOutcome,
};
pub use fleet::Fleet;
pub(crate) use publish::Publisher;
pub(crate) use saves::Saves;
pub use state::{LOOKUPS_MAX, Route, Start, State};
pub(crate) use state::{rules, to_ms};
pub(crate) use succession::{Before, unix_ms};

use crate::dispatch::Shards;
use crate::snapshot::Published;
use crate::store::Image;
use crate::traces;
use crate::usage::Meter;
use crossbeam_channel::{Receiver, Sender, select, tick};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};
use tokio::sync::mpsc::UnboundedSender;

/// How long probes under way may go on after the stop.
pub const STOP_GRACE: Duration = Duration::from_secs(2);

/// How often the CPU time of the process is read.
const MEASURE_EVERY: Duration = Duration::from_secs(1);

/// Where the coordinator's actions go.
#[derive(Debug)]
pub struct Outlets {
    /// What readers see.
    pub published: Arc<Published>,
    /// Names to be looked up.
    pub lookups: UnboundedSender<Lookup>,
    /// Images to be saved.
    pub images: Sender<Image>,
}

/// The clock of the loop: milliseconds since it was made.
#[derive(Clone, Copy, Debug)]
pub struct Clock(Instant);

impl Clock {
    /// Starts at 0.
    pub fn start() -> Clock {
        Clock(Instant::now())
    }

    /// This moment.
    pub fn now(self) -> Now {
        let unix = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        Now {
            clock_ms: self.0.elapsed().as_millis() as u64,
            unix_ms: unix.map_or(0, |since| since.as_millis() as u64),
        }
    }
}

/// Runs until [`Event::Stop`], or until nobody can send events any more; then stops the shards,
/// takes their last reports, publishes and hands over the last image. `begun` is called when what
/// was restored is published.
pub fn run<S: Shards>(
    shards: S,
    start: Start,
    events: &Receiver<Event>,
    outlets: &Outlets,
    begun: impl FnOnce(),
) {
    let clock = Clock::start();
    shards.set_pace(start.config.checker.connects_per_second);
    let mut state = State::new(start, clock.now(), &|address| shards.shard_of(address));
    let handle = |event, state: &mut State| {
        let now = clock.now();
        let began = traces::is_on().then(Instant::now);
        let actions = state.handle(event, now, &|address| shards.shard_of(address));
        let publishes = |action: &Action| matches!(action, Action::Publish { .. });
        let began = began.filter(|_| actions.iter().any(publishes));
        perform(actions, state, &shards, outlets, now);
        if let Some(began) = began {
            traces::published(began.elapsed());
        }
        state.wake_at(now).saturating_sub(clock.now().clock_ms)
    };
    let mut wake_ms = handle(Event::Tick, &mut state);
    begun();
    let (mut meter, seconds) = (Meter::start(), tick(MEASURE_EVERY));
    loop {
        let event = select! {
            recv(shards.reports()) -> report => report.map_or_else(|_| lost_shards(), Event::Report),
            recv(events) -> event => event.unwrap_or(Event::Stop),
            recv(seconds) -> _ => meter.look().map_or(Event::Tick, |cpu_percent| Event::Used { cpu_percent }),
            default(Duration::from_millis(wake_ms)) => Event::Tick,
        };
        let stops = matches!(event, Event::Stop);
        wake_ms = handle(event, &mut state);
        if stops {
            break;
        }
    }
    let reports = shards.stop(STOP_GRACE);
    let now = clock.now();
    for report in reports.try_iter() {
        // Nothing is asked any more.
        state.report(report, now, &mut Vec::new());
    }
    for action in state.finish(now) {
        pass_on(action, outlets, now);
    }
}

fn lost_shards() -> Event {
    tracing::error!("the shards ended by themselves; stopping. Please report this as a bug");
    Event::Stop
}

fn perform<S: Shards>(
    actions: Vec<Action>,
    state: &mut State,
    shards: &S,
    outlets: &Outlets,
    now: Now,
) {
    for action in actions {
        match action {
            Action::Submit { shard, jobs } => shards.submit(shard, jobs),
            Action::Control { shard, job } => shards.control(shard, job),
            Action::Policy(policy) => shards.set_policy(policy),
            Action::Lanes(lanes) => {
                shards.set_lanes(lanes);
                state.set_lanes(shards.lanes_per_shard());
            }
            Action::Pace(per_second) => shards.set_pace(per_second),
            other => pass_on(other, outlets, now),
        }
    }
}

/// Does what needs no shards. A receiver that is gone has ended with the process.
fn pass_on(action: Action, outlets: &Outlets, now: Now) {
    match action {
        Action::Publish { pool, stat, stale } => {
            outlets.published.publish(pool, stat, now.system(), stale);
        }
        Action::Lookup(lookup) => drop(outlets.lookups.send(lookup)),
        Action::Save(image) => drop(outlets.images.send(image)),
        Action::Submit { .. } | Action::Control { .. } | Action::Policy(_) => {}
        Action::Lanes(_) | Action::Pace(_) | Action::Log(_) => {}
    }
}
