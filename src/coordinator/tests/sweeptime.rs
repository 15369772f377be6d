//! How long a sweep of a service lasts, on a simulated clock, against what it must last.

use super::super::simulation::service::{Service, number_of};
use crate::dispatch::world::{Mix, assert_within, bound_us, greedy_us};

/// A service that lists `count` candidates of a mix.
fn service(mix: Mix, count: u32, shards: usize, lanes: usize) -> Service {
    let fate = Box::new(move |job: &_, _: u8, _: u64| mix.of(number_of(job)));
    Service::new(count, shards, lanes, fate)
}

/// Runs until the sweep under way has ended; how long that took, in microseconds.
fn sweep_us(service: &mut Service) -> u64 {
    let began = service.world.now_us;
    service.run(3_600_000, |s| s.state.sweep.finished.is_some());
    service.world.now_us - began
}

#[test]
fn the_first_sweep_of_100_000_lasts_hardly_longer_than_it_must() {
    let holds = Mix::FARM.holds_us(100_000);
    for (shards, lanes) in [(1, 19_000), (2, 38_000), (12, 20_000)] {
        let mut service = service(Mix::FARM, 100_000, shards, lanes);
        let wall = sweep_us(&mut service);
        let what = format!("{shards} shards, {lanes} lanes");
        assert_within(wall, bound_us(&holds, lanes), 1.05, &what);
        assert_eq!(service.state.sweep.done, 100_000);
        let first_ms = service.first_ms.unwrap_or(u64::MAX);
        assert!(first_ms < 1_000, "{what}: the first after {first_ms} ms");
    }
}

/// Of what was never checked one cannot know who is silent, so the last that begins may last for the
/// whole time. It cannot be helped; that a lane idles while candidates wait can.
#[test]
fn no_lane_idles_in_a_first_sweep_while_candidates_wait() {
    for (mix, what) in [(Mix::FARM, "farm"), (Mix::PUBLIC, "public")] {
        let holds = mix.holds_us(20_000);
        for (shards, lanes) in [(1, 400), (1, 1_000), (2, 4_000)] {
            let wall = sweep_us(&mut service(mix, 20_000, shards, lanes));
            let what = format!("{what}, {shards} shards, {lanes} lanes");
            // The alive are checked again meanwhile.
            assert_within(wall, greedy_us(&holds, lanes), 1.05, &what);
        }
    }
}

#[test]
fn a_later_sweep_is_as_short_as_if_one_had_known_who_is_silent() {
    let mut holds = Mix::PUBLIC.holds_us(20_000);
    holds.sort_unstable_by(|a, b| b.cmp(a));
    for (shards, lanes) in [(1, 2_000), (1, 4_000), (2, 8_000)] {
        let mut service = service(Mix::PUBLIC, 20_000, shards, lanes);
        let first = sweep_us(&mut service);
        service.reload();
        let second = sweep_us(&mut service);
        let what = format!("{shards} shards, {lanes} lanes");
        assert_within(second, greedy_us(&holds, lanes), 1.05, &what);
        assert_within(second, first, 0.85, &what);
    }
}

/// Where nobody is silent a lane has its next candidate after milliseconds, although no job waits
/// before those of the alive for which lanes are kept.
#[test]
fn no_lane_waits_for_the_next_report_where_all_answer_soon() {
    let mix = Mix {
        silent: 0,
        unreachable: 0,
        alive: 2,
        wrong: 998,
    };
    let holds = mix.holds_us(100_000);
    for (shards, lanes) in [(1, 40), (2, 40), (1, 400)] {
        let wall = sweep_us(&mut service(mix, 100_000, shards, lanes));
        let what = format!("{shards} shards, {lanes} lanes");
        assert_within(wall, greedy_us(&holds, lanes), 1.1, &what);
    }
}
