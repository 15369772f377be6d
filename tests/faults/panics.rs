//! A probe that panics: its shard goes on, its job is finished once.

mod book;
mod served;

use book::{Book, JOBS, Quiet};
use fastrand::Rng;
use proxy_shards::Verdict;
use proxy_shards::hooks::{ALWAYS, Faults, Place};

/// Panics in one shard in which the jobs under way are made again; in one more they are given up.
const CRASHES_MAX: u32 = 2;
/// The same for panics in the probes of one job.
const FAULTS_MAX: u32 = 3;
/// Descriptors that an executor leaves open when it panics: those of its bells. Its ring, with every
/// socket in it, is closed.
const LEFT_OPEN_MAX: usize = 5;
/// So many probes in a thousand have one.
const RATE: u32 = 20;

/// Panics at a random place in probes, at one outside of them, or both.
fn drawn(seed: u64) -> Faults {
    let mut random = Rng::with_seed(seed);
    let (inside, outside): (Vec<Place>, Vec<Place>) = Place::ALL
        .into_iter()
        .partition(|place| place.is_in_probe());
    let probe = (inside[random.usize(..inside.len())], RATE, FAULTS_MAX);
    let whole = (outside[random.usize(..outside.len())], RATE, CRASHES_MAX);
    Faults {
        seed,
        errors: Vec::new(),
        panics: match seed % 3 {
            0 => vec![probe],
            1 => vec![whole],
            _ => vec![probe, whole],
        },
    }
}

#[test]
fn a_panic_at_any_place_loses_no_job_and_ends_none_twice() {
    let _turn = crate::turn();
    let first = crate::seed("panics at random places");
    let _quiet = Quiet::begin();
    let mut book = Book::open();
    let (mut in_probes, mut restarts, mut counted) = (0, 0, 0);
    let mut open = Vec::new();
    for seed in first..first + crate::times(20, 200) {
        let faults = drawn(seed);
        let round = book.round(&faults);
        for (verdict, expected) in &round.verdicts {
            assert_eq!(verdict, expected, "seed {seed}: {faults}");
        }
        assert_eq!(
            round.restarts, round.panicked_outside,
            "seed {seed}: {faults}"
        );
        // What a probe that panicked had come to may be lost with its executor, and is made again.
        assert!(
            round.faults <= round.panicked_inside,
            "seed {seed}: {faults}"
        );
        if round.restarts == 0 {
            assert_eq!(round.faults, round.panicked_inside, "seed {seed}: {faults}");
        }
        in_probes += round.panicked_inside;
        restarts += round.restarts;
        counted += round.faults;
        open.push(book::descriptors());
    }
    assert!(in_probes > 0 && restarts > 0 && counted > 0);
    let (before, after) = (open[0], open[open.len() - 1]);
    let most = before + LEFT_OPEN_MAX * restarts as usize;
    assert!(
        after <= most,
        "descriptors {before} -> {after} in {restarts} restarts"
    );
    eprintln!(
        "{in_probes} panics in probes, {restarts} of whole shards; descriptors {before} -> {after}"
    );
    book.close();
}

#[test]
fn what_panics_every_time_is_given_up_as_our_fault_and_holds_up_nothing() {
    let _turn = crate::turn();
    let _quiet = Quiet::begin();
    let mut book = Book::open();
    for place in [Place::Begin, Place::Record] {
        let panics = vec![(place, ALWAYS, u32::MAX)];
        let round = book.round(&Faults {
            panics,
            ..Faults::default()
        });
        let given_up = |(verdict, _): &&(Verdict, Verdict)| *verdict == Verdict::LocalFault;
        assert_eq!(
            round.verdicts.iter().filter(given_up).count(),
            JOBS,
            "{place:?}"
        );
        assert_eq!(round.restarts > 0, !place.is_in_probe());
    }
    let after = book.round(&Faults::default());
    assert!(
        after
            .verdicts
            .iter()
            .all(|(verdict, expected)| verdict == expected)
    );
    book.close();
}
