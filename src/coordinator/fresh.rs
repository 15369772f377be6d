//! Whether what readers see is fresh: pure.

use super::event::Now;
use crate::control::Health;
use crate::snapshot::Stale;
use proxy_shards::Verdict;

/// How long every probe must have failed for want of a network before the network counts as gone, in
/// milliseconds.
const OFFLINE_MS: u64 = 3_000;

/// The two networks that a host may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    V4,
    V6,
}

/// Whether there is a way out by one of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Way {
    /// Nobody tried.
    #[default]
    Unknown,
    There,
    /// Every probe failed for want of one, since then.
    Gone {
        since_ms: u64,
    },
}

impl Way {
    fn is_gone_for_long(self, now_ms: u64) -> bool {
        matches!(self, Way::Gone { since_ms } if since_ms + OFFLINE_MS <= now_ms)
    }
}

/// Notices from the verdicts that this host's network is gone, where no target is probed that would
/// tell.
#[derive(Debug, Default)]
pub(super) struct Outage {
    ways: [Way; 2],
}

impl Outage {
    /// A job came back that was handed out at `began_ms`. Only one that says something about its proxy
    /// tells that there is a network, if it began when there was none.
    pub(super) fn note(&mut self, verdict: Verdict, family: Family, began_ms: u64, now_ms: u64) {
        let way = &mut self.ways[family as usize];
        *way = match *way {
            Way::Gone { since_ms } if verdict.is_local() || began_ms < since_ms => return,
            _ if verdict == Verdict::LocalNetwork => Way::Gone { since_ms: now_ms },
            _ if verdict.is_local() => return,
            _ => Way::There,
        };
    }

    /// Whether the network is gone: one way is, and by the other nobody gets out either.
    pub(super) fn lasts(&self, now_ms: u64) -> bool {
        !self.ways.contains(&Way::There) && self.ways.iter().any(|way| way.is_gone_for_long(now_ms))
    }

    /// Whether this host has the other way only, as one without IPv6.
    pub(super) fn is_of_one(&self, family: Family, now_ms: u64) -> bool {
        let other = self.ways[1 - family as usize];
        self.ways[family as usize].is_gone_for_long(now_ms) && other == Way::There
    }
}

/// Why the snapshot is stale, if it is.
#[derive(Debug, Default)]
pub(super) struct Freshness {
    /// The reason, and since when by the Unix clock.
    stale: Option<(Stale, u64)>,
    /// Since when nothing is alive though the targets answer.
    nothing_since_ms: Option<u64>,
}

/// What decides on it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sight {
    pub(super) health: Health,
    /// Candidates that are alive.
    pub(super) alive: u64,
    /// Proxies in the pool that is served.
    pub(super) served: usize,
    /// How long a pool is served when nothing is alive any more.
    pub(super) stale_max_ms: u64,
}

impl Freshness {
    /// The reason, and since when, in milliseconds since the Unix epoch.
    pub(super) fn stale(&self) -> Option<(Stale, u64)> {
        self.stale
    }

    /// The host's clock was set back: it is stale since then at the latest.
    pub(super) fn set_back(&mut self, unix_ms: u64) {
        self.stale = self
            .stale
            .map(|(why, since_ms)| (why, since_ms.min(unix_ms)));
    }

    /// When the pool of what is no longer alive is to be dropped.
    pub(super) fn ends_at(&self, stale_max_ms: u64) -> Option<u64> {
        let nothing_alive = matches!(self.stale, Some((Stale::NothingAlive, _)));
        let since = self.nothing_since_ms.filter(|_| nothing_alive)?;
        Some(since.saturating_add(stale_max_ms))
    }

    /// Looks anew; whether that makes a difference.
    pub(super) fn look(&mut self, sight: Sight, now: Now) -> bool {
        let before = self.stale.map(|(reason, _)| reason);
        let reason = match sight.health {
            // Not known yet: what was stale stays so, and nothing becomes it.
            Health::Unknown => before.filter(|&stale| {
                // A pool that was emptied by order is held for nobody.
                stale == Stale::Control || sight.alive > 0 || sight.served > 0
            }),
            Health::Down => {
                self.nothing_since_ms = None;
                Some(Stale::Control)
            }
            Health::Fine if sight.alive > 0 || sight.served == 0 => {
                self.nothing_since_ms = None;
                None
            }
            Health::Fine => {
                let since = *self.nothing_since_ms.get_or_insert(now.clock_ms);
                let lasts = now.clock_ms < since.saturating_add(sight.stale_max_ms);
                lasts.then_some(Stale::NothingAlive)
            }
        };
        if reason != before {
            self.stale = reason.map(|reason| (reason, now.unix_ms));
        }
        reason != before
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Now {
        Now {
            clock_ms: ms,
            unix_ms: 1_000_000 + ms,
        }
    }

    /// The reason after each of these looks, one a second.
    fn looks(sights: &[(Health, u64, usize)]) -> Vec<Option<Stale>> {
        let mut freshness = Freshness::default();
        let look = |(second, &(health, alive, served)): (u64, &(Health, u64, usize))| {
            let sight = Sight {
                health,
                alive,
                served,
                stale_max_ms: 2_000,
            };
            freshness.look(sight, at(second * 1_000));
            freshness.stale().map(|(reason, _)| reason)
        };
        (0..).zip(sights).map(look).collect()
    }

    #[test]
    fn while_the_targets_do_not_answer_it_is_stale_without_end() {
        let down = [(Health::Down, 0, 5); 100];
        assert!(looks(&down).iter().all(|s| *s == Some(Stale::Control)));
    }

    #[test]
    fn what_is_no_longer_alive_is_served_for_a_time() {
        let sights = [
            (Health::Fine, 5, 5),
            (Health::Fine, 0, 5),
            (Health::Fine, 0, 5),
            (Health::Fine, 0, 5),
            (Health::Fine, 0, 0),
        ];
        let stale = Some(Stale::NothingAlive);
        assert_eq!(looks(&sights), [None, stale, stale, None, None]);
    }

    #[test]
    fn an_outage_of_the_targets_does_not_use_that_time_up() {
        let sights = [
            (Health::Fine, 0, 5),
            (Health::Down, 0, 5),
            (Health::Down, 0, 5),
            (Health::Down, 0, 5),
            (Health::Fine, 0, 5),
            (Health::Fine, 1, 5),
        ];
        let (control, nothing) = (Some(Stale::Control), Some(Stale::NothingAlive));
        let expected = [nothing, control, control, control, nothing, None];
        assert_eq!(looks(&sights), expected);
    }

    #[test]
    fn before_the_targets_have_answered_it_is_as_it_was() {
        let sights = [
            (Health::Unknown, 5, 5),
            (Health::Down, 5, 5),
            (Health::Unknown, 5, 5),
            (Health::Fine, 5, 5),
        ];
        let control = Some(Stale::Control);
        assert_eq!(looks(&sights), [None, control, control, None]);
    }

    #[test]
    fn it_has_an_end_only_when_nothing_is_alive() {
        let mut freshness = Freshness::default();
        let mut sight = Sight {
            health: Health::Fine,
            alive: 0,
            served: 5,
            stale_max_ms: 2_000,
        };
        assert!(freshness.look(sight, at(1_000)));
        assert_eq!(freshness.ends_at(2_000), Some(3_000));
        assert_eq!(freshness.stale(), Some((Stale::NothingAlive, 1_001_000)));
        assert!(!freshness.look(sight, at(2_000)), "nothing new");
        sight.health = Health::Down;
        assert!(freshness.look(sight, at(2_500)));
        assert_eq!(freshness.ends_at(2_000), None);
    }

    #[test]
    fn the_network_is_gone_when_nothing_else_was_seen_for_seconds() {
        let mut outage = Outage::default();
        let mut note = |verdict, now_ms| outage.note(verdict, Family::V4, now_ms, now_ms);
        note(Verdict::LocalNetwork, 1_000);
        note(Verdict::LocalPorts, 1_500);
        note(Verdict::LocalNetwork, 2_000);
        assert!(!outage.lasts(3_999));
        assert!(outage.lasts(4_000));
        outage.note(Verdict::ConnectTimeout, Family::V4, 999, 4_000);
        assert!(
            outage.lasts(4_000),
            "it was under way when the network went"
        );
        outage.note(Verdict::Refused, Family::V4, 4_000, 4_000);
        assert!(!outage.lasts(4_000));
        outage.note(Verdict::LocalNetwork, Family::V4, 4_001, 4_001);
        assert!(!outage.lasts(7_000));
    }

    #[test]
    fn a_host_without_one_of_the_networks_has_the_other() {
        let mut outage = Outage::default();
        outage.note(Verdict::LocalNetwork, Family::V6, 1_000, 1_000);
        assert!(outage.lasts(4_000), "there may be none at all");
        outage.note(Verdict::Refused, Family::V4, 2_000, 4_000);
        assert!(!outage.lasts(9_000));
        assert!(outage.is_of_one(Family::V6, 9_000));
        assert!(!outage.is_of_one(Family::V4, 9_000));
        outage.note(Verdict::LocalNetwork, Family::V4, 9_000, 9_000);
        assert!(outage.lasts(12_000));
        assert!(!outage.is_of_one(Family::V6, 12_000));
    }
}
