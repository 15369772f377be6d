//! Which policy a node probes by, in one number: nodes of different ones do not share jobs.

use proxy_shards::ProbePolicy;
use proxy_shards::policy::Mode;
use proxy_shards::target::{Demand, Target};
use proxy_shards::works::Require;
use sha2::{Digest, Sha256};
use std::sync::atomic::{AtomicU64, Ordering};

/// The fingerprint of the policy in force.
#[derive(Debug, Default)]
pub(crate) struct Fingerprint(AtomicU64);

impl Fingerprint {
    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Acquire)
    }

    pub(crate) fn set(&self, policy: &ProbePolicy) {
        self.0.store(fingerprint(policy), Ordering::Release);
    }
}

/// What a verdict by this policy means, in one number: its mode, its targets and what they demand,
/// and how many of them a proxy must reach. Deadlines and retries are each node's own. So is the
/// secret of a judge, which is no affair of others: who has another one finds the judge's answers
/// tampered, and probes nothing.
pub(crate) fn fingerprint(policy: &ProbePolicy) -> u64 {
    let mut hash = Sha256::new();
    let mut add = |bytes: &[u8]| {
        hash.update((bytes.len() as u64).to_le_bytes());
        hash.update(bytes);
    };
    add(match policy.mode {
        Mode::FullHttp => b"full",
        Mode::ConnectOnly => b"connect",
    });
    add(match policy.require {
        Require::Any => b"any",
        Require::All => b"all",
    });
    policy
        .targets
        .iter()
        .for_each(|target| add_target(target, &mut add));
    let first = hash.finalize();
    let first = first.first_chunk::<8>().copied().unwrap_or_default();
    u64::from_le_bytes(first)
}

fn add_target(target: &Target, add: &mut impl FnMut(&[u8])) {
    for text in [&target.name, &target.host, &target.path, &target.authority] {
        add(text.as_bytes());
    }
    add(&target.port.to_le_bytes());
    add(&[target.tls.into(), target.tunnel.into()]);
    add(&(target.body_bytes_max as u64).to_le_bytes());
    match &target.demand {
        Demand::Judge(_) => add(b"judge"),
        // What was learnt is what the target says now, not what is asked of it.
        _ if target.learns() => add(b"learn"),
        Demand::Learn => {}
        Demand::Answer(answer) => {
            add(&answer.status.to_le_bytes());
            add(&[answer.empty_body.into()]);
            add(answer.body_contains.as_deref().unwrap_or_default());
            add(answer.body_sha256.as_ref().map_or(&[], |sha| &sha[..]));
            let header = answer.header.as_ref();
            add(header.map_or("", |field| &field.name).as_bytes());
            let value = header.and_then(|field| field.value.as_deref());
            add(value.unwrap_or("\0any").as_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proxy_shards::policy::PolicyOptions;
    use proxy_shards::target::{Learnt, TargetOptions};
    use std::time::Duration;

    fn policy(change: impl FnOnce(&mut PolicyOptions)) -> ProbePolicy {
        let mut options = PolicyOptions {
            targets: vec!["http://a.test/".into()],
            ..PolicyOptions::default()
        };
        change(&mut options);
        ProbePolicy::new(options).unwrap()
    }

    #[test]
    fn what_changes_the_meaning_of_a_verdict_changes_the_fingerprint() {
        let mut all = vec![
            fingerprint(&policy(|_| {})),
            fingerprint(&policy(|o| o.mode = Mode::ConnectOnly)),
            fingerprint(&policy(|o| o.require = Require::Any)),
            fingerprint(&policy(|o| o.targets[0].tunnel = true)),
            fingerprint(&policy(|o| o.targets[0].expect_status = Some(204))),
            fingerprint(&policy(|o| o.targets[0].expect_body = Some(b"x".into()))),
            fingerprint(&policy(|o| {
                o.targets.push(TargetOptions {
                    name: "b".into(),
                    ..TargetOptions::default()
                });
            })),
        ];
        let count = all.len();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), count);
    }

    #[test]
    fn deadlines_and_what_was_learnt_do_not() {
        let base = policy(|_| {});
        let slower = policy(|o| {
            o.timeout = Duration::from_secs(99);
            o.retries = 3;
        });
        let learnt = base.knowing(
            &[Some(Learnt {
                status: 200,
                content_type: None,
            })],
            &[],
        );
        assert_eq!(fingerprint(&base), fingerprint(&slower));
        assert_eq!(fingerprint(&base), fingerprint(&learnt));
    }
}
