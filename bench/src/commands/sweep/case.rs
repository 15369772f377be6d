//! What is measured: what the proxies do, how many are probed at once, on how many shards.

use proxy_bench::harness::steering::Steering;
use std::fmt;
use std::time::Duration;

/// What the proxies do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Load {
    /// They forward.
    Good,
    /// They answer the SYN with RST.
    Refused,
    /// Of everything some, as lists have it.
    Mix,
    /// They accept the connection and say nothing.
    Tarpit,
}

/// Everything that a plain list of HTTP proxies has in it: TLS is left out, so that the figures are
/// of the engine and not of the cryptography, and other protocols, which the references do not speak.
pub(in crate::commands) const MIX: &str = "forwards,forwards_auth,forwards_auth_bare,forwards_auth_wrong,refuses,silent,\
    mute,closes_at_once,resets,garbage,own_page,bad_gateway,forbidden,asks_auth,redirects,late,\
    drips,endless_headers,endless_body,black_hole,socks5_as_http,socks4_as_http";

impl Load {
    /// Every load.
    pub(super) const ALL: [Load; 4] = [Load::Good, Load::Refused, Load::Mix, Load::Tarpit];

    /// The one word for it.
    pub(super) const fn label(self) -> &'static str {
        match self {
            Load::Good => "good",
            Load::Refused => "refused",
            Load::Mix => "mix",
            Load::Tarpit => "tarpit",
        }
    }

    /// The farm's behaviours.
    pub(super) const fn behaviours(self) -> &'static str {
        match self {
            Load::Good => "forwards",
            Load::Refused => "refuses",
            Load::Mix => MIX,
            Load::Tarpit => "silent",
        }
    }
}

/// Which rows are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Steered {
    Yes,
    No,
    Both,
}

impl Steered {
    pub(super) const fn both(self) -> &'static [Steering] {
        match self {
            Steered::Yes => &[Steering::ToFarm],
            Steered::No => &[Steering::Off],
            Steered::Both => &[Steering::ToFarm, Steering::Off],
        }
    }
}

/// One thing that every contestant does in turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Case {
    pub(super) load: Load,
    pub(super) lanes: u32,
    pub(super) shards: u32,
    pub(super) steering: Steering,
    /// How many proxies at least.
    pub(super) count_min: usize,
}

/// How often every lane is used at most where a proxy holds it until its timeout.
const TURNS_OF_TARPIT: usize = 4;

impl Case {
    /// How many proxies are checked: enough for every lane. Where each holds its lane until the
    /// deadline no more than a few turns, or the run would take minutes.
    pub(super) fn count(&self) -> usize {
        let lanes = self.lanes as usize;
        let count = self.count_min.max(lanes);
        match self.load {
            Load::Tarpit => count.min(lanes * TURNS_OF_TARPIT),
            Load::Good | Load::Refused | Load::Mix => count,
        }
    }

    /// Whether there are more lanes than a process usually has descriptors.
    pub(super) const fn is_wide(&self) -> bool {
        self.lanes > 20_000
    }

    /// How long a connect and a whole probe may take. Who must be timed out is so soon; the rest has
    /// the time that a burst of SYNs may need on a CPU that is shared with the farm's work: those
    /// that a queue drops are sent again after 1, 3 and 7 s.
    pub(super) const fn patience(&self) -> (Duration, Duration) {
        let (connect, whole) = match self.load {
            _ if self.is_wide() => (15, 30),
            Load::Good | Load::Refused => (15, 30),
            Load::Mix => (5, 8),
            Load::Tarpit => (4, 5),
        };
        (Duration::from_secs(connect), Duration::from_secs(whole))
    }

    /// When a run has certainly hung: each lane waits for each of its proxies, and then again.
    pub(super) fn limit(&self) -> Duration {
        let turns = self.count().div_ceil(self.lanes as usize);
        let (_, whole) = self.patience();
        whole * u32::try_from(2 * turns).unwrap_or(u32::MAX) + Duration::from_secs(120)
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (load, lanes) = (self.load.label(), self.lanes);
        write!(f, "{load}, {lanes} lanes")?;
        if self.shards > 1 {
            write!(f, ", {} shards", self.shards)?;
        }
        write!(f, ", {}", self.steering.label())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proxy_bench::farm::{Aim, Behaviour, Farm, FarmOptions, Listing};

    fn case(load: Load, lanes: u32) -> Case {
        Case {
            load,
            lanes,
            shards: 1,
            steering: Steering::Off,
            count_min: 20_000,
        }
    }

    #[test]
    fn every_load_is_of_plain_http_proxies_so_that_the_references_can_do_it() {
        let farm = Farm::start(FarmOptions::default()).expect("a farm");
        for load in Load::ALL {
            for label in load.behaviours().split(',') {
                let behaviour = Behaviour::from_label(label).expect(label);
                let proxy = farm.proxy_in(behaviour, 0, Listing::Schemed);
                assert!(proxy.starts_with("http://"), "{proxy}");
                assert_eq!(
                    behaviour.verdicts(Aim::NoContent, Listing::Schemed).len(),
                    1
                );
            }
        }
    }

    #[test]
    fn there_is_a_proxy_for_every_lane() {
        assert_eq!(case(Load::Good, 38_000).count(), 38_000);
        assert_eq!(case(Load::Good, 1_000).count(), 20_000);
    }

    #[test]
    fn a_tarpit_does_not_take_minutes() {
        assert_eq!(case(Load::Tarpit, 1_000).count(), 4_000);
        assert_eq!(case(Load::Tarpit, 19_000).count(), 20_000);
    }

    #[test]
    fn who_thinks_has_the_time_that_it_takes() {
        let (connect, whole) = case(Load::Mix, 19_000).patience();
        let late = Behaviour::from_label("late").expect("a behaviour").thinks();
        assert!(connect + late < whole);
    }
}
