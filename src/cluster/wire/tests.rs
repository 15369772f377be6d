//! What is packed comes back, and no bytes do harm.

use super::line::{Form, pack_word, unpack_word};
use super::report::{Head, pack_head, pack_records, unpack_head, unpack_records};
use super::*;
use crate::cluster::{Logged, Publication, Word};
use crate::ledger::{Check, Entry, Experience};
use proxy_shards::Credentials;
use proxy_shards::{Anonymity, Exit, Record, Tally, Targets, Timing, Verdict, Works};
use std::sync::Arc;

fn jobs() -> Vec<Job> {
    let login = Credentials {
        user: "ann".into(),
        password: "".into(),
    };
    let job = |id: u64, address: &str, credentials| Job {
        id,
        protocols: Protocols::only(Protocol::Socks5).with(Protocol::Http),
        address: address.parse().unwrap(),
        credentials,
    };
    vec![
        job(1, "192.0.2.1:80", None),
        job(u64::MAX, "[2001:db8::1]:65535", Some(Arc::new(login))),
    ]
}

fn records() -> Vec<Record> {
    let mut works = Works::default();
    works.set(Protocol::Socks4, Targets::from_bits(0b101));
    let exit = |ip: &str| Exit {
        ip: ip.parse().unwrap(),
        anonymity: Anonymity::Elite,
    };
    let alive = Record {
        attempts: 3,
        works,
        first: Some(Protocol::Socks4),
        timing: Timing {
            total_us: 5,
            connect_us: 4,
            handshake_us: 3,
            tls_us: 2,
            first_byte_us: 1,
        },
        exit: Some(exit("2001:db8::7")),
        untried: Protocols::only(Protocol::Https),
        ..Record::unprobed(u64::MAX, Verdict::Alive)
    };
    let all = Verdict::ALL.map(|verdict| Record::unprobed(7, verdict));
    all.into_iter().chain([alive]).collect()
}

fn form() -> Form {
    Form {
        encode: |publication| {
            let mut bytes = publication.generation.to_le_bytes().to_vec();
            bytes.push(publication.stale.into());
            bytes
        },
        decode: |bytes| {
            let (generation, stale) = bytes.split_first_chunk::<8>()?;
            Some(Publication {
                generation: u64::from_le_bytes(*generation),
                at_ms: 4,
                stat: Arc::default(),
                stale: *stale.first()? != 0,
            })
        },
    }
}

fn lines() -> Vec<Logged> {
    let mut lines = Vec::new();
    for n in 0..1_000_u32 {
        let mut entry = Entry::new(format!("socks5://u:p@192.0.2.1:{}", n + 1).parse().unwrap());
        entry.verdict = Some(Verdict::Alive);
        entry.alive_at_ms = n.into();
        entry.history = Box::new([Check {
            at_s: n,
            total_us: 1,
            verdict: Verdict::Alive,
        }]);
        lines.push(Logged::Forgotten(entry.candidate.clone()));
        let source = (n % 2 == 0).then_some(7);
        let entry = Box::new(entry);
        lines.push(Logged::Judged { entry, source });
    }
    lines.push(Logged::Published(Arc::new(Publication {
        generation: 3,
        at_ms: 4,
        stat: Arc::default(),
        stale: true,
    })));
    lines
}

#[test]
fn jobs_and_records_come_back_with_every_field() {
    let back = unpack_jobs(&pack_jobs(&jobs())).unwrap();
    let fields = |job: &Job| (job.id, job.protocols, job.address, job.credentials.clone());
    assert!(back.iter().map(fields).eq(jobs().iter().map(fields)));
    assert_eq!(unpack_records(&pack_records(&records())), Some(records()));
}

#[test]
fn a_job_that_nobody_can_have_handed_out_is_none() {
    let mut job = jobs().swap_remove(0);
    job.address.set_port(0);
    assert!(unpack_jobs(&pack_jobs(&[job])).is_none());
    let mut job = jobs().swap_remove(0);
    job.credentials = Some(Arc::new(Credentials {
        user: "".into(),
        password: "".into(),
    }));
    assert!(unpack_jobs(&pack_jobs(&[job])).is_none());
}

#[test]
fn the_head_of_a_report_comes_back() {
    let mut tally = Tally::default();
    tally.record(Verdict::Alive, 7_000);
    tally.record(Verdict::LocalTarget, u32::MAX);
    let head = Head {
        node: "n1".into(),
        tally,
        in_flight: 1,
        queued: 2,
        lag_us: 3,
        restarts: 4,
    };
    assert_eq!(unpack_head(&pack_head(&head)), Some(head));
}

#[test]
fn the_log_comes_back_in_pieces_of_bounded_size() {
    let entries = line::pack(&lines(), form());
    assert!(entries.len() > 1 && entries.iter().all(|entry| entry.len() < 66_000));
    let back = entries
        .iter()
        .flat_map(|entry| line::unpack(entry, form()).unwrap());
    let back: Vec<String> = back.map(|line| format!("{line:?}")).collect();
    let sent: Vec<String> = lines().iter().map(|line| format!("{line:?}")).collect();
    assert_eq!(back, sent);
    assert!(line::pack(&[], form()).is_empty());
}

#[test]
fn a_word_comes_back() {
    for target in [None, Some("default".into())] {
        let word = Word {
            host: "proxy.example".parse().unwrap(),
            port: 1080,
            target,
            experience: Experience::Banned,
            client: 77,
        };
        assert_eq!(unpack_word(&pack_word(&word)), Some(word));
    }
}

#[test]
fn an_id_is_read_as_it_is_written() {
    let id = Id {
        token: 1_790_000_000_000,
        number: 12,
    };
    assert_eq!(id.to_string().parse(), Ok(id));
    let last: Id = "5-18446744073709551615".parse().unwrap();
    assert_eq!((id.next().number, last.next()), (13, last));
    for text in ["", "1", "-", "1-x", "-1-1"] {
        assert_eq!(text.parse::<Id>(), Err(NoId), "{text}");
    }
}

#[test]
fn cut_or_foreign_bytes_are_nothing_and_never_a_panic() {
    let mut rng = fastrand::Rng::with_seed(2);
    let log = line::pack(&lines(), form()).swap_remove(0);
    let pieces = [pack_jobs(&jobs()), pack_records(&records()), log];
    for piece in &pieces {
        for _ in 0..2_000 {
            let mut bytes = piece[..rng.usize(..piece.len())].to_vec();
            if let Some(byte) = bytes.get_mut(rng.usize(..piece.len())) {
                *byte = rng.u8(..);
            }
            let jobs = unpack_jobs(&bytes).unwrap_or_default();
            assert!(jobs.len() <= JOBS_MAX);
            drop((
                unpack_records(&bytes),
                unpack_head(&bytes),
                unpack_word(&bytes),
            ));
            drop(line::unpack(&bytes, form()));
        }
        let mut newer = piece.clone();
        newer[0] = FORMAT + 1;
        assert!(unpack_jobs(&newer).is_none() && unpack_records(&newer).is_none());
    }
    assert!(unpack_jobs(&pieces[0][..pieces[0].len() - 1]).is_none());
}
