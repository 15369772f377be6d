//! The schedule against a model of the truth that has no queues, heaps or marks: what each candidate does,
//! and since when. In whatever order things happen, nothing is lost, doubled or starved.

use super::*;
use crate::properties::cases;
use fastrand::Rng;
use proptest::collection::vec;
use proptest::prelude::*;
use std::collections::BTreeMap;

const QUEUES: usize = 2;
const RULES: Rules = Rules {
    interval_ms: 60_000,
    backoff_max_ms: 900_000,
};
/// Later than anything may be due.
const FAR_MS: u64 = 2_000_000;

/// How a hand-out ends.
#[derive(Clone, Copy, Debug)]
enum End {
    Checked(Standing),
    Local,
    NoAddress,
    Diverted,
}

#[derive(Clone, Copy, Debug)]
enum Op {
    Wait(u64),
    Add(u32, Standing),
    AddToSweep(u32, Standing),
    AddSwept(u32, Standing, u64),
    Next {
        queue: usize,
        unproven_max: usize,
    },
    /// One of those that are out comes back.
    Back {
        nth: usize,
        end: End,
        queue: usize,
    },
    Hold {
        nth: usize,
    },
    Release {
        nth: usize,
        end: End,
        queue: usize,
    },
    /// A ticket that came back already comes back once more.
    Again {
        nth: usize,
    },
    Remove(u32),
    Hasten(u32),
    Outdate,
    Sweep,
}

fn standing() -> impl Strategy<Value = Standing> {
    prop_oneof![
        Just(Standing::New),
        Just(Standing::Alive),
        Just(Standing::Failing),
        (1u32..12).prop_map(|times| Standing::Dead { times }),
        Just(Standing::Dead { times: u32::MAX }),
    ]
}

fn op() -> impl Strategy<Value = Op> {
    let end = || {
        let checked = standing()
            .prop_filter("a verdict is none of one that has none", |standing| {
                *standing != Standing::New
            });
        prop_oneof![
            5 => checked.prop_map(End::Checked),
            1 => Just(End::Local),
            1 => Just(End::NoAddress),
            1 => Just(End::Diverted),
        ]
    };
    let (index, nth, queue) = (0..12u32, 0..12usize, 0..QUEUES);
    prop_oneof![
        4 => prop_oneof![0..3_000u64, 0..90_000u64].prop_map(Op::Wait),
        3 => (index.clone(), standing()).prop_map(|(i, s)| Op::Add(i, s)),
        3 => (index.clone(), standing()).prop_map(|(i, s)| Op::AddToSweep(i, s)),
        1 => (index.clone(), standing(), 0..90_000u64).prop_map(|(i, s, age)| Op::AddSwept(i, s, age)),
        8 => (queue.clone(), prop_oneof![Just(usize::MAX), 0..4usize])
            .prop_map(|(queue, unproven_max)| Op::Next { queue, unproven_max }),
        6 => (nth.clone(), end(), queue.clone()).prop_map(|(nth, end, queue)| Op::Back { nth, end, queue }),
        2 => nth.clone().prop_map(|nth| Op::Hold { nth }),
        2 => (nth.clone(), end(), queue).prop_map(|(nth, end, queue)| Op::Release { nth, end, queue }),
        1 => nth.prop_map(|nth| Op::Again { nth }),
        2 => index.clone().prop_map(Op::Remove),
        1 => index.prop_map(Op::Hasten),
        1 => Just(Op::Outdate),
        1 => Just(Op::Sweep),
    ]
}

/// What a candidate does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Doing {
    /// It is due some time between these.
    Waits {
        from_ms: u64,
        until_ms: u64,
    },
    Out(Ticket),
    Held,
}

#[derive(Clone, Copy, Debug)]
struct One {
    doing: Doing,
    standing: Standing,
    queue: usize,
    /// The sweep has not had its turn on it.
    is_in_sweep: bool,
    /// It was away when the sweep began.
    was_away: bool,
    is_outdated: bool,
    local_failures: u32,
}

struct Truth {
    schedule: Schedule,
    now_ms: u64,
    swept_ms: u64,
    known: BTreeMap<u32, One>,
    came_back: Vec<Ticket>,
}

/// `pause` ± 10 %.
fn about(pause_ms: u64) -> (u64, u64) {
    (pause_ms - pause_ms / 10, pause_ms + pause_ms / 10)
}

/// Doubled `times` - 1 times, up to `most_ms`.
fn doubled(first_ms: u64, times: u32, most_ms: u64) -> u64 {
    let doubled = (1..times.min(50)).try_fold(first_ms, |pause, _| pause.checked_mul(2));
    doubled.map_or(most_ms, |pause| pause.min(most_ms))
}

/// How long it is until a candidate is due, at least and at most.
fn pause_ms(end: End, one: &One) -> (u64, u64) {
    let Rules {
        interval_ms,
        backoff_max_ms,
    } = RULES;
    match (end, one.standing) {
        (End::Checked(Standing::New), _) | (End::Diverted, _) => (0, 0),
        (End::Checked(Standing::Alive), _) => (interval_ms, interval_ms),
        (End::Checked(Standing::Failing), _) => about(2_000),
        (End::Checked(Standing::Dead { times }), _) => {
            about(doubled(interval_ms, times, backoff_max_ms))
        }
        (End::Local, _) => about(doubled(1_000, one.local_failures, 30_000)),
        (End::NoAddress, Standing::Alive | Standing::Failing) => {
            about(doubled(1_000, one.local_failures, interval_ms))
        }
        (End::NoAddress, _) => about(doubled(1_000, one.local_failures, backoff_max_ms)),
    }
}

fn is_unproven(standing: Standing) -> bool {
    matches!(standing, Standing::New | Standing::Dead { .. })
}

impl Truth {
    fn new(seed: u64) -> Truth {
        Truth {
            schedule: Schedule::new(QUEUES, RULES, seed),
            now_ms: 1_000_000,
            swept_ms: 0,
            known: BTreeMap::new(),
            came_back: Vec::new(),
        }
    }

    fn add(&mut self, index: u32, standing: Standing, due_ms: (u64, u64)) {
        let (from_ms, until_ms) = match standing {
            Standing::New => (0, 0),
            _ => due_ms,
        };
        self.known.entry(index).or_insert(One {
            doing: Doing::Waits { from_ms, until_ms },
            standing,
            queue: index as usize % QUEUES,
            is_in_sweep: false,
            was_away: false,
            is_outdated: false,
            local_failures: 0,
        });
    }

    /// The `nth` of those of which `is` says so.
    fn nth(&self, nth: usize, is: impl Fn(&Doing) -> bool) -> Option<u32> {
        let all: Vec<u32> = self
            .known
            .iter()
            .filter(|(_, one)| is(&one.doing))
            .map(|(&i, _)| i)
            .collect();
        (!all.is_empty()).then(|| all[nth % all.len()])
    }

    fn take_back(&mut self, nth: usize) -> Option<u32> {
        let index = self.nth(nth, |doing| matches!(doing, Doing::Out(_)))?;
        let one = self.known[&index];
        let Doing::Out(ticket) = one.doing else {
            return None;
        };
        assert_eq!(self.schedule.is_outdated(index), one.is_outdated);
        assert_eq!(self.schedule.back(ticket), Some(index));
        assert_eq!(self.schedule.back(ticket), None, "it is taken back once");
        self.came_back.push(ticket);
        Some(index)
    }

    fn put_back(&mut self, index: u32, end: End, queue: usize) {
        let one = self.known.get_mut(&index).unwrap();
        one.queue = queue;
        match end {
            End::Checked(standing) => (one.standing, one.local_failures) = (standing, 0),
            End::Local | End::NoAddress => one.local_failures += 1,
            End::Diverted => {}
        }
        let (least, most) = pause_ms(end, one);
        one.doing = Doing::Waits {
            from_ms: self.now_ms + least,
            until_ms: self.now_ms + most,
        };
        if std::mem::take(&mut one.was_away) {
            let at = self.swept_ms;
            one.doing = Doing::Waits {
                from_ms: at,
                until_ms: at,
            };
        } else if matches!(end, End::Checked(_) | End::NoAddress) {
            one.is_in_sweep = false;
        }
        let outcome = match end {
            End::Checked(standing) => Outcome::Checked(standing),
            End::Local => Outcome::Local(one.standing),
            End::NoAddress => Outcome::NoAddress(one.standing),
            End::Diverted => Outcome::Diverted,
        };
        self.schedule.put_back(index, queue, outcome, self.now_ms);
    }

    fn next(&mut self, queue: usize, unproven_max: usize) {
        let mine = || self.known.values().filter(|one| one.queue == queue);
        let is_out = |one: &&One| matches!(one.doing, Doing::Out(_)) && is_unproven(one.standing);
        let is_full = mine().filter(is_out).count() >= unproven_max;
        let may_go = |one: &&One| !(is_full && is_unproven(one.standing));
        let is_overdue = |one: &One| matches!(one.doing, Doing::Waits { until_ms, .. } if until_ms <= self.now_ms);
        let is_anything_due = mine().filter(may_go).any(is_overdue);
        let Some(ticket) = self.schedule.next(queue, self.now_ms, unproven_max) else {
            assert!(!is_anything_due, "what is due is handed out");
            return;
        };
        let one = self
            .known
            .get_mut(&ticket.index())
            .expect("nobody else is handed out");
        let Doing::Waits { from_ms, .. } = one.doing else {
            panic!("{ticket:?} was handed out twice: {one:?}")
        };
        assert!(
            one.queue == queue && from_ms <= self.now_ms,
            "{one:?} is not due on {queue}"
        );
        assert!(
            !(is_full && is_unproven(one.standing)),
            "too many unproven are out"
        );
        (one.doing, one.is_outdated) = (Doing::Out(ticket), false);
    }

    fn sweep(&mut self) {
        self.swept_ms = self.now_ms;
        for one in self.known.values_mut() {
            one.is_in_sweep = true;
            let at = match one.standing {
                Standing::New => 0,
                _ => self.now_ms,
            };
            match &mut one.doing {
                Doing::Waits { from_ms, until_ms } => {
                    (*from_ms, *until_ms, one.local_failures) = (at, at, 0);
                }
                Doing::Out(_) | Doing::Held => one.was_away = true,
            }
        }
        self.schedule.sweep(self.now_ms, |_| 0);
    }

    fn hasten(&mut self, index: u32) {
        let now_ms = self.now_ms;
        if let Some(one) = self.known.get_mut(&index)
            && one.standing != Standing::New
            && let Doing::Waits { from_ms, until_ms } = &mut one.doing
        {
            (*from_ms, *until_ms) = ((*from_ms).min(now_ms), (*until_ms).min(now_ms));
        }
        if self.known.contains_key(&index) {
            self.schedule.hasten(index, now_ms);
        }
    }

    fn step(&mut self, op: Op) {
        let now_ms = self.now_ms;
        match op {
            Op::Wait(ms) => self.now_ms += ms,
            Op::Add(index, standing) => {
                self.add(index, standing, (now_ms, now_ms));
                self.schedule
                    .add(index, index as usize % QUEUES, standing, now_ms);
            }
            Op::AddToSweep(index, standing) => {
                self.add(index, standing, (now_ms, now_ms));
                let one = self.known.get_mut(&index).unwrap();
                one.is_in_sweep |= matches!(one.doing, Doing::Waits { .. });
                self.schedule
                    .add_to_sweep(index, index as usize % QUEUES, standing, now_ms);
            }
            Op::AddSwept(index, standing, age_ms) => {
                if self.known.contains_key(&index) {
                    return;
                }
                self.add(index, standing, (now_ms, now_ms));
                let one = self.known.get_mut(&index).unwrap();
                let (least, most) = pause_ms(End::Checked(standing), one);
                if standing != Standing::New {
                    one.doing = Doing::Waits {
                        from_ms: now_ms + least.saturating_sub(age_ms),
                        until_ms: now_ms + most.saturating_sub(age_ms),
                    };
                }
                self.schedule
                    .add_swept(index, index as usize % QUEUES, standing, age_ms, now_ms);
            }
            Op::Next {
                queue,
                unproven_max,
            } => self.next(queue, unproven_max),
            Op::Back { nth, end, queue } => {
                if let Some(index) = self.take_back(nth) {
                    self.put_back(index, end, queue);
                }
            }
            Op::Hold { nth } => {
                if let Some(index) = self.take_back(nth) {
                    self.schedule.hold(index);
                    self.known.get_mut(&index).unwrap().doing = Doing::Held;
                }
            }
            Op::Release { nth, end, queue } => {
                if let Some(index) = self.nth(nth, |doing| *doing == Doing::Held) {
                    assert!(self.schedule.release(index) && !self.schedule.release(index));
                    self.put_back(index, end, queue);
                }
            }
            Op::Again { nth } => {
                if !self.came_back.is_empty() {
                    let old = self.came_back[nth % self.came_back.len()];
                    assert_eq!(self.schedule.back(old), None, "{old:?} came back before");
                }
            }
            Op::Remove(index) => {
                if let Some(one) = self.known.get(&index) {
                    let waits = matches!(one.doing, Doing::Waits { .. });
                    assert_eq!(self.schedule.remove(index), waits);
                    if waits {
                        self.known.remove(&index);
                    }
                }
            }
            Op::Hasten(index) => self.hasten(index),
            Op::Outdate => {
                self.schedule.outdate();
                let all = self.known.values_mut();
                all.filter(|one| matches!(one.doing, Doing::Out(_)))
                    .for_each(|one| one.is_outdated = true);
            }
            Op::Sweep => self.sweep(),
        }
    }

    /// All that the schedule says of itself is so.
    fn check(&mut self) {
        let mut waiting = 0;
        for (&index, one) in &mut self.known {
            let waits_until = self.schedule.waits_until(index);
            assert_eq!(self.schedule.is_held(index), one.doing == Doing::Held);
            assert_eq!(
                self.schedule.is_in_sweep(index),
                one.is_in_sweep,
                "{index}: {one:?}"
            );
            let Doing::Waits { from_ms, until_ms } = &mut one.doing else {
                assert_eq!(waits_until, None);
                continue;
            };
            let due_ms = waits_until.expect("it waits");
            assert!(
                (*from_ms..=*until_ms).contains(&due_ms),
                "{index} at {due_ms}: {from_ms}..={until_ms}"
            );
            (*from_ms, *until_ms) = (due_ms, due_ms);
            waiting += 1;
            let wakes = self.schedule.due_at(one.queue, usize::MAX);
            assert!(wakes.is_some_and(|at| at <= due_ms), "it is slept over");
        }
        assert_eq!(self.schedule.waiting(), waiting);
        let left: Vec<&One> = self.known.values().filter(|one| one.is_in_sweep).collect();
        let Progress { total, done, .. } = self.schedule.progress();
        assert_eq!(total - done, left.len() as u64, "what is left of the sweep");
        let held = |one: &&One| one.doing == Doing::Held && !one.was_away;
        let rest_is_held = !left.is_empty() && left.iter().all(held);
        assert_eq!(self.schedule.rest_of_sweep_is_held(), rest_is_held);
    }

    /// Whoever waits has its turn, once.
    fn drain(&mut self) {
        self.now_ms += FAR_MS;
        for queue in 0..QUEUES {
            for _ in 0..=self.known.len() {
                self.next(queue, usize::MAX);
            }
        }
        let waits = |one: &One| matches!(one.doing, Doing::Waits { .. });
        assert!(!self.known.values().any(waits), "{:?}", self.known);
    }
}

proptest! {
    #![proptest_config(cases(400))]

    #[test]
    fn in_whatever_order_things_happen_each_waits_is_out_or_is_held_and_is_due_in_time(
        seed in any::<u64>(),
        ops in vec(op(), 1..250),
    ) {
        let mut truth = Truth::new(seed);
        for op in ops {
            truth.step(op);
            truth.check();
        }
        truth.drain();
        truth.check();
    }

    #[test]
    fn a_pause_grows_with_each_failure_from_the_interval_to_the_bound_and_begins_anew_after_a_success(
        interval_ms in 1_000..86_400_000u64,
        backoff_max_ms in prop_oneof![Just(0), 0..604_800_000u64],
        seed in any::<u64>(),
        failures in 1..60u32,
    ) {
        let rules = Rules { interval_ms, backoff_max_ms };
        let mut rng = Rng::with_seed(seed);
        let most = backoff_max_ms.max(interval_ms);
        let mut before = 0;
        for times in 1..=failures {
            let pause = rules.recheck_ms(Standing::Dead { times }, &mut rng);
            let (least, _) = about(interval_ms);
            let (_, longest) = about(most);
            prop_assert!((least..=longest).contains(&pause), "{pause} after {times}");
            // Twice as long, give or take a tenth each, is longer; only at the bound is it not.
            prop_assert!(pause > before || pause >= about(most).0, "{before}, then {pause}");
            before = pause;
        }
        prop_assert_eq!(rules.recheck_ms(Standing::Alive, &mut rng), interval_ms);
        let first = rules.recheck_ms(Standing::Dead { times: 1 }, &mut rng);
        prop_assert!(first <= about(interval_ms).1);
    }
}
