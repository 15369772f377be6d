use super::*;
use proxy_shards::{Tally, Verdict};

fn wish(lanes: usize, within: Option<(u8, u8)>) -> Wish {
    Wish {
        lanes: NonZeroUsize::new(lanes).unwrap(),
        within: within.map(|(cpu, descriptors)| Shares { cpu, descriptors }),
    }
}

fn report(shard: usize, verdict: Verdict, count: usize, in_flight: usize) -> Report {
    let mut tally = Tally::default();
    (0..count).for_each(|_| tally.record(verdict, 10));
    Report {
        shard,
        records: Vec::new(),
        controls: Vec::new(),
        tally,
        in_flight,
        queued: 0,
        lag_us: 0,
        restarts: 0,
    }
}

#[test]
fn ungoverned_lanes_are_what_is_wanted_whatever_happens() {
    let mut lanes = Lanes::new(2, 500, 100, wish(1_000, None), 0);
    assert_eq!(lanes.set_wish(wish(4_000, None), 0).get(), 4_000);
    lanes.note(&report(0, Verdict::LocalPorts, 50, 10));
    lanes.note_cpu(100);
    assert_eq!((lanes.due_at(), lanes.look(9_000, 10_000)), (None, None));
}

#[test]
fn lanes_keep_within_the_share_of_the_tables_only_where_they_are_governed() {
    let mut lanes = Lanes::new(2, 500, 20_000, wish(1_000, None), 0);
    assert_eq!(lanes.set_wish(wish(40_000, None), 0).get(), 40_000);
    let governed = wish(40_000, Some((95, 80)));
    assert_eq!(lanes.set_wish(governed, 0).get(), 32_000);
    assert_eq!(lanes.stat().wanted, 40_000);
    let all = wish(40_000, Some((95, 100)));
    assert_eq!(lanes.set_wish(all, 0).get(), 40_000);
    let first = |descriptors, within| {
        let mut lanes = Lanes::new(3, 3, descriptors, wish(9, Some(within)), 0);
        lanes.look(0, 100).map(|change| change.lanes.get())
    };
    assert_eq!(first(1, (95, 1)), Some(3));
    assert_eq!(first(u64::MAX, (95, 80)), None);
}

#[test]
fn each_cause_is_told_once_and_every_decision_is_counted() {
    let mut lanes = Lanes::new(2, 500, 20_000, wish(1_000, Some((95, 80))), 0);
    let mut told = Vec::new();
    let mut now_ms = 0;
    let mut pass = |lanes: &mut Lanes, ms: u64, trouble: usize| {
        for _ in 0..ms / 100 {
            now_ms += 100;
            lanes.note(&report(1, Verdict::LocalMemory, trouble, 100 * trouble));
            let change = lanes.look(5_000, now_ms);
            told.extend(change.and_then(|change| change.news));
        }
    };
    pass(&mut lanes, 2_000, 3);
    pass(&mut lanes, 30_000, 0);
    pass(&mut lanes, 2_000, 3);
    pass(&mut lanes, 300_000, 0);
    pass(&mut lanes, 1_000, 3);
    let again = News::LocalErrors("local_memory");
    assert_eq!(told, [again, News::Recovered, again]);
    let decisions = lanes.stat().decisions;
    assert!(decisions[Cause::Raised as usize] > 10, "{decisions:?}");
    assert_eq!(decisions[Cause::Recovered as usize], 1);
}

#[test]
fn a_look_is_due_ten_times_a_second_and_not_more_often() {
    let mut lanes = Lanes::new(1, 1_000, 20_000, wish(1_000, Some((95, 80))), 0);
    lanes.note(&report(0, Verdict::LocalPorts, 9, 100));
    assert_eq!(lanes.look(2_000, 99), None);
    assert_eq!(lanes.look(2_000, 100).unwrap().lanes.get(), 437);
    assert_eq!(lanes.due_at(), Some(200));
}
