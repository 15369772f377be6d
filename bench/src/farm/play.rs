//! What each party says to the bytes it was sent: pure, no socket, no clock.

use super::answers::{self as say, Answer, End};
use super::behaviour::Behaviour;
use super::request::{self, Head, Request};
use super::table::{Deed, Speaks};
use super::tls::Identity;
use super::wire::Words;
use super::{proxy, socks, target};
use std::net::IpAddr;

/// Longest request head that is read, in bytes.
pub(super) const HEAD_BYTES_MAX: usize = 16 * 1024;

/// The first byte of a ClientHello: a handshake record (RFC 8446, section 5.1).
const TLS_HANDSHAKE: u8 = 0x16;

/// Type, version and length of a record. As most servers do, the farm's proxies behind TLS wait for
/// all of it, whatever the first byte is.
const TLS_RECORD_HEAD_BYTES: usize = 5;

/// What a connection plays now; it changes along a handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// TLS, and then an HTTP proxy in it.
    Sealed(Behaviour),
    /// An HTTP proxy, well or badly behaved.
    Proxy(Behaviour),
    /// An HTTP or a SOCKS 5 proxy, as the first byte wants it.
    Mixed(Behaviour),
    /// A SOCKS server before, between and after its handshake's messages.
    Socks(socks::Wants, Behaviour),
    /// The target, at its own address or behind a proxy; TLS if the first byte wants it.
    Target(Option<Behaviour>),
    /// The same inside TLS.
    SealedTarget(Option<Behaviour>),
}

/// What an answer depends on beside the request.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scene {
    /// The address that was connected to: a proxy's own, which its target sees.
    pub(super) local: IpAddr,
    /// The client's.
    pub(super) peer: IpAddr,
    pub(super) target: Reach,
}

/// Whether the target can be reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    Up,
    Down,
}

/// What happens once the words of an [`Act`] are said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Listen on, as this.
    Play(Role),
    /// The request was read whole: close.
    Close,
    /// The peer may be speaking still: send FIN and read to its end, since closing over unread
    /// bytes would be a reset, and the words could be lost.
    Drain,
}

impl Next {
    /// The same, where `unread` bytes of the peer are left.
    pub(super) fn with_unread(self, unread: usize) -> Next {
        match self {
            Next::Close if unread > 0 => Next::Drain,
            other => other,
        }
    }
}

/// What to do about the bytes so far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Act {
    /// Wait for more.
    More,
    /// `used` bytes are answered with these words.
    Say {
        used: usize,
        words: Words,
        next: Next,
    },
    /// The same, after [`super::LATE`].
    SayLate {
        used: usize,
        words: Words,
        next: Next,
    },
    /// A byte a second: `first`, and then for ever [`say::DRIP`].
    Drip { first: &'static [u8] },
    /// `first`, and then `again` and again as fast as the peer reads.
    Flood {
        first: &'static [u8],
        again: &'static [u8],
    },
    /// One of the lists that the farm serves.
    List {
        used: usize,
        number: usize,
        next: Next,
    },
    /// TLS, of which these bytes are the beginning; in it, this role.
    Tls {
        identity: Identity,
        deed: Deed,
        role: Role,
    },
    /// Neither read nor write any more.
    Deaf,
    /// Close with RST.
    Reset,
}

impl Act {
    /// How many of the bytes so far are done with.
    pub(super) fn used(&self) -> usize {
        match *self {
            Act::Say { used, .. } | Act::SayLate { used, .. } | Act::List { used, .. } => used,
            _ => 0,
        }
    }

    /// Whether a request was acted upon, and not merely a step of a handshake of `role` done.
    pub(super) fn is_served(&self, role: Role) -> bool {
        match self {
            Act::More | Act::Tls { .. } => false,
            Act::Say {
                next: Next::Play(_),
                ..
            } => !matches!(role, Role::Socks(..)),
            _ => true,
        }
    }
}

/// Who answers at the address of `resident`.
pub(super) fn role_of(resident: Option<Behaviour>) -> Role {
    let Some(behaviour) = resident else {
        return Role::Target(None);
    };
    match behaviour.row().speaks {
        Speaks::Http => Role::Proxy(behaviour),
        Speaks::Https => Role::Sealed(behaviour),
        Speaks::Socks4 => Role::Socks(socks::Wants::Request4, behaviour),
        Speaks::Socks5 => Role::Socks(socks::Wants::Greeting, behaviour),
        Speaks::Mixed => Role::Mixed(behaviour),
    }
}

/// What `role` does when it was sent `input`, which is not empty.
pub(super) fn act(role: Role, input: &[u8], scene: &Scene) -> Act {
    match role {
        Role::Sealed(_) if input.len() < TLS_RECORD_HEAD_BYTES => Act::More,
        Role::Sealed(behaviour) => Act::Tls {
            identity: Identity::Proxy,
            deed: Deed::Forwards,
            role: Role::Proxy(behaviour),
        },
        Role::Mixed(behaviour) if input[0] == socks::VERSION_5 => {
            socks::act(socks::Wants::Greeting, behaviour, input, scene)
        }
        Role::Socks(wants, behaviour) => socks::act(wants, behaviour, input, scene),
        Role::Proxy(behaviour) | Role::Mixed(behaviour) => with_head(input, |request, used| {
            proxy::act(behaviour, request, used, scene)
        }),
        Role::Target(resident) if input[0] == TLS_HANDSHAKE => target::tls(resident, scene),
        Role::Target(_) | Role::SealedTarget(_) => with_head(input, |request, used| {
            target::act(role, request, used, scene)
        }),
    }
}

fn with_head(input: &[u8], answer: impl FnOnce(&Request<'_>, usize) -> Act) -> Act {
    match request::read(input) {
        Head::Partial if input.len() >= HEAD_BYTES_MAX => end(say::HEAD_TOO_LARGE),
        Head::Partial => Act::More,
        Head::NotHttp => end(say::BAD_REQUEST),
        Head::Whole(request, used) => answer(&request, used),
    }
}

/// The last words, to a peer that may be speaking still.
pub(super) fn end(words: &'static [u8]) -> Act {
    Act::Say {
        used: 0,
        words: words.into(),
        next: Next::Drain,
    }
}

/// A whole answer to a request, after which `role` listens on if the client wants it.
pub(super) fn finish(request: &Request<'_>, used: usize, answer: Answer, role: Role) -> Act {
    Act::Say {
        used,
        words: answer.words(ending(request)),
        next: next(request, role),
    }
}

pub(super) fn ending(request: &Request<'_>) -> End {
    match request.closes {
        true => End::Closes,
        false => End::Keeps,
    }
}

pub(super) fn next(request: &Request<'_>, role: Role) -> Next {
    match request.closes {
        true => Next::Close,
        false => Next::Play(role),
    }
}

#[cfg(test)]
pub(super) mod tests;
