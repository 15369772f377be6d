//! Figures of simulated seconds, and what is told of them.

use super::*;

fn rules(alive_below: u64) -> Alerts {
    Alerts {
        alive_below,
        ..Alerts::default()
    }
}

fn alive(alive: u64) -> Figures {
    Figures {
        alive,
        swept: true,
        ..Figures::default()
    }
}

/// What is told of figures that are looked at once a second, as `second alarm turn`.
fn told(rules: &Alerts, seconds: u64, figures: impl Fn(u64) -> Figures) -> Vec<String> {
    let mut lookout = Lookout::default();
    let mut told = Vec::new();
    for second in 0..seconds {
        for change in lookout.look(&figures(second), rules, second * 1_000) {
            let (alarm, turn) = (change.alarm.label(), change.turn.label());
            told.push(format!("{second} {alarm} {turn} {}", change.details));
        }
    }
    told
}

#[test]
fn few_alive_are_told_after_ten_seconds_and_so_is_their_return() {
    let figures = |second| alive(if (20..100).contains(&second) { 4 } else { 5 });
    assert_eq!(
        told(&rules(5), 200, figures),
        [
            r#"30 alive_below firing {"alive":4,"alive_below":5}"#,
            r#"110 alive_below resolved {"alive":5,"alive_below":5}"#,
        ]
    );
    assert!(told(&rules(0), 200, figures).is_empty(), "0 is off");
    let blip = |second| alive(if second % 9 == 8 { 5 } else { 4 });
    assert!(
        told(&rules(5), 900, blip).is_empty(),
        "shorter than ten seconds"
    );
}

#[test]
fn nothing_is_few_before_the_first_sweep_is_complete() {
    let figures = |second| Figures {
        swept: second >= 50,
        ..alive(0)
    };
    let told = told(&rules(5), 100, figures);
    assert_eq!(told.len(), 1);
    assert!(told[0].starts_with("60 alive_below firing"), "{told:?}");
}

#[test]
fn what_flaps_is_told_once_a_minute() {
    let figures = |second| Figures {
        storage_failing: second % 2 == 0,
        ..alive(9)
    };
    let told = told(&rules(0), 600, figures);
    let of = |turn: &str| told.iter().filter(|line| line.contains(turn)).count();
    assert!((9..=11).contains(&of("firing")), "{told:?}");
    assert!((9..=11).contains(&of("resolved")), "{told:?}");
    let turns: Vec<bool> = told.iter().map(|line| line.contains("firing")).collect();
    assert!(
        turns
            .iter()
            .enumerate()
            .all(|(n, fires)| *fires == (n % 2 == 0))
    );
}

#[test]
fn a_target_that_fails_and_a_stale_snapshot_are_one_alarm() {
    let figures = |second| Figures {
        stale: (second >= 5).then_some(Stale::Control),
        targets: vec![("judge".into(), Verdict::Refused)],
        ..alive(9)
    };
    assert_eq!(
        told(&rules(0), 100, figures),
        [
            r#"10 judge_down firing {"stale_reason":"target_unreachable","targets":[{"target":"judge","verdict":"refused"}]}"#
        ]
    );
}

#[test]
fn each_source_has_an_alarm_of_its_own_until_it_works_or_is_taken_out() {
    let source = |url: &str, failures| (url.into(), failures, "timed out".into());
    let figures = |second: u64| Figures {
        sources: match second {
            0..10 => vec![source("a", 4), source("b", 5)],
            10..20 => vec![source("a", 5), source("b", 6)],
            20..30 => vec![source("b", 7)],
            _ => vec![],
        },
        ..alive(9)
    };
    let told = told(&rules(0), 300, figures);
    let said: Vec<&str> = told
        .iter()
        .map(|line| line.split(" {").next().unwrap())
        .collect();
    assert_eq!(
        said,
        [
            "0 source_dead firing",
            "10 source_dead firing",
            "20 source_dead resolved",
            "30 source_dead resolved"
        ]
    );
    assert!(
        told[0].contains(r#""source":"b""#) && told[2].contains(r#""source":"a""#),
        "{told:?}"
    );
}

#[test]
fn what_is_over_is_forgotten() {
    let mut lookout = Lookout::default();
    let figures = |url: String| Figures {
        sources: vec![(url.into(), 9, "".into())],
        ..alive(9)
    };
    for second in 0..1_000 {
        lookout.look(
            &figures(format!("source {second}")),
            &rules(0),
            second * 1_000,
        );
    }
    assert!(lookout.trends.len() < 100, "{}", lookout.trends.len());
}

#[test]
fn before_the_first_snapshot_there_are_no_figures() {
    let published = crate::snapshot::Published::empty(std::time::SystemTime::UNIX_EPOCH);
    assert!(Figures::of(&published.load(), true).is_none());
}

#[test]
fn of_a_cluster_the_leader_tells_and_each_node_what_is_its_own() {
    let source = || (Box::from("a"), 5, Box::from("timed out"));
    let figures = |second: u64| Figures {
        sources: vec![source()],
        targets: vec![("judge".into(), Verdict::Refused)],
        storage_failing: second >= 50,
        stale: (second >= 70).then_some(Stale::Cluster),
        follows: true,
        ..alive(4)
    };
    let told_by_node = told(&rules(5), 100, figures);
    let said: Vec<&str> = told_by_node
        .iter()
        .filter_map(|line| line.split(" {").next())
        .collect();
    assert_eq!(said, ["50 store_failing firing", "80 judge_down firing"]);
}

#[test]
fn who_leads_no_longer_does_not_say_that_all_is_well_and_who_leads_next_tells_anew() {
    let figures = |second: u64| Figures {
        sources: match second {
            0..20 | 40..60 => vec![("a".into(), 5, "timed out".into())],
            _ => Vec::new(),
        },
        follows: (10..30).contains(&second),
        ..alive(9)
    };
    let before = told(&rules(0), 30, figures);
    assert_eq!(before.len(), 1, "{before:?}");
    let again = told(&rules(0), 40, figures);
    assert!(again[1].starts_with("30 source_dead resolved"), "{again:?}");
    let next = told(&rules(0), 60, |second| figures(second.max(10)));
    assert!(next[0].starts_with("40 source_dead firing") && next.len() == 1);
}
