use super::*;
use crate::compare::Comparison;
use crate::farm::{Aim, Behaviour, Farm, FarmOptions, Listing};
use crate::truth;

fn play(
    behaviours: &[Behaviour],
    count: usize,
    settings: Settings,
    deal: Deal,
) -> (Comparison, Stat) {
    let farm = Farm::start(FarmOptions::default()).expect("a farm");
    let truths = farm.truths(count, behaviours, Aim::NoContent, Listing::Schemed);
    let list: String = truths.iter().map(|t| format!("{}\n", t.proxy)).collect();
    let work = Work {
        list: &list,
        target: &farm.target(Aim::NoContent),
        timeout: Duration::from_secs(2),
        connect_timeout: Duration::from_secs(2),
        deal,
        settings,
    };
    let (mut rows, mut truth) = (Vec::new(), Vec::new());
    let stat = run(&work, &mut rows).expect("a run");
    truth::write(&mut truth, truths).expect("written");
    (
        Comparison::of(&truth[..], &rows[..]).expect("readable"),
        stat,
    )
}

fn settings(change: impl FnOnce(&mut Settings)) -> Settings {
    let mut settings = Settings::default();
    change(&mut settings);
    settings
}

fn some(count: usize) -> std::num::NonZeroUsize {
    std::num::NonZeroUsize::new(count).expect("at least one")
}

#[test]
fn every_proxy_gets_its_true_verdict_whoever_deals() {
    let behaviours = [
        Behaviour::from_label("forwards").expect("known"),
        Behaviour::from_label("refuses").expect("known"),
        Behaviour::from_label("silent").expect("known"),
    ];
    for deal in [Deal::Even, Deal::Hash] {
        let two = settings(|s| (s.shards, s.lanes, s.batch) = (some(2), some(40), some(7)));
        let (found, stat) = play(&behaviours, 60, two, deal);
        assert!(found.is_exact() && found.alive == 20, "{deal:?}: {found}");
        let probes: u64 = stat.shards.iter().map(|shard| shard.probes).sum();
        assert_eq!((stat.shards.len(), probes), (2, 60), "{stat:?}");
        if deal == Deal::Even {
            assert_eq!(stat.shards[0].probes, 30);
        }
    }
}

fn refused(settings: Settings, list: &str) -> String {
    let work = Work {
        list,
        target: "http://127.0.0.1:1/generate_204",
        timeout: Duration::from_secs(1),
        connect_timeout: Duration::from_secs(1),
        deal: Deal::Even,
        settings,
    };
    let error = run(&work, &mut Vec::new()).expect_err("not this");
    format!("{error:?}")
}

#[test]
fn what_the_kernel_declines_and_lanes_that_are_not_granted_are_refusals() {
    let odd = settings(|s| s.tuning.buffers = 3);
    assert!(refused(odd, "").starts_with("Refused("));
    let few = settings(|s| s.tuning.slots_max = std::num::NonZeroU32::new(100));
    let told = refused(few, "");
    assert!(told.contains("92 lanes instead of 4000"), "{told}");
}

#[test]
fn a_line_that_is_no_proxy_is_named() {
    let list = "http://127.0.0.1:1\nproxy.example:80\n";
    assert!(refused(Settings::default(), list).contains("line: 2"));
}
