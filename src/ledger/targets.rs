//! The targets that the bits of a candidate stand for.

use super::Ledger;
use super::judge::Goal;
use proxy_shards::{ProbePolicy, Protocol, Require, Targets, Works};

impl Ledger {
    /// The names of the targets, in the order of the bits.
    pub fn targets(&self) -> &[Box<str>] {
        &self.targets
    }

    /// The first policy. `restored`: the targets that the bits of what was restored stand for. If they
    /// are not known and there is one target, it is that one; of several, nothing is known.
    pub fn aim_restored(&mut self, restored: &[Box<str>], policy: &ProbePolicy) {
        self.aim(policy);
        let places = match (restored, &self.targets[..]) {
            ([], [_]) => vec![Some(0)],
            (old, new) => moved(old, new),
        };
        self.renumber(&places);
    }

    /// These are the targets from now on. What was reached of those that were there before, by name,
    /// is still known.
    pub fn aim(&mut self, policy: &ProbePolicy) {
        let names = policy.targets.iter().map(|t| t.name.clone()).collect();
        self.aim_at(names, policy.require);
    }

    /// The same, by their names and how many of them make a proxy alive.
    pub fn aim_at(&mut self, names: Vec<Box<str>>, require: Require) {
        self.goal = Goal {
            require,
            count: names.len(),
        };
        let old = std::mem::replace(&mut self.targets, names);
        if !old.is_empty() && old != self.targets {
            self.renumber(&moved(&old, &self.targets));
        }
    }

    /// `places` has the old place of each target.
    fn renumber(&mut self, places: &[Option<usize>]) {
        for life in self.lives.iter_mut() {
            let mut works = Works::default();
            for protocol in Protocol::ALL {
                works.set(protocol, renumbered(life.works.by(protocol), places));
            }
            life.works = works;
        }
        self.feedback.renumber(places);
    }
}

/// For each new name, the place that it had, if it had one.
pub(crate) fn moved(old: &[Box<str>], new: &[Box<str>]) -> Vec<Option<usize>> {
    let place = |name| old.iter().position(|old| old == name);
    new.iter().map(place).collect()
}

/// `targets` by their new places.
pub(crate) fn renumbered(targets: Targets, places: &[Option<usize>]) -> Targets {
    let had = |(_, place): &(usize, &Option<usize>)| place.is_some_and(|p| targets.contains(p));
    let kept = places.iter().enumerate().filter(had);
    kept.fold(Targets::NONE, |kept, (new, _)| kept.with(new))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_follow_the_names_of_their_targets() {
        let names = |text: &str| -> Vec<Box<str>> { text.split(' ').map(Box::from).collect() };
        let places = moved(&names("a b c"), &names("c x a"));
        let bits = |bits| renumbered(Targets::from_bits(bits), &places).bits();
        assert_eq!(
            [0b001, 0b010, 0b100, 0b111].map(bits),
            [0b100, 0, 0b001, 0b101]
        );
    }
}
