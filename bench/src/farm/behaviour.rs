//! How a mock proxy behaves: a row of the table, and what is true of it.

use super::aim::{Aim, Listing};
use super::table::{Door, ROWS, Row};
use super::verdicts;
use std::fmt;
use std::time::Duration;

/// How a mock proxy behaves: what it speaks, how it is listed and what it does. Closed set; its
/// number is part of the proxy's address, its label the word in truth files.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Behaviour(u8);

/// Those that code asks for by name; [`Behaviour::meaning`] says what each does.
#[expect(missing_docs, reason = "`Behaviour::meaning` says it, once")]
#[expect(non_upper_case_globals, reason = "they stand for variants")]
impl Behaviour {
    pub const Forwards: Behaviour = named("forwards");
    pub const ForwardsAuth: Behaviour = named("forwards_auth");
    pub const ForwardsAuthBare: Behaviour = named("forwards_auth_bare");
    pub const ForwardsAuthWrong: Behaviour = named("forwards_auth_wrong");
    pub const Refuses: Behaviour = named("refuses");
    pub const Silent: Behaviour = named("silent");
    pub const Mute: Behaviour = named("mute");
    pub const ClosesAtOnce: Behaviour = named("closes_at_once");
    pub const Resets: Behaviour = named("resets");
    pub const Garbage: Behaviour = named("garbage");
    pub const OwnPage: Behaviour = named("own_page");
    pub const BadGateway: Behaviour = named("bad_gateway");
    pub const Forbidden: Behaviour = named("forbidden");
    pub const AsksAuth: Behaviour = named("asks_auth");
    pub const Redirects: Behaviour = named("redirects");
    pub const Late: Behaviour = named("late");
    pub const Drips: Behaviour = named("drips");
    pub const EndlessHeaders: Behaviour = named("endless_headers");
    pub const EndlessBody: Behaviour = named("endless_body");
    pub const BlackHole: Behaviour = named("black_hole");
    pub const GetOnly: Behaviour = named("get_only");
    pub const Https: Behaviour = named("https");
    pub const Socks5: Behaviour = named("socks5");
    pub const Socks5Auth: Behaviour = named("socks5_auth");
    pub const Socks5AuthBare: Behaviour = named("socks5_auth_bare");
    pub const Socks5Denies: Behaviour = named("socks5_denies");
    pub const Socks4: Behaviour = named("socks4");
    pub const Socks5AsHttp: Behaviour = named("socks5_as_http");
    pub const Socks4AsHttp: Behaviour = named("socks4_as_http");
    pub const HttpAsSocks5: Behaviour = named("http_as_socks5");
    pub const Mixed: Behaviour = named("mixed");
    pub const Tampers: Behaviour = named("tampers");
    pub const Transparent: Behaviour = named("transparent");
    pub const Anonymous: Behaviour = named("anonymous");
    pub const ImitatesJudge: Behaviour = named("imitates_judge");
    pub const Intercepts: Behaviour = named("intercepts");
}

/// The behaviour of a label that is in the table; another one does not compile.
const fn named(label: &str) -> Behaviour {
    let mut index = 0;
    while index < ROWS.len() {
        if is_same(ROWS[index].label.as_bytes(), label.as_bytes()) {
            return Behaviour(index as u8);
        }
        index += 1;
    }
    panic!("no row has this label")
}

const fn is_same(one: &[u8], other: &[u8]) -> bool {
    let mut at = 0;
    while at < one.len() && at < other.len() && one[at] == other[at] {
        at += 1;
    }
    at == one.len() && at == other.len()
}

impl Behaviour {
    /// Every behaviour.
    pub const ALL: [Behaviour; ROWS.len()] = {
        let mut all = [Behaviour(0); ROWS.len()];
        let mut index = 0;
        while index < all.len() {
            all[index] = Behaviour(index as u8);
            index += 1;
        }
        all
    };

    /// The number of behaviours.
    pub const COUNT: usize = ROWS.len();

    /// The one word for this behaviour in truth files and on the command line.
    pub const fn label(self) -> &'static str {
        self.row().label
    }

    /// The behaviour that `label` names.
    pub fn from_label(label: &str) -> Option<Behaviour> {
        Self::ALL.into_iter().find(|b| b.label() == label)
    }

    /// One line: what it does.
    pub const fn meaning(self) -> &'static str {
        self.row().meaning
    }

    /// The verdict label that a check for `aim` of this proxy, listed with its scheme, must end
    /// with, under a deadline of more than 1.5 s (`late`) and caps that an endless answer passes
    /// before it (`endless_*`).
    pub fn verdict(self, aim: Aim) -> &'static str {
        let verdicts = self.verdicts(aim, Listing::Schemed);
        verdicts.first().copied().unwrap_or_default()
    }

    /// The same for any listing. There are several where each protocol that is tried ends in
    /// another failure, and none of them says more than the others.
    pub fn verdicts(self, aim: Aim, listing: Listing) -> Vec<&'static str> {
        verdicts::of(self.row(), aim, listing)
    }

    /// The labels of the protocols that work.
    pub fn protocols(self, aim: Aim, listing: Listing) -> Vec<&'static str> {
        verdicts::protocols(self.row(), aim, listing)
    }

    /// How much of its client a judge sees, if the proxy works.
    pub fn anonymity(self, aim: Aim) -> Option<&'static str> {
        verdicts::anonymity(self.row(), aim)
    }

    /// Least time until the answer comes.
    pub const fn thinks(self) -> Duration {
        self.row().deed.thinks()
    }

    /// The place in [`Behaviour::ALL`].
    pub(super) const fn index(self) -> usize {
        self.0 as usize
    }

    pub(super) const fn row(self) -> &'static Row {
        &ROWS[self.index()]
    }

    pub(super) const fn door(self) -> Door {
        self.row().door()
    }

    /// What stands before the host in a list: scheme and credentials.
    pub(super) fn prefix(self, listing: Listing) -> String {
        let userinfo = self.row().login.userinfo();
        match listing {
            Listing::Schemed => format!("{}://{userinfo}", self.row().scheme.label()),
            Listing::Auto => userinfo.to_owned(),
        }
    }
}

impl fmt::Debug for Behaviour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.label())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn every_behaviour_is_found_by_its_index_and_by_its_label() {
        let labels: HashSet<_> = Behaviour::ALL.iter().map(|b| b.label()).collect();
        assert_eq!(labels.len(), Behaviour::COUNT);
        for (index, behaviour) in Behaviour::ALL.into_iter().enumerate() {
            assert_eq!(behaviour.index(), index);
            assert_eq!(Behaviour::from_label(behaviour.label()), Some(behaviour));
            assert!(!behaviour.meaning().is_empty());
        }
    }
}
