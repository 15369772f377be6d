//! The targets as this node reaches them without a proxy: their addresses, and when to try them.

use super::book::Out;
use crate::commands::check::direct::{self, Addresses};
use crate::commands::check::names::{self, Found};
use crate::control::{Control, Health, Round};
use crate::dispatch::Shards;
use crossbeam_channel::{Sender, never};
use proxy_shards::{ControlJob, ProbePolicy, Record};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

/// While a target does not answer, its name is looked up again this often, in milliseconds.
const LOOKUP_MS: u64 = 10_000;

/// A verdict that waits for the targets.
#[derive(Clone, Copy, Debug)]
pub(super) struct Held {
    pub(super) out: Out,
    pub(super) record: Record,
}

/// What came of a round, or of the wait for one.
pub(super) type Concluded = Option<Round<Held>>;

/// The targets.
pub(super) struct Targets {
    pub(super) control: Control<Held>,
    /// Absent until their names were looked up for the first time.
    addresses: Option<Addresses>,
    lookups: Sender<Found>,
    looked_up_ms: u64,
}

impl Targets {
    /// The targets of `policy`; what their names are found to be is sent to `lookups`.
    pub(super) fn new(
        policy: Arc<ProbePolicy>,
        every: Option<Duration>,
        lookups: Sender<Found>,
    ) -> Targets {
        let targets = Targets {
            control: Control::new(policy, every),
            addresses: None,
            lookups,
            looked_up_ms: 0,
        };
        targets.look_up();
        targets
    }

    /// Others are in force; what was held is given back.
    pub(super) fn replace(
        &mut self,
        policy: Arc<ProbePolicy>,
        every: Option<Duration>,
    ) -> Vec<Held> {
        self.addresses = None;
        let held = self.control.replace(policy, every);
        self.look_up();
        held
    }

    /// In a thread of its own: the system's resolver may take its time.
    fn look_up(&self) {
        let names = direct::host_names(self.control.policy());
        let lookups = self.lookups.clone();
        let look = move || {
            let found = names::resolve(names, names::system, &never());
            // The worker has ended if nobody listens.
            let _ = lookups.send(found.unwrap_or_default());
        };
        // Without a thread it is tried again when the targets do not answer.
        let _ = thread::Builder::new()
            .name("cluster-names".into())
            .spawn(look);
    }

    /// Their names were looked up.
    pub(super) fn found(&mut self, found: &Found) {
        self.addresses = Some(Addresses::new(self.control.policy(), found));
    }

    /// Starts a round if one is due: at once, as far as that may be, when nothing is left but what is
    /// held.
    pub(super) fn reach(&mut self, shards: &impl Shards, is_idle: bool, now_ms: u64) -> Concluded {
        let addresses = self.addresses.as_ref()?;
        let is_last = is_idle && self.control.held() > 0;
        let soonest = self.control.soonest().filter(|_| is_last);
        let due = self
            .control
            .due_at(!is_idle)
            .into_iter()
            .chain(soonest)
            .min();
        if due.is_none_or(|at| at > now_ms) {
            return None;
        }
        if let Some(round) = self.control.give_up(now_ms) {
            return Some(round);
        }
        let mut concluded = None;
        for id in self.control.start(now_ms) {
            let Some(target) = self.control.target_of(id) else {
                continue;
            };
            match addresses.of(target) {
                Some(address) => {
                    let job = ControlJob {
                        id,
                        target,
                        address,
                    };
                    shards.control(target % shards.shards().max(1), job);
                }
                None => concluded = concluded.or(self.control.unresolved(id, now_ms)),
            }
        }
        concluded
    }

    /// A round has ended: goes on to other addresses of those that did not answer, and looks their
    /// names up again from time to time.
    pub(super) fn turn(&mut self, round: &Round<Held>, now_ms: u64) {
        if let Some(addresses) = &mut self.addresses {
            addresses.turn(round.reached);
        }
        if self.control.health() == Health::Down && now_ms >= self.looked_up_ms + LOOKUP_MS {
            self.looked_up_ms = now_ms;
            self.look_up();
        }
    }
}
