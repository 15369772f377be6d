//! Every course ends, whatever its probes end in.

use super::tests::{ended, job, policy, run};
use super::*;
use Verdict::Alive;

#[test]
fn every_course_ends_in_time_and_within_its_targets() {
    let seed = fastrand::u64(..);
    let mut random = fastrand::Rng::with_seed(seed);
    for round in 0..20_000 {
        let context = format!("seed {seed}, round {round}");
        let require = if random.bool() {
            Require::Any
        } else {
            Require::All
        };
        let mut policy = policy(random.usize(1..=8), require, random.u8(0..4));
        if random.u8(..8) == 0 {
            policy.mode = Mode::ConnectOnly;
        }
        let protocols: Protocols = Protocol::ALL
            .into_iter()
            .filter(|_| random.bool())
            .collect();
        let job = job(protocols, random.choice([80, 443, 1080, 4145]).unwrap());
        let (lively, mut seen) = (random.bool(), Works::default());
        let (asked, record) = run(&job, &policy, |protocol, target| {
            let verdict = match lively && random.bool() {
                true => Alive,
                false => random.choice(Verdict::ALL).unwrap(),
            };
            if verdict == Alive {
                seen.set(protocol, seen.by(protocol).with(target));
            }
            ended(verdict, 0)
        });
        let probes = protocols.len().max(1) * policy.targets.len();
        let most = probes * (usize::from(policy.retries) + 1) + usize::from(LOCAL_RETRIES);
        assert!(asked.len() <= most, "{context}: {} probes", asked.len());
        assert_eq!(usize::from(record.attempts), asked.len(), "{context}");
        let enough = record.works.enough(policy.require, policy.targets.len());
        assert_eq!(record.verdict == Alive, !enough.is_empty(), "{context}");
        assert_eq!(
            record.first,
            enough.in_order(job.address.port()).next(),
            "{context}"
        );
        if policy.mode == Mode::FullHttp {
            assert_eq!(record.works, seen, "{context}");
        }
    }
}
