//! Which targets a proxy reached, and by which protocol: small sets, and what of them makes it alive.

use crate::Protocol;

/// Most targets that one policy has: a set of them is one byte.
pub const TARGETS_MAX: usize = 8;

/// A set of protocols.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Protocols(u8);

impl Protocols {
    /// None.
    pub const NONE: Protocols = Protocols(0);
    /// Every protocol.
    pub const ALL: Protocols = Protocols((1 << Protocol::ALL.len()) - 1);

    /// Only this one.
    pub const fn only(protocol: Protocol) -> Protocols {
        Protocols(1 << protocol as u8)
    }

    /// This set, and `protocol`.
    #[must_use]
    pub const fn with(self, protocol: Protocol) -> Protocols {
        Protocols(self.0 | 1 << protocol as u8)
    }

    /// Whether `protocol` is among them.
    pub const fn contains(self, protocol: Protocol) -> bool {
        self.0 & 1 << protocol as u8 != 0
    }

    /// Whether there is none.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// How many there are.
    pub const fn len(self) -> usize {
        self.0.count_ones() as usize
    }

    /// Them, in the order in which they are tried on `port`: what is usual there first.
    pub fn in_order(self, port: u16) -> impl Iterator<Item = Protocol> {
        let usual = Protocol::usual(port);
        const REST: [Protocol; 4] = [
            Protocol::Http,
            Protocol::Socks5,
            Protocol::Socks4,
            Protocol::Https,
        ];
        std::iter::once(usual)
            .chain(REST.into_iter().filter(move |&p| p != usual))
            .filter(move |&p| self.contains(p))
    }
}

impl FromIterator<Protocol> for Protocols {
    fn from_iter<I: IntoIterator<Item = Protocol>>(protocols: I) -> Protocols {
        protocols.into_iter().fold(Protocols::NONE, Protocols::with)
    }
}

/// A set of targets, by their place in the policy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Targets(u8);

impl Targets {
    /// None.
    pub const NONE: Targets = Targets(0);

    /// The first `count` of them, at most [`TARGETS_MAX`].
    pub const fn first(count: usize) -> Targets {
        match count {
            0..TARGETS_MAX => Targets((1u8 << count) - 1),
            _ => Targets(u8::MAX),
        }
    }

    /// The set whose bit `n` stands for the target `n`.
    pub const fn from_bits(bits: u8) -> Targets {
        Targets(bits)
    }

    /// Bit `n` stands for the target `n`.
    pub const fn bits(self) -> u8 {
        self.0
    }

    /// This set, and the target `place`.
    #[must_use]
    pub const fn with(self, place: usize) -> Targets {
        Targets(self.0 | 1 << place)
    }

    /// Whether the target `place` is among them.
    pub const fn contains(self, place: usize) -> bool {
        place < TARGETS_MAX && self.0 & 1 << place != 0
    }

    /// Whether there is none.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Those that are in both.
    #[must_use]
    pub const fn and(self, other: Targets) -> Targets {
        Targets(self.0 & other.0)
    }

    /// Those that are in either.
    #[must_use]
    pub const fn or(self, other: Targets) -> Targets {
        Targets(self.0 | other.0)
    }

    /// Those that are not in `other`.
    #[must_use]
    pub const fn without(self, other: Targets) -> Targets {
        Targets(self.0 & !other.0)
    }

    /// Their places.
    pub fn iter(self) -> impl Iterator<Item = usize> {
        (0..TARGETS_MAX).filter(move |&place| self.contains(place))
    }
}

/// How many of the targets a proxy must reach to be alive.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Require {
    /// At least one.
    Any,
    /// Every one.
    #[default]
    All,
}

impl Require {
    /// Whether `reached`, of `count` targets, is enough.
    pub fn is_met(self, reached: Targets, count: usize) -> bool {
        let all = Targets::first(count);
        match self {
            Require::Any => !reached.and(all).is_empty(),
            Require::All => reached.and(all) == all,
        }
    }
}

/// Which targets were reached by which protocol.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Works([Targets; Protocol::ALL.len()]);

impl Works {
    /// What `protocol` reached.
    pub const fn by(self, protocol: Protocol) -> Targets {
        self.0[protocol as usize]
    }

    /// Replaces what `protocol` reached.
    pub fn set(&mut self, protocol: Protocol, reached: Targets) {
        self.0[protocol as usize] = reached;
    }

    /// The protocols that reached enough of `count` targets.
    pub fn enough(self, require: Require, count: usize) -> Protocols {
        Protocol::ALL
            .into_iter()
            .filter(|&p| require.is_met(self.by(p), count))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_usual_on_a_port_is_tried_first_and_nothing_twice() {
        let order = |port| Protocols::ALL.in_order(port).collect::<Vec<_>>();
        assert_eq!(order(1080)[0], Protocol::Socks5);
        assert_eq!(order(443)[0], Protocol::Https);
        assert_eq!(order(8080)[0], Protocol::Http);
        for port in [443, 1080, 8080] {
            assert_eq!(order(port).len(), 4);
            assert_eq!(
                order(port).into_iter().collect::<Protocols>(),
                Protocols::ALL
            );
        }
        let some = Protocols::only(Protocol::Socks4).with(Protocol::Http);
        assert!(some.in_order(1080).eq([Protocol::Http, Protocol::Socks4]));
    }

    #[test]
    fn any_target_or_all_of_them_make_a_proxy_alive() {
        let mut works = Works::default();
        works.set(Protocol::Http, Targets::NONE.with(1));
        works.set(Protocol::Socks5, Targets::first(2));
        let socks = Protocols::only(Protocol::Socks5);
        assert_eq!(works.enough(Require::All, 2), socks);
        assert_eq!(works.enough(Require::Any, 2), socks.with(Protocol::Http));
        assert_eq!(works.enough(Require::Any, 1), socks, "the target 1 is gone");
    }

    #[test]
    fn eight_targets_fill_the_byte() {
        assert_eq!(Targets::first(TARGETS_MAX).iter().count(), 8);
        assert_eq!(Targets::first(3).bits(), 0b111);
        assert!(!Targets::first(8).contains(8));
    }
}
