//! A check whose targets are reached without a proxy: before it, while it runs, and at its end.

use super::*;
use proxy_shards::target::Learnt;
use std::cell::Cell;

const OFTEN: Option<Duration> = Some(Duration::from_millis(5));
/// Longest time that a target may be away in these tests; rounds come every 100 ms.
const DOWN: Duration = Duration::from_secs(2);
const HARDLY_EVER: Option<Duration> = Some(Duration::from_secs(3_600));

/// What a check left.
struct Ran {
    end: End,
    verdicts: BTreeMap<String, String>,
    err: String,
}

impl Ran {
    /// How many ended so.
    fn count(&self, verdict: Verdict) -> usize {
        let words = self.verdicts.values();
        words.filter(|word| *word == verdict.label()).count()
    }
}

/// Runs a check of `count` candidates that loses its patience soon.
fn run(count: u16, shards: impl Shards, every: Option<Duration>, interrupts: &Receiver<()>) -> Ran {
    let policy = policy();
    run_with(count, shards, policy, every, interrupts)
}

fn run_with(
    count: u16,
    shards: impl Shards,
    policy: ProbePolicy,
    every: Option<Duration>,
    interrupts: &Receiver<()>,
) -> Ran {
    let list = list(urls(count));
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let rows = Rows::new(Format::Jsonl, true, Goals::new(&policy), &mut out).unwrap();
    let mut check = Check::new(&list, rows, ProgressBar::hidden());
    let direct = Direct {
        patience: Patience {
            first: Duration::from_secs(10),
            down: DOWN,
        },
        ..direct(policy, every, &mut err)
    };
    let end = drive(shards, &mut check, direct, &Outdoors::new(interrupts)).unwrap();
    check.finish().unwrap();
    Ran {
        end,
        verdicts: verdicts(&String::from_utf8(out).unwrap()),
        err: String::from_utf8(err).unwrap(),
    }
}

/// A target that is up or down as a test wants it.
#[derive(Clone, Default)]
struct World {
    down: Rc<Cell<bool>>,
    /// Rounds so far.
    rounds: Rc<Cell<u32>>,
}

impl World {
    /// What a proxy brings that is `verdict` while the target is up.
    fn through(&self, verdict: Verdict) -> Verdict {
        match self.down.get() {
            true => Verdict::ResponseTimeout,
            false => verdict,
        }
    }

    /// The target, which comes back when it was asked in vain `rounds` times.
    fn back_after(&self, rounds: u32) -> Target {
        let (world, vain) = (self.clone(), Cell::new(0));
        Box::new(move |job| {
            world.rounds.set(world.rounds.get() + 1);
            if world.down.get() {
                vain.set(vain.get() + 1);
                world.down.set(vain.get() < rounds);
                return Some(fares(job, Verdict::Refused));
            }
            vain.set(0);
            Some(fares(job, Verdict::Alive))
        })
    }
}

#[test]
fn a_target_that_does_not_answer_at_the_start_keeps_everything_from_being_probed() {
    let mut shards = Simulated::new(2, |job: &Job| -> Option<Verdict> { panic!("{job:?}") });
    shards.target = Box::new(|job| Some(fares(job, Verdict::TlsIntercepted)));
    let ran = run(9, shards, OFTEN, &never());
    let End::Unreached(text) = &ran.end else {
        panic!("{:?}", ran.end);
    };
    for word in [
        "`default` (http://192.0.2.99/generate_204)",
        "tls_intercepted, its certificate",
        "--ca-file",
        "--no-control-probe",
        "--test-url",
    ] {
        assert!(text.contains(word), "{word}: {text}");
    }
    assert!(ran.verdicts.is_empty());
}

#[test]
fn a_target_that_answers_in_the_second_round_is_soon_enough() {
    let world = World::default();
    world.down.set(true);
    let mut shards = Simulated::new(1, |_: &Job| Some(Verdict::Alive));
    shards.target = world.back_after(1);
    let ran = run(9, shards, OFTEN, &never());
    assert_eq!((ran.end, ran.verdicts.len()), (End::Complete, 9));
    assert_eq!(ran.err, "");
}

#[test]
fn a_target_whose_name_has_no_address_is_one_that_does_not_answer() {
    let policy = ProbePolicy::new(PolicyOptions {
        targets: vec!["http://gone.test/generate_204".into()],
        ..PolicyOptions::default()
    });
    let shards = Simulated::new(1, |job: &Job| -> Option<Verdict> { panic!("{job:?}") });
    let ran = run_with(2, shards, policy.unwrap(), OFTEN, &never());
    assert!(matches!(&ran.end, End::Unreached(text) if text.contains("local_names")));
}

#[test]
fn what_is_held_is_settled_by_a_last_round_at_once() {
    let world = World::default();
    let mut shards = Simulated::new(2, |job: &Job| match job.id % 3 {
        0 => Some(Verdict::Alive),
        _ => Some(Verdict::OwnPage),
    });
    shards.target = world.back_after(0);
    let ran = run(3_000, shards, HARDLY_EVER, &never());
    assert_eq!(ran.end, End::Complete);
    assert_eq!(ran.count(Verdict::Alive), 1_000);
    assert_eq!(ran.count(Verdict::OwnPage), 2_000);
    assert_eq!(world.rounds.get(), 2, "one before and one behind");
}

#[test]
fn a_target_that_goes_and_comes_back_leaves_no_false_dead() {
    let world = World::default();
    let through = world.clone();
    let left = Cell::new(500);
    let mut shards = Simulated::new(2, move |job: &Job| {
        left.set(left.get() - 1);
        if left.get() == 0 {
            through.down.set(true);
        }
        let truth = match job.id % 4 {
            0 => Verdict::Alive,
            _ => Verdict::Closed,
        };
        Some(through.through(truth))
    });
    shards.target = world.back_after(3);
    let ran = run(2_000, shards, OFTEN, &never());
    assert_eq!(ran.end, End::Complete, "{}", ran.err);
    assert_eq!(ran.count(Verdict::Alive), 500, "{}", ran.err);
    assert_eq!(ran.count(Verdict::Closed), 1_500, "{}", ran.err);
    let said: Vec<&str> = ran.err.lines().collect();
    assert_eq!(said.len(), 2, "{said:?}");
    assert!(
        said[0].contains("refused") && said[1].contains("goes on"),
        "{said:?}"
    );
}

#[test]
fn a_probe_that_began_while_the_target_was_down_is_made_again_though_it_ends_later() {
    let world = World::default();
    let through = world.clone();
    let times = Cell::new(0);
    // The first candidate is being probed when the target goes.
    let mut shards = Simulated::new(1, move |job: &Job| {
        if job.id != 0 {
            return Some(Verdict::Alive);
        }
        times.set(times.get() + 1);
        match times.get() {
            1 => {
                through.down.set(true);
                None
            }
            _ => Some(Verdict::Alive),
        }
    });
    let (tells, down) = (shards.tell.clone(), world.down.clone());
    let (target, late) = (world.back_after(2), Cell::new(false));
    shards.target = Box::new(move |job| {
        let was_down = down.get();
        let fares = target(job)?;
        if !was_down && late.replace(was_down) {
            // Back: first the target's answer, then the verdict on the one that waited for it.
            tell(&tells, 0, Vec::new(), vec![fares]);
            tell(
                &tells,
                0,
                vec![record(0, Verdict::ResponseTimeout)],
                Vec::new(),
            );
            return None;
        }
        late.set(was_down);
        Some(fares)
    });
    let ran = run(3, shards, OFTEN, &never());
    assert_eq!(ran.end, End::Complete, "{}", ran.err);
    assert_eq!(ran.count(Verdict::Alive), 3, "{:?}", ran.verdicts);
}

#[test]
fn a_target_that_stays_away_makes_the_rest_local_target() {
    let world = World::default();
    let through = world.clone();
    let left = Cell::new(100);
    let mut shards = Simulated::new(1, move |_: &Job| {
        left.set(left.get() - 1);
        if left.get() == 0 {
            through.down.set(true);
        }
        Some(through.through(Verdict::Alive))
    });
    shards.target = world.back_after(u32::MAX);
    let ran = run(5_000, shards, OFTEN, &never());
    assert!(
        matches!(&ran.end, End::Gone(text) if text.contains("refused")),
        "{:?}",
        ran.end
    );
    assert_eq!(ran.count(Verdict::Alive), 99);
    assert_eq!(ran.count(Verdict::LocalTarget), 4_901);
}

#[test]
fn a_candidate_with_which_the_target_always_goes_is_not_probed_for_ever() {
    let world = World::default();
    let (through, times) = (world.clone(), Rc::new(Cell::new(0)));
    let counted = times.clone();
    let mut shards = Simulated::new(1, move |_: &Job| {
        counted.set(counted.get() + 1);
        through.down.set(true);
        Some(Verdict::Closed)
    });
    shards.target = world.back_after(1);
    let ran = run(1, shards, OFTEN, &never());
    assert_eq!((ran.end, times.get()), (End::Complete, 4));
    assert_eq!(ran.verdicts["http://192.0.2.1:1"], "local_target");
}

#[test]
fn without_a_network_a_candidate_is_probed_again_when_there_is_one() {
    let world = World::default();
    let (through, first) = (world.clone(), Cell::new(true));
    let mut shards = Simulated::new(1, move |_: &Job| match first.replace(false) {
        true => {
            through.down.set(true);
            Some(Verdict::LocalNetwork)
        }
        false => Some(Verdict::Alive),
    });
    shards.target = world.back_after(2);
    let ran = run(1, shards, OFTEN, &never());
    assert_eq!(
        (ran.end.clone(), ran.count(Verdict::Alive)),
        (End::Complete, 1)
    );
}

#[test]
fn what_a_target_says_without_a_proxy_is_expected_of_every_proxy() {
    let url = "http://192.0.2.99/page";
    let policy = ProbePolicy::new(PolicyOptions {
        targets: vec![url.into()],
        ..PolicyOptions::default()
    });
    let policies: Rc<RefCell<Vec<Arc<ProbePolicy>>>> = Rc::default();
    let seen = policies.clone();
    let mut shards = Simulated::new(1, move |_: &Job| {
        assert_eq!(seen.borrow().len(), 1, "set before the first probe");
        Some(Verdict::Alive)
    });
    shards.policies = policies.clone();
    shards.target = Box::new(|job| {
        Some(ControlRecord {
            learnt: Some(Learnt {
                status: 206,
                content_type: None,
            }),
            ..fares(job, Verdict::Alive)
        })
    });
    let ran = run_with(5, shards, policy.unwrap(), OFTEN, &never());
    assert_eq!(ran.end, End::Complete);
    assert!(policies.borrow()[0].targets[0].learns());
}

#[test]
fn an_interrupt_is_heard_while_the_target_is_waited_for_and_while_it_is_down() {
    for answers in [0, 1] {
        let (interrupt, interrupts) = bounded(1);
        let mut shards = Simulated::new(1, |_: &Job| Some(Verdict::Closed));
        let rounds = Cell::new(0);
        shards.target = Box::new(move |job| {
            rounds.set(rounds.get() + 1);
            if rounds.get() <= answers {
                return Some(fares(job, Verdict::Alive));
            }
            interrupt.try_send(()).ok();
            None
        });
        let ran = run(9, shards, OFTEN, &interrupts);
        assert_eq!(ran.end, End::Interrupted);
        assert_eq!(
            ran.count(Verdict::LocalCancelled),
            9,
            "nobody vouches for them"
        );
    }
}
