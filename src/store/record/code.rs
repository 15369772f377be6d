//! The codes of what is stored as one byte: never change one, only add.

use proxy_shards::{Anonymity, Protocol, Scheme, Verdict};

pub(super) const HOST_V4: u8 = 4;
pub(super) const HOST_V6: u8 = 6;
pub(super) const HOST_NAME: u8 = 1;
pub(super) const LOGIN_NONE: u8 = 0;
pub(super) const LOGIN_PASSWORD: u8 = 1;
pub(super) const VERDICT_NONE: u8 = 0;
pub(super) const LIFE_NONE: u8 = 0;
pub(super) const LIFE: u8 = 1;
pub(super) const EXIT_NONE: u8 = 0;
pub(super) const EXIT_V4: u8 = 4;
pub(super) const EXIT_V6: u8 = 6;

/// The protocols in the order in which their targets are stored.
pub(super) const WORKS: [Protocol; 4] = [
    Protocol::Http,
    Protocol::Https,
    Protocol::Socks4,
    Protocol::Socks5,
];

pub(super) const fn scheme(scheme: Scheme) -> u8 {
    match scheme {
        Scheme::Http => 1,
        Scheme::Socks4 => 2,
        Scheme::Socks5 => 3,
        Scheme::Https => 4,
        Scheme::Auto => 5,
    }
}

pub(super) fn scheme_of(code: u8) -> Option<Scheme> {
    Scheme::ALL.into_iter().find(|&s| scheme(s) == code)
}

pub(super) const fn anonymity(anonymity: Anonymity) -> u8 {
    match anonymity {
        Anonymity::Transparent => 1,
        Anonymity::Anonymous => 2,
        Anonymity::Elite => 3,
    }
}

pub(super) fn anonymity_of(code: u8) -> Option<Anonymity> {
    Anonymity::ALL.into_iter().find(|&a| anonymity(a) == code)
}

pub(super) const fn verdict(verdict: Verdict) -> u8 {
    match verdict {
        Verdict::Alive => 1,
        Verdict::Refused => 2,
        Verdict::Unreachable => 3,
        Verdict::Reset => 4,
        Verdict::ConnectTimeout => 5,
        Verdict::HandshakeTimeout => 6,
        Verdict::ResponseTimeout => 7,
        Verdict::Closed => 8,
        Verdict::BadProtocol => 9,
        Verdict::AuthRequired => 10,
        Verdict::Denied => 11,
        Verdict::WrongStatus => 12,
        Verdict::OwnPage => 13,
        Verdict::Redirected => 14,
        Verdict::TlsIntercepted => 15,
        Verdict::Tampered => 16,
        Verdict::TooLarge => 17,
        Verdict::LocalDescriptors => 18,
        Verdict::LocalPorts => 19,
        Verdict::LocalMemory => 20,
        Verdict::LocalNetwork => 21,
        Verdict::LocalNames => 22,
        Verdict::LocalCancelled => 23,
        Verdict::LocalFault => 24,
        Verdict::LocalTarget => 25,
        Verdict::LocalLate => 26,
    }
}

pub(super) fn verdict_of(code: u8) -> Option<Verdict> {
    Verdict::ALL.into_iter().find(|&v| verdict(v) == code)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The codes as they are in stores out there, each beside its label: a row is never changed.
    const STORED: [(u8, &str); 26] = [
        (1, "alive"),
        (2, "refused"),
        (3, "unreachable"),
        (4, "reset"),
        (5, "connect_timeout"),
        (6, "handshake_timeout"),
        (7, "response_timeout"),
        (8, "closed"),
        (9, "bad_protocol"),
        (10, "auth_required"),
        (11, "denied"),
        (12, "wrong_status"),
        (13, "own_page"),
        (14, "redirected"),
        (15, "tls_intercepted"),
        (16, "tampered"),
        (17, "too_large"),
        (18, "local_descriptors"),
        (19, "local_ports"),
        (20, "local_memory"),
        (21, "local_network"),
        (22, "local_names"),
        (23, "local_cancelled"),
        (24, "local_fault"),
        (25, "local_target"),
        (26, "local_late"),
    ];

    #[test]
    fn a_stored_code_means_the_same_for_ever() {
        for (code, label) in STORED {
            assert_eq!(verdict_of(code).map(Verdict::label), Some(label));
        }
        assert_eq!(STORED.len(), Verdict::COUNT);
        assert_eq!(Scheme::ALL.map(scheme), [5, 1, 4, 2, 3]);
        assert_eq!(Anonymity::ALL.map(anonymity), [1, 2, 3]);
        let works = WORKS.map(Protocol::label);
        assert_eq!(works, ["http", "https", "socks4", "socks5"]);
        assert_eq!(WORKS.len(), Protocol::ALL.len());
    }

    #[test]
    fn a_code_that_stands_for_nothing_is_nothing() {
        for code in [0, 27, u8::MAX] {
            assert_eq!(verdict_of(code), None);
            assert_eq!((scheme_of(code), anonymity_of(code)), (None, None));
        }
    }
}
