//! Answers at random and answers with changed bytes: no panic, no late end, nothing kept, and nobody
//! alive who did not answer.
//!
//! The changed ones are real: each peer passes on what a mock proxy of the farm says, in TLS too, and
//! spoils it on its way (`spoil.rs`). Whether what came of it is still the target's answer is judged by
//! `truth.rs`, which knows nothing of the engine.

pub(crate) mod parts;
pub(crate) mod probing;
mod server;
mod speech;
mod spoil;
mod truth;

use crate::{seed, times, turn};
use parts::Part;
use probing::{Candidate, Holds, Outcome, Probing, summary, timed};
use proxy_bench::farm::{Aim, Behaviour};
use proxy_shards::{Protocol, Verdict};
use spoil::Spoil;

/// Each aim once, with TLS in both halves.
const AIMS: [Aim; 6] = [
    Aim::JudgeTls,
    Aim::NoContent,
    Aim::Tunnel,
    Aim::Https,
    Aim::KnownBody,
    Aim::Judge,
];

/// Conversations of each protocol and aim that nobody spoils, before the others.
const MODELS: usize = 4;
/// One good candidate comes with so many others.
const OTHERS_PER_GOOD: usize = 20;
/// What may be resident more after the second half of the probes than after the first: the pools of the
/// allocator and of the rings are filled in the first.
fn memory_growth_max() -> usize {
    times(8, 3) << 20
}

/// A real proxy of each protocol.
const fn proxy(protocol: Protocol) -> Behaviour {
    match protocol {
        Protocol::Http => Behaviour::Forwards,
        Protocol::Https => Behaviour::Https,
        Protocol::Socks4 => Behaviour::Socks4,
        Protocol::Socks5 => Behaviour::Socks5,
    }
}

/// Passes on what the real proxy `number` says.
pub(crate) fn good(probing: &Probing, number: usize) -> Candidate {
    let protocol = Protocol::ALL[number % Protocol::ALL.len()];
    let to = probing.proxy(proxy(protocol), number);
    Candidate {
        protocol,
        part: Part::Relays(to, None),
    }
}

/// How long real conversations of one protocol are, in bytes of the proxy.
struct Models(Vec<(Protocol, usize)>);

impl Models {
    /// Has some of each protocol for `aim`.
    fn of(probing: &Probing, aim: Aim) -> Models {
        let cast = (0..MODELS * Protocol::ALL.len()).map(|number| good(probing, number));
        let outcomes = probing.probe(aim, cast.collect());
        for outcome in &outcomes {
            assert!(is_good(outcome), "a good one: {outcome:?}");
        }
        let talks = outcomes.iter().flat_map(|one| {
            let length = |visit: &server::Visit| (one.way.protocol, visit.talk.said.len());
            one.visits.iter().map(length).collect::<Vec<_>>()
        });
        Models(talks.filter(|&(_, length)| length > 0).collect())
    }

    /// A way to spoil one of them: near its beginning or anywhere, for those whose TLS is resumed are
    /// shorter than the others.
    fn spoil(&self, random: &mut fastrand::Rng, protocol: Protocol) -> Spoil {
        let lengths = (self.0.iter())
            .filter(|(of, _)| *of == protocol)
            .map(|&(_, length)| length);
        let within = match random.bool() {
            true => lengths.min(),
            false => lengths.max(),
        };
        Spoil::somewhere(random, within.expect("a model of each protocol"))
    }
}

/// Whether what must be found alive was; trouble of this host is not held against anybody.
pub(crate) fn is_good(outcome: &Outcome) -> bool {
    outcome.is_alive() || outcome.record.verdict == Verdict::LocalLate
}

/// What a round was made of and what it came to.
#[derive(Default)]
struct Count {
    random: usize,
    spoilt: usize,
    good: usize,
    alive: usize,
    /// Spoilt where it did not matter.
    spoilt_alive: usize,
}

/// So many of each kind, with good ones among them.
fn cast(
    probing: &Probing,
    models: &Models,
    random: &mut fastrand::Rng,
    (at_random, spoilt): (usize, usize),
) -> Vec<Candidate> {
    let of = |number: usize| Protocol::ALL[number % Protocol::ALL.len()];
    let mut cast: Vec<Candidate> = Vec::new();
    for number in 0..at_random {
        let protocol = of(number);
        let part = Part::Random(random.u64(..), protocol);
        cast.push(Candidate { protocol, part });
    }
    for number in 0..spoilt {
        let protocol = of(number);
        let spoil = models.spoil(random, protocol);
        let part = Part::Relays(probing.proxy(proxy(protocol), number), Some(spoil));
        cast.push(Candidate { protocol, part });
    }
    let goods = cast.len().div_ceil(OTHERS_PER_GOOD);
    cast.extend((0..goods).map(|number| good(probing, number)));
    random.shuffle(&mut cast);
    cast
}

impl Count {
    fn add(&mut self, outcomes: &[Outcome]) {
        for outcome in outcomes {
            let alive = usize::from(outcome.is_alive());
            match &outcome.candidate.part {
                Part::Random(..) => self.random += 1,
                Part::Relays(_, None) => {
                    assert!(is_good(outcome), "a good one: {outcome:?}");
                    self.good += 1;
                    self.alive += alive;
                }
                // Some end before the place that was to be spoiled.
                _ => {
                    let changed = |visit: &server::Visit| visit.talk.said != visit.talk.meant;
                    if outcome.visits.iter().any(changed) {
                        self.spoilt += 1;
                        self.spoilt_alive += alive;
                    }
                }
            }
        }
    }
}

#[test]
fn whatever_peers_say_no_probe_panics_or_is_late_and_only_true_answers_are_alive() {
    let _turn = turn();
    let mut random = fastrand::Rng::with_seed(seed("peers"));
    let (wanted_random, wanted_spoilt): (usize, usize) = (times(2_000, 50_000), times(500, 10_000));
    let rounds = AIMS.repeat(times(1, 2));
    let per_round = |wanted: usize| wanted.div_ceil(rounds.len());
    // More than are wanted, for some are spoiled behind their end.
    let parts = (per_round(wanted_random), per_round(wanted_spoilt * 4 / 3));
    let probing = Probing::start(times(200, 800));
    let mut count = Count::default();
    let mut rest: Vec<Holds> = Vec::new();
    for aim in rounds {
        let models = Models::of(&probing, aim);
        let cast = cast(&probing, &models, &mut random, parts);
        let (outcomes, took) = timed(|| probing.probe(aim, cast));
        count.add(&outcomes);
        eprintln!("peers, {}, {took:.1?}: {}", aim.label(), summary(&outcomes));
        drop(outcomes);
        rest.push(probing.at_rest());
    }
    let (baseline, end) = (rest[rest.len() / 2 - 1], rest[rest.len() - 1]);
    eprintln!(
        "peers: {} at random, {} spoilt ({} of them where it does not matter), {} good, {} of them alive; \
         resident {} KiB at half, {} KiB at the end; descriptors {} and {}",
        count.random,
        count.spoilt,
        count.spoilt_alive,
        count.good,
        count.alive,
        baseline.memory >> 10,
        end.memory >> 10,
        baseline.descriptors,
        end.descriptors,
    );
    assert!(count.random >= wanted_random && count.spoilt >= wanted_spoilt);
    assert!(
        count.alive * 10 >= count.good * 9,
        "the good ones are alive"
    );
    assert!(
        end.memory <= baseline.memory + memory_growth_max(),
        "{rest:?}"
    );
    assert!(end.descriptors <= baseline.descriptors, "{rest:?}");
}
