//! What a mock proxy does and the verdict it must get: one row for each behaviour.

/// What a target's answer is expected to be; the truth about a behaviour may depend on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Expect {
    /// Status 204 and an empty body.
    NoContent,
    /// Status 200 and [`super::TARGET_BODY`].
    KnownBody,
}

/// How a mock proxy behaves. Closed set: the discriminant is part of the proxy's address, the label
/// is the word in truth files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
#[expect(missing_docs, reason = "`Behaviour::meaning` says it, once")]
pub enum Behaviour {
    Forwards,
    ForwardsAuth,
    ForwardsAuthBare,
    ForwardsAuthWrong,
    Refuses,
    Silent,
    Mute,
    ClosesAtOnce,
    Resets,
    Garbage,
    OwnPage,
    BadGateway,
    Forbidden,
    AsksAuth,
    Redirects,
    Late,
    Drips,
    EndlessHeaders,
    EndlessBody,
    BlackHole,
    Socks5,
    Socks5Auth,
    Socks5AuthBare,
    Socks5Denies,
    Socks4,
    Socks5AsHttp,
    Socks4AsHttp,
    HttpAsSocks5,
}

/// Which port a behaviour lives on: where the kernel itself must behave differently, another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Door {
    /// Accepts at once.
    Open,
    /// Accepts too; those who stay for long must not crowd out the others.
    Slow,
    /// Lets connections stand in the kernel's queue.
    Silent,
    /// Its queue is full: SYNs are dropped.
    BlackHole,
    /// Bound, but nobody listens: SYNs are answered with RST.
    Refuses,
}

impl Door {
    pub(super) const COUNT: usize = 5;
}

/// How a proxy is written in a list: scheme and credentials.
const HTTP: &str = "http://";
const HTTP_USER: &str = "http://user:pass@";
const HTTP_WRONG: &str = "http://user:wrong@";
const SOCKS5: &str = "socks5://";
const SOCKS5_USER: &str = "socks5://user:pass@";
const SOCKS4: &str = "socks4://";

struct Row {
    label: &'static str,
    meaning: &'static str,
    door: Door,
    listed_as: &'static str,
    verdict: &'static str,
}

const fn row(
    label: &'static str,
    door: Door,
    listed_as: &'static str,
    verdict: &'static str,
    meaning: &'static str,
) -> Row {
    Row {
        label,
        meaning,
        door,
        listed_as,
        verdict,
    }
}

impl Behaviour {
    /// Every behaviour, in declaration order: `ALL[b as usize] == b`.
    pub const ALL: [Behaviour; 28] = {
        use Behaviour::*;
        [
            Forwards,
            ForwardsAuth,
            ForwardsAuthBare,
            ForwardsAuthWrong,
            Refuses,
            Silent,
            Mute,
            ClosesAtOnce,
            Resets,
            Garbage,
            OwnPage,
            BadGateway,
            Forbidden,
            AsksAuth,
            Redirects,
            Late,
            Drips,
            EndlessHeaders,
            EndlessBody,
            BlackHole,
            Socks5,
            Socks5Auth,
            Socks5AuthBare,
            Socks5Denies,
            Socks4,
            Socks5AsHttp,
            Socks4AsHttp,
            HttpAsSocks5,
        ]
    };

    /// The number of behaviours.
    pub const COUNT: usize = Self::ALL.len();

    #[rustfmt::skip] // a table: one behaviour a line
    const fn row(self) -> Row {
        use Door::{BlackHole, Open, Refuses, Silent, Slow};
        match self {
            Self::Forwards => row("forwards", Open, HTTP, "alive", "an HTTP proxy as it should be, CONNECT included"),
            Self::ForwardsAuth => row("forwards_auth", Open, HTTP_USER, "alive", "forwards for user:pass, which the list gives"),
            Self::ForwardsAuthBare => row("forwards_auth_bare", Open, HTTP, "auth_required", "forwards for user:pass, listed without credentials"),
            Self::ForwardsAuthWrong => row("forwards_auth_wrong", Open, HTTP_WRONG, "auth_required", "forwards for user:pass, listed with a wrong password"),
            Self::Refuses => row("refuses", Refuses, HTTP, "refused", "nobody listens: the SYN is answered with RST"),
            Self::Silent => row("silent", Silent, HTTP, "response_timeout", "the connection stands in the kernel's queue and is never served"),
            Self::Mute => row("mute", Slow, HTTP, "response_timeout", "accepts and never reads nor answers"),
            Self::ClosesAtOnce => row("closes_at_once", Open, HTTP, "closed", "sends FIN as soon as the connection stands"),
            Self::Resets => row("resets", Open, HTTP, "reset", "answers the request with RST"),
            Self::Garbage => row("garbage", Open, HTTP, "bad_protocol", "answers with bytes that are no protocol"),
            Self::OwnPage => row("own_page", Open, HTTP, "own_page", "200 and a page of its own, whatever is asked"),
            Self::BadGateway => row("bad_gateway", Open, HTTP, "wrong_status", "502 to every request"),
            Self::Forbidden => row("forbidden", Open, HTTP, "wrong_status", "403 to every request"),
            Self::AsksAuth => row("asks_auth", Open, HTTP, "auth_required", "407 to every request, whatever the credentials"),
            Self::Redirects => row("redirects", Open, HTTP, "redirected", "302 to a login page"),
            Self::Late => row("late", Open, HTTP, "alive", "forwards, but thinks for 1.5 s before the answer"),
            Self::Drips => row("drips", Slow, HTTP, "response_timeout", "a byte a second of a head that never ends"),
            Self::EndlessHeaders => row("endless_headers", Open, HTTP, "too_large", "header lines for ever, as fast as they are read"),
            Self::EndlessBody => row("endless_body", Open, HTTP, "too_large", "200 and then a body for ever, as fast as it is read"),
            Self::BlackHole => row("black_hole", BlackHole, HTTP, "connect_timeout", "the SYN is dropped"),
            Self::Socks5 => row("socks5", Open, SOCKS5, "alive", "a SOCKS 5 proxy that wants no credentials, and takes user:pass"),
            Self::Socks5Auth => row("socks5_auth", Open, SOCKS5_USER, "alive", "a SOCKS 5 proxy that wants user:pass, which the list gives"),
            Self::Socks5AuthBare => row("socks5_auth_bare", Open, SOCKS5, "auth_required", "a SOCKS 5 proxy that wants user:pass, listed without"),
            Self::Socks5Denies => row("socks5_denies", Open, SOCKS5, "denied", "a SOCKS 5 proxy whose rules allow no connection"),
            Self::Socks4 => row("socks4", Open, SOCKS4, "alive", "a SOCKS 4 and 4a proxy"),
            Self::Socks5AsHttp => row("socks5_as_http", Open, HTTP, "bad_protocol", "a SOCKS 5 proxy listed as an HTTP one"),
            Self::Socks4AsHttp => row("socks4_as_http", Open, HTTP, "bad_protocol", "a SOCKS 4 proxy listed as an HTTP one"),
            Self::HttpAsSocks5 => row("http_as_socks5", Open, SOCKS5, "bad_protocol", "an HTTP proxy listed as a SOCKS 5 one"),
        }
    }

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

    /// The verdict label that a probe of an `http` target must end with, in `full-http` mode, under
    /// a deadline of more than 1.5 s (`late`) and caps that an endless answer passes before it
    /// (`endless_*`).
    pub const fn verdict(self, expect: Expect) -> &'static str {
        match (self, expect) {
            // The status decides at the head: the body is never asked for.
            (Self::EndlessBody, Expect::NoContent) => "own_page",
            _ => self.row().verdict,
        }
    }

    pub(super) const fn door(self) -> Door {
        self.row().door
    }

    /// Scheme and credentials, up to the host.
    pub(super) const fn listed_as(self) -> &'static str {
        self.row().listed_as
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_behaviour_is_found_by_its_index_and_by_its_label() {
        for (index, behaviour) in Behaviour::ALL.into_iter().enumerate() {
            assert_eq!(behaviour as usize, index);
            assert_eq!(Behaviour::from_label(behaviour.label()), Some(behaviour));
            assert!(!behaviour.meaning().is_empty());
        }
    }

    #[test]
    fn an_endless_body_is_too_large_only_where_a_body_is_expected() {
        let verdict = |expect| Behaviour::EndlessBody.verdict(expect);
        assert_eq!(verdict(Expect::NoContent), "own_page");
        assert_eq!(verdict(Expect::KnownBody), "too_large");
    }
}
