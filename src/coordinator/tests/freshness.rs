//! How old what is served becomes, on a simulated clock.

use super::super::simulation::service::{Service, configuration, number_of};
use crate::dispatch::world::{Fate, Mix};
use proxy_shards::{Job, Verdict};
use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::time::Duration;

const INTERVAL_US: u64 = 60_000_000;

/// When each of the alive was last seen to be so, and the longest time between two such moments.
#[derive(Clone, Default)]
struct Watch(Rc<RefCell<HashMap<u32, (u64, u64)>>>);

impl Watch {
    /// The behaviour of a mix, watched.
    fn over(&self, mix: Mix) -> Fate {
        let seen = self.0.clone();
        Box::new(move |job: &Job, _, now_us| {
            let number = number_of(job);
            let probe = mix.of(number);
            if probe.verdict == Verdict::Alive {
                let end = now_us + probe.us;
                let mut seen = seen.borrow_mut();
                let (last, oldest) = seen.entry(number).or_insert((end, 0));
                *oldest = (*oldest).max(end - *last);
                *last = end;
            }
            probe
        })
    }

    /// The age that all but 5 % of them never exceeded, in microseconds.
    fn p95_us(&self, now_us: u64) -> u64 {
        let seen = self.0.borrow();
        let age = |(last, oldest): &(u64, u64)| (*oldest).max(now_us.saturating_sub(*last));
        let mut ages: Vec<u64> = seen.values().map(age).collect();
        ages.sort_unstable();
        ages[ages.len() * 95 / 100]
    }
}

/// Runs a list of 10 000, a twentieth of which is alive, for that long; the p95 of the greatest ages.
fn p95_us(shards: usize, lanes: usize, backoff_max: Duration, minutes: u64) -> u64 {
    let watch = Watch::default();
    let mut config = configuration();
    config.checker.backoff_max = backoff_max;
    let mix = watch.over(Mix::PUBLIC);
    let mut service = Service::of(config, 10_000, shards, lanes, mix);
    service.run(minutes * 60_000, |_| false);
    assert!(watch.0.borrow().len() > 400);
    watch.p95_us(service.world.now_us)
}

/// A tenth of 5 000 alive among 100 000 on 2 000, 5 000 and 20 000 lanes.
#[test]
fn the_alive_are_never_older_than_an_interval_and_a_half() {
    for (shards, lanes) in [(1, 200), (1, 500), (2, 2_000)] {
        let age = p95_us(shards, lanes, Duration::from_secs(600), 8);
        assert!(2 * age <= 3 * INTERVAL_US, "{lanes} lanes: {age} us");
    }
}

/// Without a back-off the dead ask for as many lanes as there are, or for three times that, for ever.
#[test]
fn not_even_when_the_dead_want_all_the_lanes() {
    for (shards, lanes) in [(1, 200), (2, 500)] {
        let age = p95_us(shards, lanes, Duration::ZERO, 8);
        assert!(2 * age <= 3 * INTERVAL_US, "{lanes} lanes: {age} us");
    }
}
