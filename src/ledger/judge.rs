//! What a record makes of what was known: pure.
//!
//! A target that is reached was reached, whoever asked. One that is missed was missed by the proxy
//! only if it answered all the while; else what was known of it stays. A proxy that reached one that
//! answered, and now does not, has lost it: what it had of the others does not keep it alive.

use proxy_shards::{Protocol, Record, Require, Targets, Verdict, Works};

/// What makes a proxy alive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Goal {
    pub(super) require: Require,
    /// How many targets there are.
    pub(super) count: usize,
}

impl Default for Goal {
    fn default() -> Goal {
        Goal {
            require: Require::default(),
            count: 1,
        }
    }
}

/// What a record says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Judged {
    /// Nothing about the proxy, or nothing that was not known.
    Nothing,
    /// Its verdict counts.
    Counts {
        /// What the proxy reaches.
        works: Works,
        /// Whether a target that did not answer might have made it alive.
        doubtful: bool,
    },
}

/// `known`: what the proxy reached when it was last checked, if it is alive; `trusted`: the targets
/// that answered all the while.
pub(super) fn judge(known: Works, record: &Record, trusted: Targets, goal: Goal) -> Judged {
    if record.verdict.is_local() {
        return Judged::Nothing;
    }
    if needs_no_target(record.verdict) {
        return Judged::Counts {
            works: record.works,
            doubtful: false,
        };
    }
    let untrusted = Targets::first(goal.count).without(trusted);
    let mut works = Works::default();
    for protocol in Protocol::ALL {
        let (new, old) = (record.works.by(protocol), known.by(protocol));
        if record.untried.contains(protocol) {
            works.set(protocol, new.or(old));
            continue;
        }
        let lost = new.is_empty() && !old.and(trusted).is_empty();
        let kept = match lost {
            true => Targets::NONE,
            false => old.and(untrusted),
        };
        works.set(protocol, new.or(kept));
    }
    let is_alive = record.verdict == Verdict::Alive;
    if !is_alive && !works.enough(goal.require, goal.count).is_empty() {
        return Judged::Nothing;
    }
    let might_do = |protocol| {
        let most = record.works.by(protocol).or(untrusted);
        goal.require.is_met(most, goal.count)
    };
    Judged::Counts {
        works,
        doubtful: !is_alive && Protocol::ALL.into_iter().any(might_do),
    }
}

/// Whether the connection to the proxy never stood, which no target has a part in.
fn needs_no_target(verdict: Verdict) -> bool {
    matches!(
        verdict,
        Verdict::Refused | Verdict::Unreachable | Verdict::ConnectTimeout
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use proxy_shards::Protocol::{Http, Socks5};
    use proxy_shards::Protocols;
    use proxy_shards::Verdict::{Alive, Closed, LocalPorts, Refused};

    fn works(pairs: &[(Protocol, u8)]) -> Works {
        let mut works = Works::default();
        for &(protocol, bits) in pairs {
            works.set(protocol, Targets::from_bits(bits));
        }
        works
    }

    /// What counts, as bits of `Http` and `Socks5` and whether it is doubtful.
    type Expected = Option<(u8, u8, bool)>;

    fn check(
        require: Require,
        known: &[(Protocol, u8)],
        (verdict, new): (Verdict, &[(Protocol, u8)]),
        trusted: u8,
        expected: Expected,
    ) {
        let record = Record {
            works: works(new),
            ..Record::unprobed(0, verdict)
        };
        let goal = Goal { require, count: 2 };
        let trusted = Targets::from_bits(trusted);
        let judged = match judge(works(known), &record, trusted, goal) {
            Judged::Nothing => None,
            Judged::Counts { works, doubtful } => {
                Some((works.by(Http).bits(), works.by(Socks5).bits(), doubtful))
            }
        };
        assert_eq!(
            judged, expected,
            "{require:?} {known:?} {verdict:?} {new:?} {trusted:?}"
        );
    }

    #[test]
    fn while_every_target_answers_the_record_is_what_is_known() {
        for (require, known) in [
            (Require::All, 0b11),
            (Require::Any, 0b10),
            (Require::Any, 0),
        ] {
            let known = &[(Http, known), (Socks5, known)];
            let alive = (Alive, &[(Http, 0b11)][..]);
            check(require, known, alive, 0b11, Some((0b11, 0, false)));
            check(require, known, (Closed, &[]), 0b11, Some((0, 0, false)));
            check(require, known, (Refused, &[]), 0b11, Some((0, 0, false)));
            check(require, known, (LocalPorts, &[]), 0b11, None);
        }
        let partly = (Closed, &[(Http, 0b01)][..]);
        check(
            Require::All,
            &[(Http, 0b11)],
            partly,
            0b11,
            Some((0b01, 0, false)),
        );
    }

    #[test]
    fn what_is_reached_of_a_target_that_did_not_answer_was_reached() {
        let alive = (Alive, &[(Http, 0b01)][..]);
        check(Require::Any, &[], alive, 0b10, Some((0b01, 0, false)));
    }

    #[test]
    fn a_target_that_did_not_answer_keeps_its_bit() {
        let alive = (Alive, &[(Http, 0b01)][..]);
        let known = &[(Http, 0b11), (Socks5, 0b10)];
        check(Require::Any, known, alive, 0b01, Some((0b11, 0b10, false)));
    }

    #[test]
    fn one_that_is_alive_by_a_target_that_did_not_answer_stays_alive() {
        let known = &[(Http, 0b10)];
        check(Require::Any, known, (Closed, &[]), 0b01, None);
        let partly = (Closed, &[(Http, 0b01)][..]);
        check(Require::All, &[(Http, 0b11)], partly, 0b01, None);
    }

    #[test]
    fn one_that_lost_a_target_that_answered_is_not_kept_alive_by_the_other() {
        let known = &[(Http, 0b11)];
        check(Require::Any, known, (Closed, &[]), 0b01, Some((0, 0, true)));
        check(
            Require::All,
            known,
            (Closed, &[]),
            0b01,
            Some((0, 0, false)),
        );
        let both = &[(Http, 0b11), (Socks5, 0b10)];
        check(Require::Any, both, (Closed, &[]), 0b01, None);
    }

    #[test]
    fn a_failure_of_one_that_was_not_alive_counts_in_doubt() {
        check(Require::Any, &[], (Closed, &[]), 0b01, Some((0, 0, true)));
        let partly = (Closed, &[(Http, 0b01)][..]);
        check(Require::All, &[], partly, 0b01, Some((0b01, 0, true)));
        check(Require::All, &[], (Closed, &[]), 0b01, Some((0, 0, false)));
    }

    #[test]
    fn what_trouble_of_this_host_left_untried_still_works() {
        let record = Record {
            works: works(&[(Http, 0b11)]),
            untried: Protocols::only(Socks5),
            ..Record::unprobed(0, Alive)
        };
        let goal = Goal {
            require: Require::All,
            count: 2,
        };
        let known = works(&[(Http, 0b11), (Socks5, 0b11)]);
        let judged = judge(known, &record, Targets::first(2), goal);
        let kept = Judged::Counts {
            works: known,
            doubtful: false,
        };
        assert_eq!(judged, kept);
    }

    #[test]
    fn a_connection_that_never_stood_needs_no_target() {
        for verdict in [Refused, Verdict::Unreachable, Verdict::ConnectTimeout] {
            for trusted in 0..4 {
                let known = &[(Http, 0b11)];
                check(
                    Require::Any,
                    known,
                    (verdict, &[]),
                    trusted,
                    Some((0, 0, false)),
                );
            }
        }
    }
}
