//! What each behaviour says to the bytes it was sent: pure, no socket, no clock.

use super::answers::{self as say, Answer};
use super::behaviour::Behaviour;
use super::request::{self, Head, Request};
use super::socks;

/// Longest request head that is read, in bytes.
pub(super) const HEAD_BYTES_MAX: usize = 16 * 1024;

/// What a connection plays now; it changes along a handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// An HTTP proxy, well or badly behaved.
    Proxy(Behaviour),
    /// The target, at its own address or at the end of a tunnel.
    Target,
    /// A SOCKS server before, between and after its handshake's messages.
    Socks(socks::Wants, Behaviour),
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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Act {
    /// Wait for more.
    More,
    /// `used` bytes are answered with these words.
    Say {
        used: usize,
        words: &'static [u8],
        next: Next,
    },
    /// The same, after [`super::LATE`].
    SayLate {
        used: usize,
        words: &'static [u8],
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
    /// Close with RST.
    Reset,
}

impl Act {
    /// How many of the bytes so far are done with.
    pub(super) fn used(&self) -> usize {
        match *self {
            Act::Say { used, .. } | Act::SayLate { used, .. } | Act::List { used, .. } => used,
            Act::More | Act::Drip { .. } | Act::Flood { .. } | Act::Reset => 0,
        }
    }

    /// Whether a request was acted upon, and not merely a step of a handshake of `role` done.
    pub(super) fn is_served(&self, role: Role) -> bool {
        match self {
            Act::More => false,
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
    use Behaviour::{
        Socks4, Socks4AsHttp, Socks5, Socks5AsHttp, Socks5Auth, Socks5AuthBare, Socks5Denies,
    };
    match resident {
        None => Role::Target,
        Some(b @ (Socks5 | Socks5Auth | Socks5AuthBare | Socks5Denies | Socks5AsHttp)) => {
            Role::Socks(socks::Wants::Greeting, b)
        }
        Some(b @ (Socks4 | Socks4AsHttp)) => Role::Socks(socks::Wants::Request4, b),
        Some(b) => Role::Proxy(b),
    }
}

/// What `role` does when it was sent `input`, which is not empty.
pub(super) fn act(role: Role, input: &[u8]) -> Act {
    match role {
        Role::Socks(wants, behaviour) => socks::act(wants, behaviour, input),
        Role::Proxy(Behaviour::Garbage) => end(say::GARBAGE),
        Role::Proxy(behaviour) => with_head(input, |r, used| proxy(behaviour, r, used)),
        Role::Target => with_head(input, target),
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
        words,
        next: Next::Drain,
    }
}

/// An HTTP proxy was asked this.
fn proxy(behaviour: Behaviour, request: &Request<'_>, used: usize) -> Act {
    use Behaviour as B;
    let play_on = Role::Proxy(behaviour);
    let answer = |answer: Answer| finish(request, used, answer, play_on);
    match behaviour {
        B::OwnPage => answer(say::OWN_PAGE),
        B::BadGateway => answer(say::BAD_GATEWAY),
        B::Forbidden => answer(say::FORBIDDEN),
        B::AsksAuth => answer(say::ASKS_AUTH),
        B::Redirects => answer(say::REDIRECT),
        B::Resets => Act::Reset,
        B::Drips => Act::Drip {
            first: match is_generate_204(request.target) {
                true => say::DRIP_HEAD_204,
                false => say::DRIP_HEAD_200,
            },
        },
        B::EndlessHeaders => Act::Flood {
            first: say::FLOOD_HEADERS_HEAD,
            again: &say::FLOOD_HEADERS,
        },
        B::EndlessBody => Act::Flood {
            first: say::FLOOD_BODY_HEAD,
            again: &say::FLOOD_BODY,
        },
        B::ForwardsAuth | B::ForwardsAuthBare | B::ForwardsAuthWrong
            if !is_user_pass(request.proxy_authorization) =>
        {
            answer(say::ASKS_AUTH)
        }
        B::Late => match forward(play_on, request, used) {
            Act::Say { used, words, next } => Act::SayLate { used, words, next },
            other => other,
        },
        _ => forward(play_on, request, used),
    }
}

/// What a good proxy does: a tunnel for CONNECT, the target's answer for an absolute `http` URL
/// (RFC 9112, section 3.2.2).
fn forward(role: Role, request: &Request<'_>, used: usize) -> Act {
    if request.method == b"CONNECT" {
        return match is_authority(request.target) {
            true => Act::Say {
                used,
                words: say::ESTABLISHED,
                next: Next::Play(Role::Target),
            },
            false => end(say::BAD_REQUEST),
        };
    }
    let path = (request.target.strip_prefix(b"http://")).and_then(|rest| {
        let slash = rest.iter().position(|&b| b == b'/')?;
        (slash > 0).then(|| &rest[slash..])
    });
    match path {
        Some(path) => serve(role, request, path, used),
        None => end(say::BAD_REQUEST),
    }
}

/// The target was asked this. It takes only the origin form, so that a checker that sends a proxy's
/// request through a tunnel is found out.
fn target(request: &Request<'_>, used: usize) -> Act {
    let path = request.target;
    if !path.starts_with(b"/") {
        return end(say::BAD_REQUEST);
    }
    if let Some(name) = path.strip_prefix(b"/lists/") {
        let number = std::str::from_utf8(name).ok().and_then(|n| n.parse().ok());
        let next = next(request, Role::Target);
        return match number {
            Some(number) => Act::List { used, number, next },
            None => finish(request, used, say::NOT_FOUND, Role::Target),
        };
    }
    serve(Role::Target, request, path, used)
}

/// The target's answer for `path`.
fn serve(role: Role, request: &Request<'_>, path: &[u8], used: usize) -> Act {
    if request.method != b"GET" {
        return end(say::NOT_IMPLEMENTED);
    }
    if !request.has_host {
        return end(say::BAD_REQUEST);
    }
    let answer = match is_generate_204(path) {
        true => say::NO_CONTENT,
        false => say::KNOWN_BODY,
    };
    finish(request, used, answer, role)
}

fn finish(request: &Request<'_>, used: usize, answer: Answer, role: Role) -> Act {
    Act::Say {
        used,
        words: match request.closes {
            true => answer.closes,
            false => answer.keeps,
        },
        next: next(request, role),
    }
}

fn next(request: &Request<'_>, role: Role) -> Next {
    match request.closes {
        true => Next::Close,
        false => Next::Play(role),
    }
}

fn is_generate_204(target: &[u8]) -> bool {
    let path = target.split(|&b| b == b'?').next().unwrap_or_default();
    path.ends_with(b"generate_204")
}

/// `host:port`, as CONNECT wants it (RFC 9110, section 9.3.6).
fn is_authority(target: &[u8]) -> bool {
    let mut parts = target.rsplitn(2, |&b| b == b':');
    let port = parts.next().and_then(|p| std::str::from_utf8(p).ok());
    let port_is_good = port.is_some_and(|p| p.parse::<u16>().is_ok_and(|p| p > 0));
    port_is_good
        && parts
            .next()
            .is_some_and(|host| !host.is_empty() && !host.contains(&b'/'))
}

/// Basic credentials `user:pass` (RFC 7617); the scheme is in any case.
fn is_user_pass(value: &[u8]) -> bool {
    let mut words = value.splitn(2, |&b| b == b' ');
    let scheme = words.next().unwrap_or_default();
    scheme.eq_ignore_ascii_case(b"basic") && words.next() == Some(b"dXNlcjpwYXNz")
}

#[cfg(test)]
mod tests;
