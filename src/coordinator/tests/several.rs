//! Proxies that speak several protocols.

use super::*;
use proxy_shards::{Protocol, Protocols, Require, Targets, Works};
use std::cell::RefCell;
use std::rc::Rc;

/// What was tried on the candidate, job by job.
type Tried = Rc<RefCell<Vec<Protocols>>>;

/// One candidate of unknown protocol, of which `speaks` works at a time.
fn auto(speaks: impl Fn(u64) -> Protocols + 'static) -> (Simulation, Tried) {
    let mut sim = simulation(10);
    let tried = Tried::default();
    let jobs = tried.clone();
    sim.behave_fully(move |_, protocols, at| {
        jobs.borrow_mut().push(protocols);
        let mut works = Works::default();
        let spoken = speaks(at);
        let spoken = protocols.in_order(0).filter(|&p| spoken.contains(p));
        spoken.for_each(|p| works.set(p, Targets::first(1)));
        match works == Works::default() {
            true => (Verdict::Closed, works, 30),
            false => (Verdict::Alive, works, 30),
        }
    });
    let mut listed = list([]);
    listed
        .candidates
        .push("auto://9.0.0.1:1080".parse().unwrap());
    sim.deliver(0, listed);
    (sim, tried)
}

fn two() -> Protocols {
    Protocols::only(Protocol::Http).with(Protocol::Socks5)
}

#[test]
fn a_proxy_that_speaks_two_protocols_is_served_under_both_and_counts_once() {
    let (mut sim, tried) = auto(|_| two());
    sim.run_until(200_000);
    let snapshot = sim.snapshot();
    let served = snapshot.pool.proxies().iter().map(|p| p.protocol);
    assert_eq!(
        served.collect::<Vec<_>>(),
        [Protocol::Socks5, Protocol::Http]
    );
    assert_eq!(
        (snapshot.stat.total_alive, snapshot.stat.targets[0].reached),
        (1, 1)
    );
    let tried = tried.borrow();
    assert_eq!(tried[..3], [Protocols::ALL, two(), two()]);
}

#[test]
fn one_that_fails_is_asked_for_all_that_its_scheme_names() {
    let (mut sim, tried) = auto(|at| match at {
        0..30_000 => two(),
        30_000..61_000 => Protocols::NONE,
        _ => Protocols::only(Protocol::Socks4),
    });
    sim.run_until(200_000);
    let socks4 = Protocols::only(Protocol::Socks4);
    let tried = tried.borrow();
    assert_eq!(tried[..4], [Protocols::ALL, two(), Protocols::ALL, socks4]);
    assert_eq!(sim.snapshot().pool.proxies()[0].protocol, Protocol::Socks4);
}

#[test]
fn a_reload_finds_what_a_proxy_has_learnt_to_speak() {
    let (mut sim, tried) = auto(|at| match at {
        0..30_000 => Protocols::only(Protocol::Http),
        _ => two(),
    });
    sim.run_until(150_000);
    assert_eq!(sim.served().len(), 1);
    sim.tell(Event::Configure {
        reload: 2,
        config: Arc::new(config(&["a"])),
    });
    sim.run_until(151_000);
    assert_eq!(sim.served().len(), 2);
    assert_eq!(tried.borrow().last(), Some(&Protocols::ALL));
}

#[test]
fn a_protocol_that_no_longer_works_leaves_the_pool_alone() {
    let (mut sim, _) = auto(|at| match at {
        0..30_000 => two(),
        _ => Protocols::only(Protocol::Http),
    });
    sim.run_until(100_000);
    let snapshot = sim.snapshot();
    let served = snapshot.pool.proxies().iter().map(|p| p.protocol);
    assert_eq!(served.collect::<Vec<_>>(), [Protocol::Http]);
}

#[test]
fn what_the_bits_stand_for_is_saved_and_comes_back_by_name() {
    let mut sim = Simulation::new(controlled(&["a", "b"], Require::Any), 10, Image::default());
    sim.behave(|_, _| DEAD);
    sim.deliver(0, list(0..3));
    sim.run_until(400_000);
    let targets = sim.images.last().unwrap().targets.clone();
    assert_eq!(targets, ["a", "b"].map(Box::from));

    let mut known = entry(1, Some(Verdict::Alive), 5);
    known.works.set(Protocol::Http, Targets::NONE.with(1));
    let restored = Image {
        targets,
        ..image(vec![known])
    };
    let config = controlled(&["b", "a"], Require::Any);
    let mut sim = Simulation::still(config, 10, restored);
    sim.run_until(1);
    let snapshot = sim.snapshot();
    let served = snapshot.pool.proxies().iter().map(|p| p.targets);
    assert_eq!(served.collect::<Vec<_>>(), [Targets::first(1)]);
}
