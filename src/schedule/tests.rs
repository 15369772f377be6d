use super::*;
use std::collections::HashSet;

const RULES: Rules = Rules {
    interval_ms: 60_000,
    backoff_max_ms: 3_600_000,
};

fn schedule() -> Schedule {
    Schedule::new(2, RULES, 7)
}

/// Everything that is due on queue 0, handed out at `now_ms`.
fn drain(schedule: &mut Schedule, now_ms: u64) -> Vec<Ticket> {
    std::iter::from_fn(|| schedule.next(0, now_ms, usize::MAX)).collect()
}

fn finish(schedule: &mut Schedule, ticket: Ticket, standing: Standing, now_ms: u64) {
    let index = schedule.back(ticket).unwrap();
    schedule.put_back(index, 0, Outcome::Checked(standing), now_ms);
}

#[test]
fn what_is_out_is_not_handed_out_again() {
    let mut schedule = schedule();
    schedule.add(3, 0, Standing::New, 10);
    schedule.add(3, 0, Standing::New, 10);
    let out = drain(&mut schedule, 10);
    assert_eq!(out.len(), 1);
    schedule.add(3, 0, Standing::New, 11);
    assert_eq!(schedule.next(0, u64::MAX, usize::MAX), None);
}

#[test]
fn a_ticket_is_taken_back_once() {
    let mut schedule = schedule();
    schedule.add(0, 0, Standing::New, 0);
    let first = schedule.next(0, 0, usize::MAX).unwrap();
    finish(&mut schedule, first, Standing::Alive, 0);
    assert_eq!(schedule.back(first), None);
    let second = schedule.next(0, 60_000, usize::MAX).unwrap();
    assert_eq!(
        schedule.back(first),
        None,
        "an old ticket is not the new one"
    );
    assert_eq!(schedule.back(second), Some(0));
    assert_eq!(schedule.back(Ticket::from_id(99)), None);
}

#[test]
fn nothing_is_handed_out_before_it_is_due() {
    let mut schedule = schedule();
    schedule.add(0, 0, Standing::New, 0);
    let ticket = schedule.next(0, 0, usize::MAX).unwrap();
    finish(&mut schedule, ticket, Standing::Alive, 100);
    assert_eq!(schedule.due_at(0, usize::MAX), Some(60_100));
    assert_eq!(schedule.next(0, 60_099, usize::MAX), None);
    assert!(schedule.next(0, 60_100, usize::MAX).is_some());
}

#[test]
fn what_was_swept_before_the_start_is_done_and_due_when_its_pause_is_over() {
    let mut schedule = schedule();
    schedule.add_swept(0, 0, Standing::Alive, 20_000, 1_000);
    schedule.add_swept(1, 0, Standing::Alive, 70_000, 1_000);
    schedule.add_to_sweep(2, 0, Standing::New, 1_000);
    assert_eq!(
        schedule.progress(),
        Progress {
            total: 3,
            done: 2,
            ..Progress::default()
        }
    );
    let due: HashSet<u32> = drain(&mut schedule, 1_000)
        .iter()
        .map(|t| t.index())
        .collect();
    assert_eq!(due, HashSet::from([1, 2]));
    assert_eq!(schedule.due_at(0, usize::MAX), Some(41_000));
    assert!(schedule.remove(0));
    assert_eq!(
        schedule.progress(),
        Progress {
            total: 3,
            done: 2,
            ..Progress::default()
        }
    );
}

#[test]
fn queues_do_not_mix() {
    let mut schedule = schedule();
    schedule.add(0, 1, Standing::New, 0);
    assert_eq!(schedule.next(0, 0, usize::MAX), None);
    assert!(schedule.next(1, 0, usize::MAX).is_some());
}

#[test]
fn higher_classes_go_first_and_lower_ones_have_their_share() {
    let mut schedule = schedule();
    let standings = [
        Standing::Dead { times: 1 },
        Standing::New,
        Standing::Alive,
        Standing::Failing,
    ];
    for index in 0..4_000u32 {
        schedule.add(index, 0, standings[index as usize % 4], 0);
    }
    let class = |ticket: Ticket| 3 - ticket.index() % 4;
    let order: Vec<u32> = drain(&mut schedule, 0).into_iter().map(class).collect();
    assert_eq!(order.len(), 4_000);
    assert_eq!(order[..8], [0, 0, 0, 1, 0, 0, 0, 1]);
    let in_first = |n: u32| order[..1024].iter().filter(|&&class| class == n).count();
    assert_eq!([0, 1, 2, 3].map(in_first), [768, 192, 63, 1]);
}

#[test]
fn the_alive_never_wait_behind_more_than_one_of_the_dead() {
    let mut schedule = schedule();
    for index in 0..10_000 {
        schedule.add(index, 0, Standing::Dead { times: 1 }, 0);
    }
    for _ in 0..100 {
        schedule.next(0, 0, usize::MAX);
    }
    schedule.add(20_000, 0, Standing::Alive, 0);
    let next: Vec<u32> = (0..2)
        .filter_map(|_| schedule.next(0, 0, usize::MAX))
        .map(Ticket::index)
        .collect();
    assert!(next.contains(&20_000), "{next:?}");
}

#[test]
fn those_not_known_to_be_alive_are_out_only_up_to_their_bound() {
    let mut schedule = schedule();
    for index in 0..10 {
        schedule.add(index, 0, Standing::New, 0);
    }
    let out: Vec<Ticket> = std::iter::from_fn(|| schedule.next(0, 0, 4)).collect();
    assert_eq!((out.len(), schedule.due_at(0, 4)), (4, None));
    schedule.add(20, 0, Standing::Alive, 0);
    assert_eq!(schedule.due_at(0, 4), Some(0));
    assert_eq!(schedule.next(0, 0, 4).map(Ticket::index), Some(20));
    finish(&mut schedule, out[0], Standing::Dead { times: 1 }, 0);
    assert!(schedule.next(0, 0, 4).is_some());
    assert_eq!(schedule.next(0, 0, 4), None);
}

#[test]
fn a_long_list_does_not_hold_up_what_comes_after_it() {
    let mut schedule = schedule();
    for index in 0..10_000 {
        schedule.add(index, 0, Standing::New, 0);
    }
    for index in 10_000..10_500 {
        schedule.add(index, 0, Standing::New, 5_000);
    }
    let first = drain(&mut schedule, 5_000).into_iter().take(1_000);
    let later = first.filter(|ticket| ticket.index() >= 10_000).count();
    assert!((20..100).contains(&later), "{later} of 500");
}

#[test]
fn a_removed_candidate_is_not_handed_out_and_its_index_can_be_used_again() {
    let mut schedule = schedule();
    schedule.add(0, 0, Standing::New, 5);
    assert!(schedule.remove(0));
    assert_eq!(schedule.next(0, 10, usize::MAX), None);
    schedule.add(0, 0, Standing::New, 5);
    schedule.add(1, 0, Standing::New, 5);
    assert_eq!(drain(&mut schedule, 10).len(), 2);
    assert!(!schedule.remove(0), "it is out");
}

#[test]
fn what_is_removed_does_not_pile_up() {
    let mut schedule = schedule();
    for round in 0..50 {
        for index in 0..1_000 {
            schedule.add(index, 0, Standing::New, round);
        }
        for index in 0..1_000 {
            schedule.remove(index);
        }
    }
    let entries: usize = schedule.queues[0].by_class.iter().map(|h| h.len()).sum();
    assert!(entries <= 2 * STALE_MIN, "{entries}");
}

#[test]
fn a_sweep_makes_everything_due_and_counts_what_was_checked() {
    let mut schedule = schedule();
    for index in 0..10 {
        schedule.add_to_sweep(index, 0, Standing::New, 0);
    }
    let mut out = drain(&mut schedule, 0);
    let late = out.pop().unwrap();
    for ticket in out {
        finish(&mut schedule, ticket, Standing::Dead { times: 9 }, 0);
    }
    assert_eq!(
        schedule.progress(),
        Progress {
            total: 10,
            done: 9,
            ..Progress::default()
        }
    );

    schedule.sweep(1_000, |_| 0);
    assert_eq!(
        schedule.progress(),
        Progress {
            total: 10,
            done: 0,
            ..Progress::default()
        }
    );
    assert_eq!(drain(&mut schedule, 1_000).len(), 9);
    finish(&mut schedule, late, Standing::Alive, 1_001);
    assert_eq!(schedule.progress().done, 0, "it was out before the sweep");
    let again = schedule.next(0, 1_001, usize::MAX).unwrap();
    finish(&mut schedule, again, Standing::Alive, 1_002);
    assert_eq!(schedule.progress().done, 1);
}

#[test]
fn a_sweep_waits_for_local_failures_but_not_for_names_without_address() {
    let mut schedule = schedule();
    for index in 0..2 {
        schedule.add_to_sweep(index, 0, Standing::New, 0);
    }
    let outcomes = [
        Outcome::Local(Standing::New),
        Outcome::NoAddress(Standing::New),
    ];
    for (ticket, outcome) in drain(&mut schedule, 0).into_iter().zip(outcomes) {
        let index = schedule.back(ticket).unwrap();
        schedule.put_back(index, 0, outcome, 0);
    }
    assert_eq!(
        schedule.progress(),
        Progress {
            total: 2,
            done: 1,
            ..Progress::default()
        }
    );
    assert!(schedule.next(0, 1_100, usize::MAX).is_some());
}

#[test]
fn a_candidate_removed_before_its_turn_leaves_the_sweep() {
    let mut schedule = schedule();
    schedule.add_to_sweep(0, 0, Standing::New, 0);
    schedule.add(1, 0, Standing::New, 0);
    schedule.remove(0);
    schedule.remove(1);
    assert_eq!(schedule.progress(), Progress::default());
}

#[test]
fn what_is_diverted_is_due_at_once_on_the_other_queue() {
    let mut schedule = schedule();
    schedule.add(0, 0, Standing::Failing, 0);
    let ticket = schedule.next(0, 0, usize::MAX).unwrap();
    let index = schedule.back(ticket).unwrap();
    schedule.put_back(index, 1, Outcome::Diverted, 5);
    assert_eq!(schedule.next(0, 5, usize::MAX), None);
    assert_eq!(schedule.next(1, 5, usize::MAX).map(Ticket::index), Some(0));
}

/// Random operations against the plainest model: a set of what is scheduled and a set of what is out.
#[test]
fn nothing_is_lost_and_nothing_is_doubled() {
    let seed = fastrand::u64(..);
    let mut rng = Rng::with_seed(seed);
    let mut schedule = Schedule::new(2, RULES, seed);
    let (mut known, mut out) = (HashSet::new(), Vec::<Ticket>::new());
    let mut now = 0;
    for _ in 0..200_000 {
        now += rng.u64(0..200);
        let index = rng.u32(0..500);
        match rng.u8(0..100) {
            0..15 => {
                known.insert(index);
                schedule.add_to_sweep(index, index as usize % 2, Standing::New, now);
            }
            15..20 if known.contains(&index) => {
                let is_out = out.iter().any(|t| t.index() == index);
                assert_eq!(schedule.remove(index), !is_out, "seed {seed}");
                if !is_out {
                    known.remove(&index);
                }
            }
            20..60 => {
                if let Some(ticket) = schedule.next(index as usize % 2, now, usize::MAX) {
                    let twice = out.iter().any(|t| t.index() == ticket.index());
                    assert!(!twice && known.contains(&ticket.index()), "seed {seed}");
                    out.push(ticket);
                }
            }
            60..99 if !out.is_empty() => {
                let ticket = out.swap_remove(rng.usize(..out.len()));
                let standing = match rng.u8(0..3) {
                    0 => Standing::Alive,
                    1 => Standing::Failing,
                    _ => Standing::Dead { times: 1 },
                };
                let outcome = match rng.u8(0..4) {
                    0 => Outcome::Local(standing),
                    1 => Outcome::Diverted,
                    _ => Outcome::Checked(standing),
                };
                let index = schedule.back(ticket).unwrap();
                schedule.put_back(index, index as usize % 2, outcome, now);
            }
            99 => schedule.sweep(now, |_| 0),
            _ => {}
        }
        assert_eq!(schedule.waiting() + out.len(), known.len(), "seed {seed}");
    }
    let mut last: Vec<Ticket> = out;
    for queue in [0, 1] {
        last.extend(std::iter::from_fn(|| {
            schedule.next(queue, u64::MAX / 2, usize::MAX)
        }));
    }
    let indexes: HashSet<u32> = last.iter().map(|t| t.index()).collect();
    assert_eq!(indexes, known, "seed {seed}");
    assert_eq!(last.len(), known.len(), "seed {seed}");
}

#[test]
fn what_is_held_is_neither_due_nor_out_until_it_is_released() {
    let mut schedule = schedule();
    schedule.add_to_sweep(0, 0, Standing::New, 0);
    let ticket = schedule.next(0, 40, 1).unwrap();
    assert_eq!(schedule.back(ticket), Some(0));
    assert_eq!(schedule.handed_out_ms(0), 40);
    schedule.hold(0);
    schedule.add(1, 0, Standing::New, 0);
    assert!(schedule.next(0, 50, 1).is_some(), "its place is free");
    assert!(schedule.is_held(0) && !schedule.remove(0));
    assert_eq!((schedule.waiting(), schedule.back(ticket)), (0, None));
    schedule.sweep(60, |_| 0);
    assert_eq!(schedule.progress().total, 2);
    assert!(schedule.release(0) && !schedule.release(0));
    schedule.put_back(0, 0, Outcome::Checked(Standing::Alive), 70);
    assert_eq!(
        schedule.waits_until(0),
        Some(60),
        "the sweep has not had it"
    );
    assert!(schedule.is_in_sweep(0));
}

#[test]
fn what_was_handed_out_before_the_rules_changed_is_outdated_once() {
    let mut schedule = schedule();
    schedule.add(0, 0, Standing::New, 0);
    schedule.add(1, 0, Standing::New, 0);
    let first = schedule.next(0, 0, usize::MAX).unwrap();
    schedule.outdate();
    let second = schedule.next(0, 0, usize::MAX).unwrap();
    for (ticket, outdated) in [(first, true), (second, false)] {
        let index = schedule.back(ticket).unwrap();
        assert_eq!(schedule.is_outdated(index), outdated);
        schedule.put_back(index, 0, Outcome::Local(Standing::New), 0);
    }
    for ticket in drain(&mut schedule, 60_000) {
        let index = schedule.back(ticket).unwrap();
        assert!(!schedule.is_outdated(index));
    }
}

#[test]
fn what_is_hastened_is_due_now_and_once() {
    let mut schedule = schedule();
    schedule.add(0, 0, Standing::New, 0);
    let ticket = schedule.next(0, 0, usize::MAX).unwrap();
    finish(&mut schedule, ticket, Standing::Dead { times: 9 }, 0);
    assert!(schedule.waits_until(0) > Some(1_000_000));
    schedule.hasten(0, 500);
    schedule.hasten(0, 600);
    assert_eq!(
        (schedule.waits_until(0), schedule.waiting()),
        (Some(500), 1)
    );
    assert_eq!(drain(&mut schedule, 500).len(), 1);
    assert!(drain(&mut schedule, u64::MAX).is_empty());
}

#[test]
fn what_falls_due_soon_of_the_alive_is_counted() {
    let mut schedule = schedule();
    let due = |schedule: &Schedule, until_ms| {
        let DueSoon { urgent, alive } = schedule.due_soon(0, until_ms);
        (urgent, alive)
    };
    for index in 0..8 {
        schedule.add(index, 0, Standing::New, 0);
    }
    schedule.add(8, 1, Standing::Alive, 0);
    let out = drain(&mut schedule, 0);
    assert_eq!(
        due(&schedule, u64::MAX),
        (0, 0),
        "neither new nor elsewhere"
    );
    for (ticket, now_ms) in out.into_iter().zip([0, 0, 0, 500, 900]) {
        finish(&mut schedule, ticket, Standing::Alive, now_ms);
    }
    assert_eq!(due(&schedule, 59_999), (0, 0));
    assert_eq!(due(&schedule, 60_500), (0, 4));
    let out = schedule.next(0, 60_000, usize::MAX).unwrap();
    assert_eq!(due(&schedule, 60_900), (0, 4), "it is out");
    finish(&mut schedule, out, Standing::Failing, 60_000);
    assert_eq!(due(&schedule, 62_200), (1, 4));
}

#[test]
fn when_only_what_is_held_is_left_of_a_sweep_one_can_tell() {
    let mut schedule = schedule();
    schedule.add(9, 0, Standing::New, 0);
    for index in 0..3 {
        schedule.add_to_sweep(index, 0, Standing::New, 0);
    }
    let mut out = drain(&mut schedule, 0);
    out.retain(|ticket| ticket.index() != 9);
    let hold = |schedule: &mut Schedule, ticket| {
        let index = schedule.back(ticket).unwrap();
        schedule.hold(index);
        index
    };
    let first = hold(&mut schedule, out[0]);
    finish(&mut schedule, out[1], Standing::Alive, 0);
    assert!(!schedule.rest_of_sweep_is_held(), "one is out");
    let last = hold(&mut schedule, out[2]);
    assert!(schedule.rest_of_sweep_is_held());
    assert!(schedule.release(first));
    schedule.put_back(first, 0, Outcome::Local(Standing::New), 0);
    assert!(!schedule.rest_of_sweep_is_held(), "one is tried again");
    schedule.sweep(0, |_| 0);
    assert!(!schedule.rest_of_sweep_is_held(), "another sweep has begun");
    assert!(schedule.release(last));
    schedule.put_back(last, 0, Outcome::Checked(Standing::Alive), 0);
    assert_eq!(schedule.progress().done, 0);
}

#[test]
fn those_of_the_dead_that_take_longest_go_first_in_a_sweep() {
    let mut schedule = schedule();
    let dead = Standing::Dead { times: 1 };
    for index in 0..300 {
        schedule.add(index, 0, dead, 0);
    }
    schedule.sweep(1_000, |index| u64::from(index % 3));
    schedule.add_to_sweep(300, 0, dead, 1_002);
    schedule.add_to_sweep(301, 0, Standing::New, 1_002);
    assert_eq!(
        schedule.next(0, 1_000, usize::MAX).map(Ticket::index),
        Some(301)
    );
    let turns: Vec<u32> = drain(&mut schedule, 1_002)
        .into_iter()
        .map(|ticket| {
            if ticket.index() == 300 {
                2
            } else {
                ticket.index() % 3
            }
        })
        .collect();
    assert!(turns.is_sorted(), "{turns:?}");
    assert_eq!((turns.len(), schedule.progress().total), (301, 302));
}

#[test]
fn a_host_that_cannot_tell_three_times_in_a_row_has_told_all_that_it_can_to_this_sweep() {
    let mut schedule = schedule();
    (0..2).for_each(|index| schedule.add_to_sweep(index, 0, Standing::New, 0));
    let back = |schedule: &mut Schedule, outcome, now_ms| {
        let ticket = schedule.next(0, now_ms, usize::MAX).expect("one is due");
        let index = schedule.back(ticket).expect("it is out");
        schedule.put_back(index, 0, outcome, now_ms);
    };
    let untold = Outcome::Untold(Standing::New);
    for (n, done) in [0, 0, 0, 0, 1, 2].into_iter().enumerate() {
        back(&mut schedule, untold, 100_000 * n as u64);
        let Progress {
            done: had,
            unjudged,
            ..
        } = schedule.progress();
        assert_eq!((had, unjudged), (done, done), "after {} times", n + 1);
    }
    back(&mut schedule, Outcome::Checked(Standing::Alive), 1_000_000);
    assert_eq!(schedule.progress().done, 2, "its turn comes once");

    schedule.sweep(2_000_000, |_| 0);
    for n in 0..20 {
        back(
            &mut schedule,
            Outcome::Local(Standing::New),
            2_000_000 + 100_000 * n,
        );
    }
    assert_eq!(schedule.progress().done, 0, "other trouble passes");
}
