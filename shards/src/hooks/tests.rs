//! The faults themselves: that they come as often as asked, and no longer.

use super::*;
use std::panic::catch_unwind;

/// Forgets, at the end of a test, what its thread was to do.
struct Calm;

impl Drop for Calm {
    fn drop(&mut self) {
        IN_FORCE.set(None);
    }
}

#[test]
fn faults_come_back_from_their_text() {
    let faults = Faults {
        seed: 7,
        errors: Operation::ALL.map(|of| (of, libc::ENOMEM, 500)).into(),
        panics: Place::ALL.map(|at| (at, 20, 3)).into(),
    };
    assert_eq!(faults.to_string().parse(), Ok(faults));
    for wrong in [
        "",
        "seed",
        "error sends 1 1",
        "panic ring 1",
        "panic ring 1 x",
    ] {
        assert!(
            format!("seed 1\n{wrong}\n").parse::<Faults>().is_err(),
            "{wrong}"
        );
    }
}

#[test]
fn a_place_panics_as_often_as_asked_and_other_places_do_not() {
    let _calm = Calm;
    let before = panics(Place::Lane);
    let faults = Faults {
        panics: vec![(Place::Lane, ALWAYS, 2)],
        ..Faults::default()
    };
    set(faults, 0);
    let panicked = |place| catch_unwind(|| panic_at(place)).is_err();
    assert!(!panicked(Place::Ring));
    assert_eq!([(); 3].map(|()| panicked(Place::Lane)), [true, true, false]);
    assert_eq!(panics(Place::Lane) - before, 2);
}

#[test]
fn errors_come_at_their_rate_and_a_dry_ring_is_none_of_them() {
    let _calm = Calm;
    assert_eq!(error_of(Operation::Send), None);
    let faults = Faults {
        seed: 1,
        errors: vec![
            (Operation::Send, libc::ENOMEM, 250),
            (Operation::Receive, libc::ENOBUFS, ALWAYS),
        ],
        ..Faults::default()
    };
    assert!(!withholds_buffers());
    set(faults, 0);
    let failed = (0..10_000).filter_map(|_| error_of(Operation::Send));
    let failed: Vec<i32> = failed.collect();
    assert!((2_000..3_000).contains(&failed.len()), "{}", failed.len());
    assert!(failed.iter().all(|&errno| errno == libc::ENOMEM));
    assert_eq!(error_of(Operation::Receive), None);
    assert!(withholds_buffers());
}
