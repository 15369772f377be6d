//! Every kind of mock proxy, a row each: what it speaks, how it is listed, how its handshake goes,
//! and what it does then.

use super::LATE;
use std::time::Duration;

/// A protocol that a client may speak to a proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tongue {
    Http,
    /// HTTP inside TLS.
    Https,
    Socks4,
    Socks5,
}

impl Tongue {
    pub(super) const ALL: [Tongue; 4] =
        [Tongue::Http, Tongue::Https, Tongue::Socks4, Tongue::Socks5];

    pub(super) const fn label(self) -> &'static str {
        match self {
            Tongue::Http => "http",
            Tongue::Https => "https",
            Tongue::Socks4 => "socks4",
            Tongue::Socks5 => "socks5",
        }
    }
}

/// What a proxy speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Speaks {
    Http,
    Https,
    Socks4,
    Socks5,
    /// HTTP and SOCKS 5 on one port.
    Mixed,
}

impl Speaks {
    pub(super) const fn tongues(self) -> &'static [Tongue] {
        match self {
            Speaks::Http => &[Tongue::Http],
            Speaks::Https => &[Tongue::Https],
            Speaks::Socks4 => &[Tongue::Socks4],
            Speaks::Socks5 => &[Tongue::Socks5],
            Speaks::Mixed => &[Tongue::Http, Tongue::Socks5],
        }
    }
}

/// The scheme that a proxy is listed under.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scheme {
    Http,
    Https,
    Socks4,
    Socks5,
}

impl Scheme {
    pub(super) const fn label(self) -> &'static str {
        match self {
            Scheme::Http => "http",
            Scheme::Https => "https",
            Scheme::Socks4 => "socks4",
            Scheme::Socks5 => "socks5",
        }
    }

    /// What a checker tries. Lists write `https` for HTTP proxies that can CONNECT, too.
    pub(super) const fn tongues(self) -> &'static [Tongue] {
        match self {
            Scheme::Http => &[Tongue::Http],
            Scheme::Https => &[Tongue::Http, Tongue::Https],
            Scheme::Socks4 => &[Tongue::Socks4],
            Scheme::Socks5 => &[Tongue::Socks5],
        }
    }
}

/// The credentials that the list gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Login {
    None,
    Right,
    Wrong,
}

impl Login {
    pub(super) const fn userinfo(self) -> &'static str {
        match self {
            Login::None => "",
            Login::Right => "user:pass@",
            Login::Wrong => "user:wrong@",
        }
    }
}

/// How it goes before a proxy knows what is asked of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Entry {
    /// As the protocol has it, without credentials.
    Usual,
    /// Nobody listens: the SYN is answered with RST.
    Refuses,
    /// The connection stands in the kernel's queue and is never served.
    Silent,
    /// The SYN is dropped.
    BlackHole,
    /// FIN as soon as the connection stands.
    ClosesAtOnce,
    /// Wants `user:pass`.
    Login,
    /// Wants credentials, and takes none. SOCKS 5: no method is acceptable.
    TakesNobody,
    /// CONNECT is not allowed.
    GetOnly,
    /// Only CONNECT is allowed.
    ConnectOnly,
    /// SOCKS: this code instead of a grant.
    Code(u8),
    /// SOCKS: FIN in the middle of the reply.
    HalfReply,
    /// SOCKS: a reply with the version of another protocol.
    OtherVersion,
    /// SOCKS 5: the grant tells a bound address of this type, 3 or 4 (RFC 1928, section 6).
    Bound(u8),
}

/// What a proxy does once it knows what is asked of it, whatever it speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Deed {
    Forwards,
    Late,
    OwnPage,
    BadGateway,
    Forbidden,
    Redirects,
    Mute,
    Drips,
    EndlessHeaders,
    EndlessBody,
    Interims,
    BadChunks,
    Bomb,
    Escapes,
    Version9,
    Garbage,
    Resets,
    Closes,
    Half,
    Tampers,
    Transparent,
    Anonymous,
    ImitatesJudge,
    Intercepts,
    Expired,
    WrongName,
    SelfSigned,
}

impl Deed {
    /// Whether the target's own answer is passed on, changed or not. Such a proxy needs the target,
    /// and an HTTP one grants a tunnel to it.
    pub(super) const fn needs_target(self) -> bool {
        use Deed::{
            Anonymous, Expired, Forwards, ImitatesJudge, Intercepts, Late, SelfSigned, Tampers,
            Transparent, WrongName,
        };
        matches!(
            self,
            Forwards
                | Late
                | Tampers
                | Transparent
                | Anonymous
                | ImitatesJudge
                | Intercepts
                | Expired
                | WrongName
                | SelfSigned
        )
    }

    /// Least time until the answer.
    pub(super) const fn thinks(self) -> Duration {
        match self {
            Deed::Late => LATE,
            _ => Duration::ZERO,
        }
    }
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
    /// Accepts at once and has a queue of its own: who asks the target without a proxy does not
    /// wait behind thousands of others.
    Target,
}

impl Door {
    pub(super) const COUNT: usize = 6;
}

/// One kind of mock proxy.
#[derive(Clone, Copy, Debug)]
pub(super) struct Row {
    pub(super) label: &'static str,
    pub(super) meaning: &'static str,
    pub(super) speaks: Speaks,
    pub(super) scheme: Scheme,
    pub(super) login: Login,
    pub(super) entry: Entry,
    pub(super) deed: Deed,
}

impl Row {
    pub(super) const fn door(&self) -> Door {
        match (self.entry, self.deed) {
            (Entry::Refuses, _) => Door::Refuses,
            (Entry::Silent, _) => Door::Silent,
            (Entry::BlackHole, _) => Door::BlackHole,
            (_, Deed::Mute | Deed::Drips) => Door::Slow,
            _ => Door::Open,
        }
    }
}

mod rows;
pub(super) use rows::ROWS;
