//! Lanes that are governed, on a host that bears few probes.

use super::*;
use crate::config::Config;
use crate::snapshot::Snapshot;
use proxy_shards::Cause;

const WANTED: usize = 1_000;

fn governed() -> Config {
    let mut config = config(&["a"]);
    config.checker.adaptive = true;
    config.checker.concurrency = NonZeroUsize::new(WANTED).unwrap();
    config
}

fn decisions(snapshot: &Snapshot, cause: Cause) -> u64 {
    snapshot.stat.lanes.decisions[cause as usize]
}

#[test]
fn a_host_that_bears_fewer_gives_every_candidate_its_true_verdict_all_the_same() {
    let mut sim = Simulation::new(governed(), WANTED / 2, Image::default());
    sim.bears = Some(150);
    sim.behave(|n, _| match n % 3 {
        0 => (Verdict::Alive, 400),
        1 => (Verdict::ResponseTimeout, 5_000),
        _ => (Verdict::ConnectTimeout, 2_000),
    });
    sim.deliver(0, list(0..3_000));
    sim.run_until(15_000);
    let lanes = sim.snapshot().stat.lanes;
    assert_eq!(lanes.wanted, WANTED as u64);
    let in_force = lanes.per_shard * 2;
    assert!((110..=154).contains(&in_force), "{in_force} lanes in force");
    sim.run_until(150_000);
    let snapshot = sim.snapshot();
    let stat = &snapshot.stat;
    assert_eq!((stat.total_alive, stat.total_dead), (1_000, 2_000));
    let local = Verdict::LocalPorts as usize;
    assert_eq!(stat.verdicts[local], 0);
    assert!(stat.probes.verdicts[local] > 0, "there was trouble");
    assert!(decisions(&snapshot, Cause::LocalErrors) > 0);
    assert_eq!(decisions(&snapshot, Cause::Cpu), 0);
}

#[test]
fn a_host_that_bears_all_again_has_all_lanes_again() {
    let mut sim = Simulation::new(governed(), WANTED / 2, Image::default());
    sim.bears = Some(100);
    sim.behave(|_, _| (Verdict::ResponseTimeout, 3_000));
    sim.deliver(0, list(0..30_000));
    sim.run_until(30_000);
    assert!(sim.snapshot().stat.lanes.per_shard <= 60);
    sim.bears = None;
    sim.run_until(150_000);
    let snapshot = sim.snapshot();
    assert_eq!(snapshot.stat.lanes.per_shard, WANTED as u64 / 2);
    assert_eq!(decisions(&snapshot, Cause::Recovered), 1);
}

#[test]
fn too_much_cpu_takes_lanes_away_and_less_gives_them_back() {
    let mut sim = Simulation::new(governed(), WANTED / 2, Image::default());
    sim.behave(|_, _| (Verdict::ResponseTimeout, 3_000));
    sim.deliver(0, list(0..60_000));
    let use_cpu = |sim: &mut Simulation, cpu_percent, seconds| {
        for _ in 0..seconds {
            sim.tell(Event::Used { cpu_percent });
            sim.run_until(sim.now_ms + 1_000);
        }
        sim.snapshot().stat.lanes.per_shard
    };
    assert_eq!(use_cpu(&mut sim, 94, 20), 500);
    assert!(use_cpu(&mut sim, 99, 10) < 400);
    assert_eq!(use_cpu(&mut sim, 30, 60), 500);
}

#[test]
fn lanes_that_are_not_governed_stay_whatever_happens() {
    let mut sim = Simulation::new(config(&["a"]), 500, Image::default());
    sim.bears = Some(50);
    sim.behave(|_, _| (Verdict::Alive, 1_000));
    sim.deliver(0, list(0..500));
    sim.run_until(5_000);
    let stat = sim.snapshot().stat.clone();
    assert_eq!((stat.lanes.per_shard, stat.lanes.wanted), (500, 1_000));
    assert!(stat.probes.verdicts[Verdict::LocalPorts as usize] > 0);
    assert_eq!(stat.lanes.decisions, [0; 5]);
    assert!(sim.others.is_empty(), "{:?}", sim.others);
}
