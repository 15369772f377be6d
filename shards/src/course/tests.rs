//! Each rule of the course.

use super::*;
use crate::judge::Anonymity;
use crate::policy::PolicyOptions;
use crate::target::TargetOptions;
use Protocol::{Http, Https, Socks4, Socks5};
use Verdict::{
    Alive, AuthRequired, BadProtocol, Closed, ConnectTimeout, Denied, LocalPorts, OwnPage, Refused,
    Reset, ResponseTimeout,
};
use std::net::Ipv4Addr;

/// What is asked of how many targets.
pub(super) fn policy(targets: usize, require: Require, retries: u8) -> ProbePolicy {
    let target = |place| TargetOptions {
        name: format!("t{place}"),
        ..TargetOptions::from("http://target.test/generate_204")
    };
    ProbePolicy::new(PolicyOptions {
        targets: (0..targets).map(target).collect(),
        require,
        retries,
        ..PolicyOptions::default()
    })
    .unwrap()
}

pub(super) fn job(protocols: Protocols, port: u16) -> Job {
    Job {
        id: 7,
        protocols,
        address: (Ipv4Addr::LOCALHOST, port).into(),
        credentials: None,
    }
}

/// `verdict` after `us` microseconds of a connection that stood, unless its connect ended so.
pub(super) fn ended(verdict: Verdict, us: u32) -> Ended {
    let connected = !matches!(verdict, Refused | ConnectTimeout);
    Ended {
        timing: Timing {
            total_us: us,
            connect_us: u32::from(connected),
            ..Timing::default()
        },
        ..Ended::unprobed(verdict)
    }
}

/// Runs a job whose probes end with what `peer` gives for each protocol and target; gives what was
/// asked, and the record. The n-th probe takes n microseconds.
pub(super) fn run(
    job: &Job,
    policy: &ProbePolicy,
    mut peer: impl FnMut(Protocol, usize) -> Ended,
) -> (Vec<(Protocol, usize)>, Record) {
    let (mut course, mut asked) = (Course::new(job), Vec::new());
    loop {
        let (protocol, target) = course.at();
        assert!(target < policy.targets.len());
        asked.push((protocol, target));
        let mut ended = peer(protocol, target);
        ended.timing.total_us = asked.len() as u32;
        if course.ended(job, policy, &ended) == Next::Record {
            return (asked, course.record(job.id));
        }
    }
}

/// The same for a candidate of unknown protocol on port 8080 that ends so for each of two targets.
fn check(
    require: Require,
    peer: impl Fn(Protocol, usize) -> Verdict,
    asked: &[(Protocol, usize)],
    verdict: Verdict,
) -> Record {
    let (job, policy) = (job(Protocols::ALL, 8080), policy(2, require, 0));
    let (seen, record) = run(&job, &policy, |p, t| ended(peer(p, t), 0));
    assert_eq!(seen, asked);
    assert_eq!((record.id, record.verdict), (7, verdict));
    assert_eq!(usize::from(record.attempts), asked.len());
    record
}

#[test]
fn what_the_connect_ends_in_ends_the_job() {
    for verdict in [Refused, ConnectTimeout, Verdict::Unreachable] {
        check(Require::Any, |_, _| verdict, &[(Http, 0)], verdict);
    }
    let (job, policy) = (job(Protocols::ALL, 1080), policy(2, Require::Any, 0));
    for verdict in [Reset, Closed] {
        let lost = |_, _| Ended::unprobed(verdict);
        let (asked, record) = run(&job, &policy, lost);
        assert_eq!((asked, record.verdict), (vec![(Socks5, 0)], verdict));
    }
}

#[test]
fn a_host_that_is_gone_in_the_middle_ends_the_job_and_keeps_what_was_found() {
    let peer = |protocol, _| if protocol == Http { Alive } else { Refused };
    let asked = [(Http, 0), (Http, 1), (Socks5, 0)];
    let record = check(Require::All, peer, &asked, Alive);
    assert_eq!(record.first, Some(Http));
    let peer = |protocol, _| if protocol == Http { Denied } else { Refused };
    let asked = [(Http, 0), (Socks5, 0)];
    check(Require::All, peer, &asked, Denied);
}

#[test]
fn a_protocol_that_is_not_spoken_or_wants_credentials_is_not_asked_for_the_next_target() {
    let all = [(Http, 0), (Socks5, 0), (Socks4, 0), (Https, 0)];
    check(Require::Any, |_, _| BadProtocol, &all, BadProtocol);
    let but_https = &all[..3];
    check(Require::Any, |_, _| AuthRequired, but_https, AuthRequired);
}

#[test]
fn who_is_silent_by_two_protocols_is_silent_by_all() {
    let two = [(Http, 0), (Socks5, 0)];
    check(Require::All, |_, _| ResponseTimeout, &two, ResponseTimeout);
    let peer = |p, _| match p {
        Http => ResponseTimeout,
        Socks5 => BadProtocol,
        _ => Alive,
    };
    let (job, one) = (job(Protocols::ALL, 8080), policy(1, Require::All, 0));
    let (asked, record) = run(&job, &one, |p, t| ended(peer(p, t), 0));
    assert_eq!((asked.len(), record.first), (4, Some(Socks4)));
}

#[test]
fn socks4_is_not_tried_for_an_address_that_it_cannot_name() {
    let policy = ProbePolicy::new(PolicyOptions {
        targets: vec!["http://[2001:db8::1]/generate_204".into()],
        ..PolicyOptions::default()
    })
    .unwrap();
    let unspoken = |_, _| ended(BadProtocol, 0);
    let (asked, _) = run(&job(Protocols::ALL, 8080), &policy, unspoken);
    assert_eq!(asked, [(Http, 0), (Socks5, 0), (Https, 0)]);
    let (asked, _) = run(&job(Protocols::only(Socks4), 8080), &policy, unspoken);
    assert_eq!(
        asked,
        [(Socks4, 0)],
        "who is listed so is told that it is denied"
    );
}

#[test]
fn a_port_is_plain_or_behind_tls() {
    let (any, policy) = (Require::Any, policy(1, Require::Any, 0));
    let speaks = |one| move |p, _| if p == one { Alive } else { BadProtocol };
    let plain = [(Http, 0), (Http, 1), (Socks5, 0), (Socks4, 0)];
    assert_eq!(check(any, speaks(Http), &plain, Alive).first, Some(Http));
    let job = job(Protocols::ALL, 443);
    let (asked, record) = run(&job, &policy, |p, t| ended(speaks(Https)(p, t), 0));
    assert_eq!(asked, [(Https, 0), (Socks5, 0), (Socks4, 0)]);
    assert_eq!(record.first, Some(Https));
}

#[test]
fn where_all_targets_are_required_the_first_miss_ends_the_protocol() {
    let peer = |p, t| match (p, t) {
        (Http, 0) => Closed,
        (Socks5, 1) => OwnPage,
        _ => Alive,
    };
    let asked = [
        (Http, 0),
        (Socks5, 0),
        (Socks5, 1),
        (Socks4, 0),
        (Socks4, 1),
        (Https, 0),
        (Https, 1),
    ];
    let record = check(Require::All, peer, &asked, Alive);
    assert_eq!(record.first, Some(Socks4));
    assert_eq!(record.works.by(Socks5), Targets::first(1));
    assert_eq!(record.timing.total_us, 4, "of the first probe by SOCKS 4");
    let peer = |p, t| match (p, t) {
        (Http, 1) => ResponseTimeout,
        (Http, 0) => Alive,
        _ => BadProtocol,
    };
    let asked = [(Http, 0), (Http, 1), (Socks5, 0), (Socks4, 0)];
    let record = check(Require::All, peer, &asked, ResponseTimeout);
    assert_eq!(
        (record.first, record.works.by(Http)),
        (None, Targets::first(1))
    );
    assert_eq!(record.timing.total_us, 4, "of the last probe");
}

#[test]
fn where_any_target_is_enough_the_others_are_told_too() {
    let peer = |p, t| match (p, t) {
        (Http, 0) => Denied,
        (Http, 1) | (Socks5, _) => Alive,
        _ => Closed,
    };
    let asked = [
        (Http, 0),
        (Http, 1),
        (Socks5, 0),
        (Socks5, 1),
        (Socks4, 0),
        (Socks4, 1),
    ];
    let record = check(Require::Any, peer, &asked, Alive);
    assert_eq!((record.first, record.timing.total_us), (Some(Http), 2));
    assert_eq!(record.works.by(Http), Targets::NONE.with(1));
    assert_eq!(record.works.by(Socks5), Targets::first(2));
    assert_eq!(record.works.by(Socks4), Targets::NONE);
}

#[test]
fn an_open_port_counts_as_it_is_listed() {
    let mut policy = policy(3, Require::All, 1);
    policy.mode = Mode::ConnectOnly;
    let job = job(Protocols::ALL, 1080);
    let (asked, record) = run(&job, &policy, |_, _| ended(Alive, 0));
    assert_eq!(
        (asked.len(), record.verdict, record.first),
        (1, Alive, Some(Socks5))
    );
    assert_eq!(record.works.by(Socks5), Targets::first(3));
    assert_eq!(record.works.by(Http), Targets::NONE);
    let (asked, record) = run(&job, &policy, |_, _| ended(ConnectTimeout, 0));
    assert_eq!((asked.len(), record.verdict), (2, ConnectTimeout));
}

#[test]
fn each_probe_is_retried_for_itself() {
    let (job, policy) = (job(Protocols::only(Http), 80), policy(2, Require::Any, 1));
    let mut ends = [Closed, Alive, Closed, Closed].into_iter();
    let (asked, record) = run(&job, &policy, |_, _| ended(ends.next().unwrap(), 0));
    assert_eq!(asked, [(Http, 0), (Http, 0), (Http, 1), (Http, 1)]);
    assert_eq!((record.verdict, record.timing.total_us), (Alive, 2));
}

#[test]
fn local_trouble_that_stays_ends_the_job_and_is_not_held_against_the_proxy() {
    let (job, policy) = (job(Protocols::ALL, 80), policy(1, Require::All, 5));
    let peer = |protocol, _| match protocol {
        Http => ended(Denied, 0),
        _ => Ended::unprobed(LocalPorts),
    };
    let (asked, record) = run(&job, &policy, peer);
    assert_eq!((asked.len(), record.verdict), (5, LocalPorts));
    let peer = |protocol, _| match protocol {
        Http => ended(Alive, 0),
        _ => Ended::unprobed(Verdict::LocalCancelled),
    };
    let (asked, record) = run(&job, &policy, peer);
    assert_eq!((asked.len(), record.verdict), (2, Alive));
}

#[test]
fn the_failure_that_says_most_is_the_verdict_and_of_equals_the_earlier() {
    for (ends, expected) in [
        ([BadProtocol, Closed, BadProtocol, ResponseTimeout], Closed),
        ([BadProtocol, Closed, OwnPage, Denied], OwnPage),
        ([BadProtocol; 4], BadProtocol),
        ([Reset, AuthRequired, BadProtocol, Refused], AuthRequired),
    ] {
        let (job, policy) = (job(Protocols::ALL, 80), policy(1, Require::All, 0));
        let mut ends = ends.into_iter();
        let (_, record) = run(&job, &policy, |_, _| ended(ends.next().unwrap(), 0));
        assert_eq!(record.verdict, expected);
    }
}

#[test]
fn the_exit_is_that_of_the_first_protocol_that_works() {
    let exit = |protocol: Protocol| Exit {
        ip: Ipv4Addr::new(192, 0, 2, protocol as u8).into(),
        anonymity: Anonymity::Elite,
    };
    let seen_by = |ends: fn(Protocol) -> Verdict| {
        let (job, policy) = (job(Protocols::ALL, 80), policy(1, Require::All, 0));
        let peer = |protocol, _| Ended {
            exit: (protocol != Socks4).then(|| exit(protocol)),
            ..ended(ends(protocol), 0)
        };
        run(&job, &policy, peer).1.exit
    };
    let socks5 = seen_by(|p| {
        if p == Socks5 {
            Alive
        } else {
            Verdict::Tampered
        }
    });
    assert_eq!(socks5, Some(exit(Socks5)));
    assert_eq!(seen_by(|_| Alive), Some(exit(Http)));
}

#[test]
fn a_bad_request_may_be_the_answer_of_a_proxy_behind_tls() {
    let peer = |bad_request| {
        move |protocol, _| match protocol {
            Http => Ended {
                bad_request,
                ..ended(Denied, 0)
            },
            Https => ended(Alive, 0),
            _ => ended(BadProtocol, 0),
        }
    };
    let listed = job(Protocols::only(Http).with(Https), 8080);
    let policy = policy(1, Require::All, 0);
    let (asked, record) = run(&listed, &policy, peer(true));
    assert_eq!(asked, [(Http, 0), (Https, 0)]);
    assert_eq!((record.verdict, record.first), (Alive, Some(Https)));
    let (asked, record) = run(&listed, &policy, peer(false));
    assert_eq!((asked, record.verdict), (vec![(Http, 0)], Denied));
    // Behind TLS it is an answer as any other.
    let (asked, _) = run(&job(Protocols::ALL, 443), &policy, |protocol, _| Ended {
        bad_request: true,
        ..ended(if protocol == Https { Denied } else { Closed }, 0)
    });
    assert_eq!(asked, [(Https, 0), (Socks5, 0), (Socks4, 0)]);
}

#[test]
fn garbage_behind_an_open_way_ends_that_target_and_not_the_protocol() {
    let garbage = |timing: Timing| Ended {
        timing: Timing {
            connect_us: 1,
            ..timing
        },
        ..ended(BadProtocol, 0)
    };
    let in_tls = Timing {
        handshake_us: 1,
        tls_us: 1,
        ..Timing::default()
    };
    let in_answer = Timing {
        handshake_us: 1,
        first_byte_us: 1,
        ..Timing::default()
    };
    let of_proxy = Timing {
        first_byte_us: 1,
        ..Timing::default()
    };
    for (timing, asked, verdict) in [
        (in_tls, 2, Alive),
        (in_answer, 2, Alive),
        (of_proxy, 1, BadProtocol),
    ] {
        let (job, policy) = (job(Protocols::only(Http), 80), policy(2, Require::Any, 0));
        let peer = |_, target| match target {
            0 => garbage(timing),
            _ => ended(Alive, 0),
        };
        let (seen, record) = run(&job, &policy, peer);
        assert_eq!((seen.len(), record.verdict), (asked, verdict), "{timing:?}");
    }
}

#[test]
fn the_record_says_what_trouble_of_this_host_left_untried() {
    let (job, policy) = (job(Protocols::ALL, 80), policy(1, Require::All, 0));
    let peer = |protocol, _| match protocol {
        Http => ended(Alive, 0),
        Socks5 => ended(Closed, 0),
        _ => Ended::unprobed(LocalPorts),
    };
    let (_, record) = run(&job, &policy, peer);
    assert_eq!((record.verdict, record.first), (Alive, Some(Http)));
    assert_eq!(record.untried, Protocols::only(Socks4));
    let (_, record) = run(&job, &policy, |_, _| ended(Alive, 0));
    assert_eq!(record.untried, Protocols::NONE);
}
