//! What clients say of proxies.

use super::*;
use crate::coordinator::Hearsay;
use crate::ledger::Experience;
use tokio::sync::oneshot;

/// Whether anything is known of that address.
fn say(sim: &mut Simulation, n: u32, client: u64, experience: Experience) -> bool {
    say_of(sim, n, client, experience, None)
}

pub(super) fn say_of(
    sim: &mut Simulation,
    n: u32,
    client: u64,
    experience: Experience,
    target: Option<&str>,
) -> bool {
    let (reply, mut known) = oneshot::channel();
    sim.tell(Event::Heard(Hearsay {
        host: candidate(n).host,
        port: 8080,
        target: target.map(Box::from),
        experience,
        client,
        reply,
    }));
    known.try_recv().expect("an answer at once")
}

/// Ten that are alive, checked in the first second and due again a minute later; a quorum of two.
fn checked() -> Simulation {
    let mut config = config(&["a"]);
    config.api.report_quorum = 2;
    let mut sim = Simulation::new(config, 10, Image::default());
    sim.behave(|_, _| ALIVE);
    sim.deliver(0, list(0..10));
    sim.run_until(30_000);
    assert_eq!(sim.probed_at(4).len(), 1);
    sim
}

#[test]
fn enough_clients_have_a_proxy_checked_at_once_and_one_of_them_does_not() {
    let mut sim = checked();
    for _ in 0..5 {
        assert!(say(&mut sim, 4, 1, Experience::Fail));
    }
    sim.run_until(35_000);
    assert_eq!(sim.probed_at(4).len(), 1);
    say(&mut sim, 4, 2, Experience::Banned);
    sim.run_until(36_000);
    let probed = sim.probed_at(4);
    assert_eq!(probed.len(), 2);
    assert!((35_000..35_500).contains(&probed[1]), "{probed:?}");
    assert_eq!(sim.probed_at(5).len(), 1, "the others wait for their time");
}

#[test]
fn what_is_said_never_changes_whether_a_proxy_is_alive() {
    let mut sim = checked();
    sim.behave(|n, _| if n == 3 { DEAD } else { ALIVE });
    for client in 0..20 {
        say(&mut sim, 4, client, Experience::Fail);
    }
    sim.run_until(31_000);
    assert!(sim.served().contains(&4), "its check says that it is alive");
    for client in 0..2 {
        say(&mut sim, 3, client, Experience::Fail);
    }
    sim.run_until(32_000);
    assert!(!sim.served().contains(&3), "its check says that it is not");
    for client in 0..20 {
        say(&mut sim, 3, client, Experience::Ok);
    }
    sim.run_until(33_000);
    assert!(!sim.served().contains(&3));
}

#[test]
fn however_much_is_said_a_proxy_is_not_hammered() {
    let mut sim = checked();
    for round in 0..3_000u64 {
        sim.run_until(30_000 + round * 10);
        for client in 0..8 {
            say(&mut sim, 4, client, Experience::Fail);
        }
    }
    let probed = sim.probed_at(4);
    let gaps: Vec<u64> = probed.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!((3..=5).contains(&probed.len()), "{probed:?}");
    assert!(gaps.iter().all(|&gap| gap >= 9_900), "{probed:?}");
}

#[test]
fn complaints_of_everything_bring_about_few_checks() {
    let mut config = config(&["a"]);
    config.api.report_quorum = 1;
    let mut sim = Simulation::new(config, 1_000, Image::default());
    sim.behave(|_, _| ALIVE);
    sim.deliver(0, list(0..1_000));
    sim.run_until(30_000);
    for n in 0..1_000 {
        say(&mut sim, n, u64::from(n % 50), Experience::Fail);
    }
    let again = |sim: &Simulation| (0..1_000).filter(|&n| sim.probed_at(n).len() > 1).count();
    sim.run_until(39_000);
    assert_eq!(again(&sim), 100);
    sim.run_until(41_000);
    assert_eq!(
        again(&sim),
        200,
        "the next are checked without another word"
    );
}

#[test]
fn whoever_complains_of_everything_all_the_time_keeps_no_other_from_its_check() {
    let mut config = config(&["a"]);
    config.api.report_quorum = 1;
    let mut sim = Simulation::new(config, 1_000, Image::default());
    sim.behave(|_, _| ALIVE);
    sim.deliver(0, list(0..1_000));
    sim.run_until(30_000);
    for n in 0..900 {
        say(&mut sim, n, 1, Experience::Fail);
    }
    say(&mut sim, 950, 2, Experience::Fail);
    sim.run_until(31_000);
    assert_eq!(sim.probed_at(950).len(), 2);
    let again = (0..900).filter(|&n| sim.probed_at(n).len() > 1).count();
    assert_eq!(again, 10);
}

#[test]
fn a_proxy_that_nobody_lists_is_not_known() {
    let mut sim = checked();
    assert!(!say(&mut sim, 99, 1, Experience::Fail));
}

#[test]
fn the_row_says_which_target_turns_it_away_until_that_is_old() {
    let mut sim = checked();
    let name = sim.snapshot().stat.targets[0].name.to_string();
    let banned = |sim: &Simulation| -> Vec<u32> {
        let snapshot = sim.snapshot();
        let proxies = snapshot.pool.proxies().iter();
        let banned = proxies.filter(|proxy| proxy.banned_at.contains(0));
        banned
            .map(|proxy| number(proxy.candidate.host.ip().unwrap()))
            .collect()
    };
    for client in 0..2 {
        say_of(&mut sim, 4, client, Experience::Banned, Some(&name));
        say_of(&mut sim, 5, client, Experience::Banned, Some("another"));
        say_of(&mut sim, 6, client, Experience::Banned, None);
    }
    sim.run_until(31_000);
    assert_eq!(banned(&sim), [4]);
    sim.run_until(600_000);
    assert_eq!(banned(&sim), [4]);
    sim.run_until(720_000);
    assert!(banned(&sim).is_empty());
    assert_eq!(sim.served().len(), 10);
}
