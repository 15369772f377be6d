//! How long a check lasts, on a simulated clock, against what it must last.

use super::super::outside::{Heard, Outside, TICK};
use super::*;
use crate::dispatch::world::{Fate, Mix, Probe, World, assert_within, bound_us, greedy_us};
use proxy_shards::{ControlJob, Report};
use std::num::{NonZeroU32, NonZeroUsize};

/// The simulated world, seen from both sides: as the shards, and as what is outside the loop.
#[derive(Clone)]
struct Sim {
    world: Rc<RefCell<World>>,
    /// Nothing comes through here: reports are heard.
    reports: Receiver<Report>,
    tick: Rc<RefCell<Duration>>,
}

impl Shards for Sim {
    fn shards(&self) -> usize {
        self.world.borrow().shards()
    }
    fn lanes_per_shard(&self) -> usize {
        self.world.borrow().lanes()
    }
    fn shard_of(&self, _address: std::net::SocketAddr) -> usize {
        0
    }
    fn submit(&self, shard: usize, jobs: Vec<Job>) {
        self.world.borrow_mut().submit(shard, jobs);
    }
    fn control(&self, shard: usize, job: ControlJob) {
        self.world.borrow_mut().control(shard, job);
    }
    fn reports(&self) -> &Receiver<Report> {
        &self.reports
    }
    fn set_policy(&self, _policy: Arc<ProbePolicy>) {}
    fn set_lanes(&self, _lanes: NonZeroUsize) {}
    fn set_pace(&self, _per_second: Option<NonZeroU32>) {}
    fn stop(self, _grace: Duration) -> Receiver<Report> {
        self.reports
    }
}

impl Outside for Sim {
    fn now(&self) -> Duration {
        Duration::from_micros(self.world.borrow().now_us)
    }
    fn hear(&self, _reports: &Receiver<Report>) -> Heard {
        let until = *self.tick.borrow() + TICK;
        match self.world.borrow_mut().next(until.as_micros() as u64) {
            Some(report) => Heard::Report(report.into()),
            None => {
                *self.tick.borrow_mut() = until;
                Heard::Tick
            }
        }
    }
}

/// Checks `count` candidates; how long that takes, in microseconds.
fn sweep_us(count: u32, shards: usize, lanes: usize, fate: Fate) -> u64 {
    let sim = Sim {
        world: Rc::new(RefCell::new(World::new(shards, lanes / shards, fate))),
        reports: never(),
        tick: Rc::default(),
    };
    let url = |n: u32| {
        let [_, b, c, d] = n.to_be_bytes();
        format!("http://9.{b}.{c}.{d}:8080")
    };
    let list = list((0..count).map(url));
    let rows = Rows::new(Format::Jsonl, true, Goals::new(&policy()), io::sink()).unwrap();
    let mut check = Check::new(&list, rows, ProgressBar::hidden());
    let mut err = io::sink();
    let direct = direct(policy(), Some(Duration::from_secs(5)), &mut err);
    let end = drive(sim.clone(), &mut check, direct, &sim).unwrap();
    let (counts, _) = check.finish().unwrap();
    assert_eq!((end, counts.total()), (End::Complete, u64::from(count)));
    sim.world.borrow().now_us
}

fn of(mix: Mix) -> Fate {
    Box::new(move |job: &Job, _, _| mix.of(job.id as u32))
}

#[test]
fn a_check_of_100_000_lasts_hardly_longer_than_it_must() {
    let holds = Mix::FARM.holds_us(100_000);
    for (shards, lanes) in [(1, 19_000), (2, 38_000), (12, 20_000)] {
        let wall = sweep_us(100_000, shards, lanes, of(Mix::FARM));
        let what = format!("{shards} shards, {lanes} lanes");
        assert_within(wall, bound_us(&holds, lanes), 1.05, &what);
    }
}

/// Of a list one cannot know who is silent, so the last that begins may last for the whole time. It
/// cannot be helped; that a lane idles while candidates wait can.
#[test]
fn no_lane_idles_while_candidates_wait() {
    for (mix, what) in [(Mix::FARM, "farm"), (Mix::PUBLIC, "public")] {
        let holds = mix.holds_us(20_000);
        for (shards, lanes) in [(1, 400), (1, 1_000), (2, 4_000), (12, 4_000)] {
            let wall = sweep_us(20_000, shards, lanes, of(mix));
            let what = format!("{what}, {shards} shards, {lanes} lanes");
            assert_within(wall, greedy_us(&holds, lanes), 1.02, &what);
        }
    }
}

/// A silent one of a list without schemes is asked by two protocols. Had it kept its lane between
/// the two, the last would begin as late and last for twice the time.
#[test]
fn a_job_that_waits_for_its_second_probe_does_not_make_the_check_longer() {
    let asked_twice = |probe: Probe| probe.verdict == Verdict::ResponseTimeout;
    let holds = (0..20_000).map(|n| Mix::FARM.of(n));
    let holds: Vec<u64> = holds
        .map(|probe| probe.us * if asked_twice(probe) { 2 } else { 1 })
        .collect();
    for lanes in [500, 2_000, 4_000] {
        let fate = move |job: &Job, probes: u8, _: u64| {
            let probe = Mix::FARM.of(job.id as u32);
            let more = probes == 0 && asked_twice(probe);
            Probe { more, ..probe }
        };
        let wall = sweep_us(20_000, 1, lanes, Box::new(fate));
        let what = format!("{lanes} lanes");
        assert_within(wall, greedy_us(&holds, lanes), 1.02, &what);
    }
}
