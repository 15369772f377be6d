//! The targets as they are reached without a proxy: where they are dialled, and what a person is
//! told when they do not answer.

use super::names::Found;
use crate::control::Control;
use proxy_shards::{ProbePolicy, Target, Targets, Verdict};
use std::fmt;
use std::net::{IpAddr, SocketAddr};

/// The addresses of every target, by its place in the policy. One after the other is tried while a
/// target does not answer.
#[derive(Clone, Debug, Default)]
pub(crate) struct Addresses(Vec<Rotation>);

#[derive(Clone, Debug, Default)]
struct Rotation {
    all: Vec<SocketAddr>,
    at: usize,
}

/// The host names of the targets, which stand for their addresses.
pub(crate) fn host_names(policy: &ProbePolicy) -> Vec<Box<str>> {
    let names = policy.targets.iter().map(|target| &target.host);
    let mut names: Vec<Box<str>> = names
        .filter(|host| host.parse::<IpAddr>().is_err())
        .cloned()
        .collect();
    names.sort_unstable();
    names.dedup();
    names
}

impl Addresses {
    /// Where the targets are dialled, by what their names resolved to.
    pub(crate) fn new(policy: &ProbePolicy, found: &Found) -> Addresses {
        let rotation = |target: &Target| {
            let ips = match target.host.parse::<IpAddr>() {
                Ok(ip) => vec![ip],
                Err(_) => alternating(found.get(&target.host).map_or(&[][..], |ips| ips)),
            };
            let address = |ip| SocketAddr::new(ip, target.port);
            Rotation {
                all: ips.into_iter().map(address).collect(),
                at: 0,
            }
        };
        Addresses(policy.targets.iter().map(rotation).collect())
    }

    /// Where the target `place` is dialled now, if its name has an address.
    pub(crate) fn of(&self, place: usize) -> Option<SocketAddr> {
        let rotation = self.0.get(place)?;
        rotation.all.get(rotation.at).copied()
    }

    /// Goes on to the next address of each target that is not among the `reached`.
    pub(crate) fn turn(&mut self, reached: Targets) {
        for (place, rotation) in self.0.iter_mut().enumerate() {
            if !reached.contains(place) && !rotation.all.is_empty() {
                rotation.at = (rotation.at + 1) % rotation.all.len();
            }
        }
    }
}

/// The first as the resolver has it, the second of the other family if there is one: a host whose
/// IPv6 leads nowhere finds the target in the second round.
fn alternating(ips: &[IpAddr]) -> Vec<IpAddr> {
    let mut ips = ips.to_vec();
    let first = ips.first().map(IpAddr::is_ipv4);
    if let Some(other) = ips.iter().position(|ip| Some(ip.is_ipv4()) != first) {
        ips[1..=other].rotate_right(1);
    }
    ips
}

/// The target as a person knows it: name and URL.
fn named(target: &Target) -> impl fmt::Display + '_ {
    fmt::from_fn(move |f| write!(f, "`{}` ({})", target.name, url(target)))
}

/// Its URL without the query, which may be secret.
pub(in crate::commands) fn url(target: &Target) -> impl fmt::Display + '_ {
    let scheme = if target.tls { "https" } else { "http" };
    let path = target.path.split('?').next().unwrap_or_default();
    fmt::from_fn(move |f| write!(f, "{scheme}://{}{path}", target.authority))
}

/// Which targets do not answer as they should, each with its verdict and what that means.
pub(crate) fn missing<H>(control: &Control<H>) -> String {
    let targets = control.policy().targets.iter().enumerate();
    let lines = targets.filter_map(|(place, target)| match control.seen(place) {
        Some((Verdict::Alive, _)) => None,
        Some((verdict, _)) => Some(format!(
            "{}: {}, {}",
            named(target),
            verdict.label(),
            meaning(verdict)
        )),
        None => Some(format!("{}: not tried", named(target))),
    });
    lines.collect::<Vec<_>>().join("; ")
}

/// What a person may do about it.
pub(super) fn remedies<H>(control: &Control<H>) -> String {
    let mut remedies: Vec<&str> = Vec::new();
    for place in 0..control.policy().targets.len() {
        let seen = control.seen(place).map(|(verdict, _)| verdict);
        let remedy = seen.and_then(remedy);
        remedies.extend(remedy.filter(|remedy| !remedies.contains(remedy)));
    }
    remedies.push("choose another target with --test-url");
    remedies.push("give --no-control-probe if only proxies can reach it");
    remedies.join("; or ")
}

/// What a verdict says of a target that was reached without a proxy.
fn meaning(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Alive => "it answers as it should",
        Verdict::Refused => "nothing listens there",
        Verdict::Unreachable => "a router says that it cannot be reached",
        Verdict::Reset => "it reset the connection",
        Verdict::ConnectTimeout => "it does not accept connections in time",
        Verdict::HandshakeTimeout => "its TLS is not up in time",
        Verdict::ResponseTimeout => "it does not answer in time",
        Verdict::Closed => "it closed the connection before its answer was whole",
        Verdict::BadProtocol => "what it says is not HTTP or TLS",
        Verdict::AuthRequired => "it asks for credentials of a proxy",
        Verdict::Denied => "it declines the request",
        Verdict::WrongStatus => "it answers with another status than expected",
        Verdict::OwnPage => "it answers with another page than expected",
        Verdict::Redirected => "it redirects",
        Verdict::TlsIntercepted => "its certificate is not valid for its name",
        Verdict::Tampered => "its answer is not what a judge with this secret says",
        Verdict::TooLarge => "its answer is longer than what is read",
        Verdict::LocalNames => "its name has no address",
        Verdict::LocalNetwork => "this host has no way there",
        Verdict::LocalDescriptors
        | Verdict::LocalPorts
        | Verdict::LocalMemory
        | Verdict::LocalLate
        | Verdict::LocalTarget
        | Verdict::LocalCancelled
        | Verdict::LocalFault => "it could not be tried",
    }
}

fn remedy(verdict: Verdict) -> Option<&'static str> {
    match verdict {
        Verdict::TlsIntercepted => Some("name the authority of its certificate with --ca-file"),
        Verdict::WrongStatus | Verdict::OwnPage | Verdict::Redirected => {
            Some("say what it answers with --expect-status, --expect-body or --expect-sha256")
        }
        Verdict::TooLarge => Some("read more of it with --max-bytes"),
        Verdict::Tampered => Some("give the judge and this check the same secret"),
        Verdict::LocalNames => Some("look at its name and at this host's resolver"),
        Verdict::LocalNetwork | Verdict::Unreachable => Some("look at this host's network"),
        Verdict::ConnectTimeout | Verdict::HandshakeTimeout | Verdict::ResponseTimeout => {
            Some("look at this host's network, or wait longer with --timeout")
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proxy_shards::policy::PolicyOptions;
    use proxy_shards::target::TargetOptions;

    fn policy(urls: &[&str]) -> ProbePolicy {
        let target = |(place, url): (usize, &&str)| TargetOptions {
            name: format!("t{place}"),
            ..(*url).into()
        };
        ProbePolicy::new(PolicyOptions {
            targets: urls.iter().enumerate().map(target).collect(),
            ..PolicyOptions::default()
        })
        .unwrap()
    }

    #[test]
    fn only_names_are_looked_up_and_each_once() {
        let policy = policy(&[
            "http://b.test/",
            "https://b.test/",
            "http://192.0.2.1/",
            "http://[2001:db8::1]:81/",
        ]);
        assert_eq!(host_names(&policy), [Box::from("b.test")]);
        let addresses = Addresses::new(&policy, &Found::new());
        assert_eq!(addresses.of(0), None);
        assert_eq!(addresses.of(2), "192.0.2.1:80".parse().ok());
        assert_eq!(addresses.of(3), "[2001:db8::1]:81".parse().ok());
        assert_eq!(addresses.of(4), None);
    }

    #[test]
    fn a_target_that_does_not_answer_is_tried_at_its_next_address() {
        let policy = policy(&["http://a.test/", "http://192.0.2.1/"]);
        let ips = ["2001:db8::1", "2001:db8::2", "192.0.2.9"].map(|ip| ip.parse().unwrap());
        let found = Found::from([("a.test".into(), ips.to_vec())]);
        let mut addresses = Addresses::new(&policy, &found);
        let mut seen = Vec::new();
        for _ in 0..4 {
            seen.push(addresses.of(0).unwrap().to_string());
            addresses.turn(Targets::NONE.with(1));
        }
        let first = "[2001:db8::1]:80";
        assert_eq!(seen, [first, "192.0.2.9:80", "[2001:db8::2]:80", first]);
        assert_eq!(addresses.of(1), "192.0.2.1:80".parse().ok());
    }

    #[test]
    fn a_target_is_shown_without_its_query() {
        let policy = policy(&["https://a.test:8443/x?token=7"]);
        let shown = named(&policy.targets[0]).to_string();
        assert_eq!(shown, "`t0` (https://a.test:8443/x)");
    }
}
