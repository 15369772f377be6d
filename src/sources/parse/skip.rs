//! Why a piece of a list is not a candidate: the closed vocabulary, and counts of it.

use std::fmt;

/// Why a piece of a list is not a candidate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Skip {
    /// Already read from this list.
    Duplicate,
    /// Looks like a proxy, but the host is neither an address nor a name.
    BadHost,
    /// The port is missing, 0 or above 65535.
    BadPort,
    /// The protocol that is named is none of ours.
    BadScheme,
    /// The credentials cannot be read.
    BadCredentials,
    /// The address is not public and not allowed, or it is denied.
    NotPublic,
    /// The port is denied.
    DeniedPort,
    /// A run of bytes too long to be a proxy.
    TooLong,
    /// Anything else on a line that held no candidate.
    Noise,
}

impl Skip {
    /// Every reason, in the order of `skip as usize`.
    pub const ALL: [Skip; 9] = [
        Skip::Duplicate,
        Skip::BadHost,
        Skip::BadPort,
        Skip::BadScheme,
        Skip::BadCredentials,
        Skip::NotPublic,
        Skip::DeniedPort,
        Skip::TooLong,
        Skip::Noise,
    ];

    /// The one word for this reason in JSON, metrics and messages.
    pub const fn label(self) -> &'static str {
        match self {
            Skip::Duplicate => "duplicate",
            Skip::BadHost => "bad_host",
            Skip::BadPort => "bad_port",
            Skip::BadScheme => "bad_scheme",
            Skip::BadCredentials => "bad_credentials",
            Skip::NotPublic => "not_public",
            Skip::DeniedPort => "denied_port",
            Skip::TooLong => "too_long",
            Skip::Noise => "noise",
        }
    }

    /// What it means, in one line.
    pub const fn meaning(self) -> &'static str {
        match self {
            Skip::Duplicate => "listed before",
            Skip::BadHost => "the host is neither an address nor a name; IPv6 goes in brackets",
            Skip::BadPort => "the port is missing, 0 or above 65535",
            Skip::BadScheme => "the protocol is not http, https, socks4 or socks5",
            Skip::BadCredentials => "user and password cannot be told from the rest",
            Skip::NotPublic => "the address is not public and not allowed, or it is denied",
            Skip::DeniedPort => "the port is denied",
            Skip::TooLong => "a run of bytes too long to be a proxy",
            Skip::Noise => "a line without anything that looks like a proxy",
        }
    }
}

/// How many pieces were skipped, by reason: indexed by `skip as usize`.
pub type Skipped = [u64; Skip::ALL.len()];

/// `skipped` in words: `bad_port 3, noise 12`; nothing if all are zero.
pub fn describe(skipped: &Skipped) -> impl fmt::Display + '_ {
    fmt::from_fn(move |f| {
        let counted = Skip::ALL
            .into_iter()
            .filter(|skip| skipped[*skip as usize] > 0);
        for (place, skip) in counted.enumerate() {
            let comma = if place == 0 { "" } else { ", " };
            write!(f, "{comma}{} {}", skip.label(), skipped[skip as usize])?;
        }
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn every_reason_has_its_own_place_label_and_meaning() {
        for (place, skip) in Skip::ALL.into_iter().enumerate() {
            assert_eq!(skip as usize, place, "{skip:?}");
        }
        let labels: HashSet<_> = Skip::ALL.iter().map(|s| s.label()).collect();
        let meanings: HashSet<_> = Skip::ALL.iter().map(|s| s.meaning()).collect();
        assert_eq!((labels.len(), meanings.len()), (9, 9));
    }

    #[test]
    fn counts_are_told_in_words() {
        let mut skipped = Skipped::default();
        assert_eq!(describe(&skipped).to_string(), "");
        skipped[Skip::Noise as usize] = 12;
        skipped[Skip::BadPort as usize] = 3;
        assert_eq!(describe(&skipped).to_string(), "bad_port 3, noise 12");
    }
}
