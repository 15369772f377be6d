use super::*;
use crate::compare::Comparison;
use crate::farm::{Aim, Behaviour, Farm, FarmOptions, Listing};
use crate::truth;

const MIX: [&str; 12] = [
    "forwards",
    "forwards_auth",
    "forwards_auth_bare",
    "refuses",
    "silent",
    "closes_at_once",
    "resets",
    "garbage",
    "own_page",
    "asks_auth",
    "endless_headers",
    "socks5_as_http",
];

/// Who works is found alive and nobody else, whatever goes on in the other lanes.
fn tells_who_works(kind: Kind, lanes: u32) {
    let farm = Farm::start(FarmOptions::default()).expect("a farm");
    let behaviours = MIX.map(|label| Behaviour::from_label(label).expect("a behaviour"));
    let count = 20 * MIX.len();
    let truths = farm.truths(count, &behaviours, Aim::NoContent, Listing::Schemed);
    let folder = tempfile::tempdir().expect("a folder");
    let (list, out) = (folder.path().join("list"), folder.path().join("out"));
    let lines: String = truths
        .iter()
        .map(|truth| format!("{}\n", truth.proxy))
        .collect();
    std::fs::write(&list, lines).expect("written");
    let pace = Pace {
        lanes,
        timeout: Duration::from_secs(1),
        connect_timeout: Duration::from_secs(1),
    };
    run(kind, &list, &farm.target(Aim::NoContent), pace, &out).expect("checked");

    let mut truth = Vec::new();
    truth::write(&mut truth, truths).expect("written");
    let results = std::fs::read(&out).expect("results");
    let found = Comparison::of(truth.as_slice(), results.as_slice()).expect("readable");
    let wrong = [
        &found.false_alive,
        &found.false_dead,
        &found.missing,
        &found.doubled,
    ];
    assert!(wrong.iter().all(|tally| tally.count == 0), "{found}");
    assert_eq!((found.alive, found.found), (40, 40), "{found}");
}

#[test]
fn each_reference_tells_who_works_with_a_lane_for_everybody() {
    Kind::ALL
        .into_iter()
        .for_each(|kind| tells_who_works(kind, 1000));
}

#[test]
fn each_reference_tells_who_works_with_few_lanes() {
    Kind::ALL
        .into_iter()
        .for_each(|kind| tells_who_works(kind, 16));
}
