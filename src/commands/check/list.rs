//! The candidates of one check: read from every input, unique, with the address of each.

use crate::commands::status::Failure;
use hashbrown::HashSet;
use proxy_shards::{Candidate, Host, Verdict};
use std::collections::HashMap;
use std::io::Write;
use std::net::{IpAddr, SocketAddr};

/// The candidates of one check. They are told apart by index, in 32 bits.
#[derive(Debug, Default)]
pub(super) struct List {
    candidates: Vec<Candidate>,
    /// What became of the host names; only for candidates that have one.
    names: HashMap<Box<str>, Result<IpAddr, Verdict>>,
}

impl List {
    /// Reads every input with `read`, which adds what no input before had. One that fails is a
    /// warning as long as another one gives proxies.
    pub(super) fn gather<I>(
        inputs: &[I],
        mut read: impl FnMut(&I, &mut Vec<Candidate>) -> Result<(), String>,
        err: &mut dyn Write,
    ) -> Result<List, Failure> {
        let mut candidates = Vec::new();
        let mut failures = Vec::new();
        for input in inputs {
            failures.extend(read(input, &mut candidates).err());
        }
        if candidates.is_empty() {
            return Err(Failure::Failed(failures.join("\nproxy-checker: error: ")));
        }
        if u32::try_from(candidates.len()).is_err() {
            let message = "more than 4 294 967 295 proxies: check the lists in parts";
            return Err(Failure::Failed(message.into()));
        }
        for failure in failures {
            // Without stderr there is nobody to warn.
            let _ = writeln!(err, "proxy-checker: warning: {failure}");
        }
        Ok(List {
            candidates,
            names: HashMap::new(),
        })
    }

    pub(super) fn len(&self) -> usize {
        self.candidates.len()
    }

    pub(super) fn candidate(&self, index: u32) -> &Candidate {
        &self.candidates[index as usize]
    }

    /// Every candidate with its index.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u32, &Candidate)> {
        (0..).zip(&self.candidates)
    }

    /// The host names that stand for an address, each once.
    pub(super) fn host_names(&self) -> Vec<Box<str>> {
        let names = self.candidates.iter().filter_map(|c| match &c.host {
            Host::Name(name) => Some(name),
            Host::V4(_) | Host::V6(_) => None,
        });
        let unique: HashSet<&Box<str>> = names.collect();
        unique.into_iter().cloned().collect()
    }

    /// Takes what the host names resolved to: the first address that `allows` dialling is used.
    pub(super) fn resolved(
        &mut self,
        found: HashMap<Box<str>, Vec<IpAddr>>,
        allows: impl Fn(IpAddr) -> bool,
    ) {
        let choose = |ips: Vec<IpAddr>| match ips.iter().find(|ip| allows(**ip)) {
            Some(ip) => Ok(*ip),
            None if ips.is_empty() => Err(Verdict::LocalNames),
            None => Err(Verdict::LocalNetwork),
        };
        self.names = found
            .into_iter()
            .map(|(name, ips)| (name, choose(ips)))
            .collect();
    }

    /// Where `candidate` is dialled, or why it cannot be.
    pub(super) fn address(&self, candidate: &Candidate) -> Result<SocketAddr, Verdict> {
        let ip = match &candidate.host {
            Host::V4(ip) => IpAddr::V4(*ip),
            Host::V6(ip) => IpAddr::V6(*ip),
            Host::Name(name) => self
                .names
                .get(name)
                .copied()
                .unwrap_or(Err(Verdict::LocalNames))?,
        };
        Ok(SocketAddr::new(ip, candidate.port))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each input is a text of URLs, or the words of its failure.
    fn gather(inputs: &[Result<&str, &str>]) -> (Result<List, Failure>, String) {
        let read = |input: &Result<&str, &str>, candidates: &mut Vec<Candidate>| {
            let urls = input.map_err(String::from)?;
            candidates.extend(
                urls.split_whitespace()
                    .map(|url| url.parse::<Candidate>().unwrap()),
            );
            Ok(())
        };
        let mut err = Vec::new();
        let list = List::gather(inputs, read, &mut err);
        (list, String::from_utf8(err).unwrap())
    }

    #[test]
    fn an_input_that_fails_is_a_warning_while_another_one_works() {
        let (list, err) = gather(&[Err("a.txt: gone"), Ok("http://1.1.1.1:80")]);
        assert_eq!(list.unwrap().len(), 1);
        assert_eq!(err, "proxy-checker: warning: a.txt: gone\n");
    }

    #[test]
    fn when_every_input_fails_each_is_named() {
        let (list, _) = gather(&[Err("a.txt: gone"), Err("b.txt: gone")]);
        let Err(Failure::Failed(text)) = list else {
            panic!("{list:?}");
        };
        assert!(
            text.contains("a.txt: gone") && text.contains("b.txt: gone"),
            "{text}"
        );
    }

    #[test]
    fn a_name_is_dialled_at_its_first_allowed_address() {
        let mut list = gather(&[Ok(
            "http://a.test:80 http://b.test:80 http://c.test:80 http://a.test:81",
        )])
        .0
        .unwrap();
        let mut names = list.host_names();
        names.sort();
        assert_eq!(names, ["a.test", "b.test", "c.test"].map(Box::from));

        let ips = |texts: &[&str]| texts.iter().map(|t| t.parse().unwrap()).collect();
        let found = HashMap::from([
            ("a.test".into(), ips(&["10.0.0.1", "8.8.8.8"])),
            ("b.test".into(), ips(&["10.0.0.1"])),
            ("c.test".into(), ips(&[])),
        ]);
        list.resolved(found, |ip| ip.to_string() != "10.0.0.1");
        let addresses: Vec<_> = list.iter().map(|(_, c)| list.address(c)).collect();
        let expected = [
            Ok("8.8.8.8:80".parse().unwrap()),
            Err(Verdict::LocalNetwork),
            Err(Verdict::LocalNames),
            Ok("8.8.8.8:81".parse().unwrap()),
        ];
        assert_eq!(addresses, expected);
    }
}
