//! Single rules, and a long random history against a model that keeps everything in a list.

use super::*;
use crate::api::testing::{many, proxies};

fn holder(n: u8) -> Holder {
    Holder::Key([n; 32])
}

fn bounded(total: usize, per_holder: usize) -> Table {
    Table {
        bounds: Bounds { total, per_holder },
        ..Table::default()
    }
}

fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

#[test]
fn a_leased_proxy_is_not_free_under_any_protocol_and_free_when_it_ends() {
    let all = proxies(&[
        "http://1.1.1.1:80",
        "socks5://1.1.1.1:80",
        "http://u:p@1.1.1.1:80",
        "http://1.1.1.1:81",
    ]);
    let (mut table, start) = (Table::default(), Instant::now());
    let ends = start + seconds(30);
    table.take(LeaseId(1), holder(1), &[&all[0]], ends).unwrap();
    let free: Vec<bool> = all.iter().map(|proxy| table.is_free(proxy)).collect();
    assert_eq!(
        free,
        [false, false, true, true],
        "another login is another proxy"
    );
    assert_eq!(table.first_end(), Some(ends));
    table.drop_ended(ends - Duration::from_nanos(1));
    assert!(!table.is_free(&all[0]));
    table.drop_ended(ends);
    assert!(table.is_free(&all[0]) && table.len() == 0 && table.first_end().is_none());
}

#[test]
fn only_its_holder_ends_a_lease_and_only_once() {
    let all = many(2);
    let (mut table, ends) = (Table::default(), Instant::now() + seconds(30));
    table
        .take(LeaseId(7), holder(1), &[&all[0], &all[1]], ends)
        .unwrap();
    assert!(!table.end(LeaseId(7), holder(2)));
    assert!(!table.end(LeaseId(8), holder(1)));
    assert!(table.end(LeaseId(7), holder(1)));
    assert!(!table.end(LeaseId(7), holder(1)));
    assert!(table.is_free(&all[0]) && table.is_free(&all[1]));
}

#[test]
fn a_bound_refuses_the_whole_of_a_lease_and_leaves_nothing_behind() {
    let all = many(10);
    let some = |range: std::ops::Range<usize>| all[range].iter().collect::<Vec<_>>();
    let (mut table, ends) = (bounded(6, 4), Instant::now() + seconds(30));
    table
        .take(LeaseId(1), holder(1), &some(0..3), ends)
        .unwrap();
    let refused = table.take(LeaseId(2), holder(1), &some(3..5), ends);
    assert_eq!(refused, Err(Full::Holder));
    let refused = table.take(LeaseId(3), holder(2), &some(3..7), ends);
    assert_eq!(refused, Err(Full::Total));
    assert_eq!((table.len(), table.by_proxy.len()), (1, 3));
    assert!(all[3..].iter().all(|proxy| table.is_free(proxy)));
    table
        .take(LeaseId(4), holder(1), &some(3..4), ends)
        .unwrap();
}

#[test]
fn who_wants_more_than_half_of_the_alive_gets_half_of_them() {
    let all = many(12);
    let (mut table, ends) = (bounded(100, 100), Instant::now() + seconds(30));
    table.is_of(1, &all);
    let mut picked: Vec<&Proxy> = all[..10].iter().collect();
    table.fit(holder(1), &mut picked);
    assert_eq!(picked.len(), 6);
    table
        .take(LeaseId(1), holder(1), &picked[..4], ends)
        .unwrap();
    let mut picked: Vec<&Proxy> = all[6..].iter().collect();
    table.fit(holder(1), &mut picked);
    assert_eq!(picked.len(), 2, "what is left of its half");
    table.take(LeaseId(2), holder(1), &picked, ends).unwrap();
    let mut picked: Vec<&Proxy> = all[8..].iter().collect();
    table.fit(holder(1), &mut picked);
    let refused = table.take(LeaseId(3), holder(1), &picked, ends);
    assert_eq!(refused, Err(Full::Holder));
}

#[test]
fn a_proxy_that_died_is_given_up_and_a_lease_without_proxies_too() {
    let all = many(3);
    let (mut table, start) = (bounded(10, 2), Instant::now());
    let ends = start + seconds(3_600);
    table
        .take(LeaseId(1), holder(1), &[&all[0], &all[1]], ends)
        .unwrap();
    table.drop_dead(1, &all, start);
    table.drop_dead(2, &all[1..], start + LOOK_PAUSE / 2);
    assert!(
        !table.is_free(&all[0]),
        "the pool is not gone through all the time"
    );
    table.drop_dead(2, &all[1..], start + LOOK_PAUSE);
    assert!(table.is_free(&all[0]) && !table.is_free(&all[1]));
    table.take(LeaseId(2), holder(1), &[&all[2]], ends).unwrap();
    table.drop_dead(3, &[], start + LOOK_PAUSE * 2);
    assert_eq!((table.len(), table.by_holder.len()), (0, 0));
    assert!(table.first_end().is_none());
}

#[test]
fn an_id_is_32_hexadecimal_digits_and_no_two_are_alike() {
    let ids: HashSet<LeaseId> = (0..1_000).filter_map(|_| LeaseId::random()).collect();
    assert_eq!(ids.len(), 1_000);
    for id in ids {
        let text = id.to_string();
        assert_eq!((text.len(), LeaseId::read(&text)), (32, Some(id)));
    }
    for text in [
        "",
        "0",
        "+0000000000000000000000000000001",
        "g0000000000000000000000000000001",
        "000000000000000000000000000000011",
    ] {
        assert_eq!(LeaseId::read(text), None, "{text:?}");
    }
}

/// What the table must be like: a list.
struct Model(Vec<(LeaseId, u8, Vec<usize>, Instant)>);

impl Model {
    fn held_by(&self, client: u8) -> usize {
        let its = self.0.iter().filter(|(_, holder, ..)| *holder == client);
        its.map(|(_, _, proxies, _)| proxies.len()).sum()
    }

    fn has(&self, proxy: usize) -> bool {
        self.0.iter().any(|(_, _, held, _)| held.contains(&proxy))
    }

    fn total(&self) -> usize {
        self.0.iter().map(|(_, _, held, _)| held.len()).sum()
    }
}

#[test]
fn of_many_clients_no_two_ever_hold_one_proxy_and_all_come_back() {
    const CLIENTS: u8 = 9;
    let seed = fastrand::u64(..);
    eprintln!("seed {seed}"); // shown if the test fails
    let mut random = fastrand::Rng::with_seed(seed);
    let all = many(60);
    let mut served: Vec<usize> = (0..all.len()).collect();
    let leases = Leases {
        table: Mutex::new(bounded(40, 12)),
        ..Leases::default()
    };
    let mut model = Model(Vec::new());
    let (mut now, mut ids, mut generation) = (Instant::now(), 0u128, 1);
    let (mut taken, mut refused, mut died) = (0, 0, 0);
    for _ in 0..20_000 {
        now += Duration::from_millis(random.u64(..700));
        let mut table = leases.open(now);
        model.0.retain(|(.., ends)| *ends > now);
        match random.u8(..10) {
            0..6 => {
                let client = random.u8(..CLIENTS);
                let wanted = random.usize(1..=6);
                let mut free: Vec<usize> = served.clone();
                free.retain(|&n| table.is_free(&all[n]));
                random.shuffle(&mut free);
                free.truncate(wanted);
                if free.is_empty() {
                    continue;
                }
                ids += 1;
                let (id, ends) = (
                    LeaseId(ids),
                    now + Duration::from_millis(random.u64(1..30_000)),
                );
                let proxies: Vec<&Proxy> = free.iter().map(|&n| &all[n]).collect();
                let outcome = table.take(id, holder(client), &proxies, ends);
                let fits_holder = model.held_by(client) + free.len() <= 12;
                let fits = fits_holder && model.total() + free.len() <= 40;
                assert_eq!(outcome.is_ok(), fits);
                match fits {
                    true => {
                        assert!(!free.iter().any(|&n| model.has(n)), "two holders of one");
                        model.0.push((id, client, free, ends));
                        taken += 1;
                    }
                    false => refused += 1,
                }
            }
            6..8 if !model.0.is_empty() => {
                let place = random.usize(..model.0.len());
                let (id, client, ..) = model.0[place].clone();
                let by = random.u8(..CLIENTS);
                assert_eq!(table.end(id, holder(by)), by == client);
                if by == client {
                    model.0.swap_remove(place);
                }
            }
            8 => {
                // Another snapshot: some died, some came back.
                (now, generation) = (now + LOOK_PAUSE, generation + 1);
                served = (0..all.len()).filter(|_| random.u8(..8) > 0).collect();
                let pool: Vec<Proxy> = served.iter().map(|&n| all[n].clone()).collect();
                table.drop_dead(generation, &pool, now);
                let before = model.total();
                model
                    .0
                    .iter_mut()
                    .for_each(|(_, _, held, _)| held.retain(|n| served.contains(n)));
                model.0.retain(|(_, _, held, _)| !held.is_empty());
                died += before - model.total();
            }
            _ => {}
        }
        let is_free = |n: usize| table.is_free(&all[n]);
        assert!((0..all.len()).all(|n| is_free(n) != model.has(n)));
        assert_eq!(
            (table.len(), table.by_proxy.len()),
            (model.0.len(), model.total())
        );
        assert!(table.by_proxy.len() <= 40 && table.by_holder.values().all(|&held| held <= 12));
        drop(table);
        assert_eq!(leases.any(), model.total() > 0);
    }
    assert!(
        taken > 1_000 && refused > 100 && died > 100,
        "{taken} {refused} {died}"
    );
    let table = leases.open(now + seconds(60));
    assert!(all.iter().all(|proxy| table.is_free(proxy)));
    let left = (
        table.len(),
        table.by_proxy.len(),
        table.by_end.len(),
        table.by_holder.len(),
    );
    assert_eq!(left, (0, 0, 0, 0));
}

#[test]
fn threads_that_race_for_the_same_proxies_share_them_out() {
    let (all, leases) = (many(64), Leases::default());
    let start = Instant::now();
    let race = |thread: u8| {
        let mut taken = Vec::new();
        loop {
            let mut table = leases.open(start);
            let Some(n) = (0..all.len()).find(|&n| table.is_free(&all[n])) else {
                return taken;
            };
            let id = LeaseId(u128::from(thread) << 32 | n as u128);
            let ends = start + seconds(60);
            table.take(id, holder(thread), &[&all[n]], ends).unwrap();
            taken.push(n);
        }
    };
    let mut taken: Vec<usize> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8)
            .map(|thread| {
                let race = &race;
                scope.spawn(move || race(thread))
            })
            .collect();
        let taken = threads.into_iter().map(|thread| thread.join().unwrap());
        taken.flatten().collect()
    });
    taken.sort_unstable();
    assert!(taken.into_iter().eq(0..64));
    assert_eq!(leases.leased.load(Ordering::Acquire), 64);
}
