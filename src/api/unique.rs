//! `unique`: at most one proxy of each exit address, or of each host.

use super::query;
use super::refusal::Refusal;
use crate::snapshot::Proxy;
use proxy_shards::Host;
use std::collections::HashSet;
use std::net::IpAddr;

/// What no two proxies of an answer may have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unique {
    /// The address towards the target; where no judge has seen it, the host counts as it.
    Exit,
    /// The host.
    Ip,
}

/// An address, or the name of a host whose address the answer does not depend on.
#[derive(Debug, PartialEq, Eq, Hash)]
enum Place<'p> {
    Ip(IpAddr),
    Name(&'p str),
}

impl Unique {
    /// Reads `unique` of a query.
    pub(super) fn read(query: Option<&str>) -> Result<Option<Unique>, Refusal> {
        match query::value(query, "unique").as_deref() {
            None => Ok(None),
            Some("exit") => Ok(Some(Unique::Exit)),
            Some("ip") => Ok(Some(Unique::Ip)),
            Some(_) => Err(Refusal::Unique),
        }
    }

    fn place(self, proxy: &Proxy) -> Place<'_> {
        match (self, proxy.exit, &proxy.candidate.host) {
            (Unique::Exit, Some(exit), _) => Place::Ip(exit.ip.to_canonical()),
            (_, _, Host::Name(name)) => Place::Name(name),
            (_, _, host) => host.ip().map_or(Place::Name(""), Place::Ip),
        }
    }
}

/// The places of the proxies in one answer.
#[derive(Debug)]
pub(super) struct Seen<'p> {
    unique: Option<Unique>,
    places: HashSet<Place<'p>>,
}

impl<'p> Seen<'p> {
    /// None yet; without `unique`, no two are ever alike.
    pub(super) fn new(unique: Option<Unique>) -> Seen<'p> {
        Seen {
            unique,
            places: HashSet::new(),
        }
    }

    /// Whether the answer has none like `proxy`, which is then in it.
    pub(super) fn is_new(&mut self, proxy: &'p Proxy) -> bool {
        let unique = self.unique;
        unique.is_none_or(|unique| self.places.insert(unique.place(proxy)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::testing::proxies;
    use proxy_shards::{Anonymity, Exit};

    /// Whether each of these proxies, with its exit, is let through.
    fn check(unique: Unique, given: &[(&str, &str)], expected: &[bool]) {
        let urls: Vec<&str> = given.iter().map(|(url, _)| *url).collect();
        let mut all = proxies(&urls);
        for (proxy, (_, exit)) in all.iter_mut().zip(given) {
            proxy.exit = exit.parse().ok().map(|ip| Exit {
                ip,
                anonymity: Anonymity::Elite,
            });
        }
        let mut seen = Seen::new(Some(unique));
        let new: Vec<bool> = all.iter().map(|proxy| seen.is_new(proxy)).collect();
        assert_eq!(new, expected);
    }

    #[test]
    fn of_one_host_there_is_one_whatever_the_port_the_protocol_and_the_exit() {
        let given = [
            ("http://1.1.1.1:80", "9.9.9.9"),
            ("socks5://1.1.1.1:1080", "8.8.8.8"),
            ("http://2.2.2.2:80", "9.9.9.9"),
            ("http://a.example:80", ""),
            ("http://A.example:81", ""),
            ("http://[2001:db8::1]:80", ""),
            ("http://[2001:db8::2]:80", ""),
        ];
        check(
            Unique::Ip,
            &given,
            &[true, false, true, true, false, true, true],
        );
    }

    #[test]
    fn of_one_exit_there_is_one_and_an_unknown_exit_is_the_host() {
        let given = [
            ("http://1.1.1.1:80", "9.9.9.9"),
            ("http://2.2.2.2:80", "9.9.9.9"),
            ("http://1.1.1.1:81", "8.8.8.8"),
            ("http://9.9.9.9:80", ""),
            ("http://3.3.3.3:80", ""),
            ("http://3.3.3.3:81", ""),
            ("http://a.example:80", ""),
        ];
        check(
            Unique::Exit,
            &given,
            &[true, false, true, false, true, false, true],
        );
    }
}
