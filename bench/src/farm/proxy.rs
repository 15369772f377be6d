//! An HTTP proxy: who may use it, for what, and what it does then.

use super::answers as say;
use super::behaviour::Behaviour;
use super::play::{Act, Next, Reach, Role, Scene, end, finish};
use super::request::Request;
use super::table::Entry;
use super::target;

/// What the proxy does that was asked this.
pub(super) fn act(behaviour: Behaviour, request: &Request<'_>, used: usize, scene: &Scene) -> Act {
    let role = Role::Proxy(behaviour);
    let connects = request.method == b"CONNECT";
    match behaviour.row().entry {
        Entry::TakesNobody => finish(request, used, say::ASKS_AUTH, role),
        Entry::Login if !is_user_pass(request.proxy_authorization) => {
            finish(request, used, say::ASKS_AUTH, role)
        }
        Entry::GetOnly if connects => finish(request, used, say::NOT_ALLOWED, role),
        Entry::ConnectOnly if !connects => finish(request, used, say::NOT_ALLOWED, role),
        _ if connects => connect(behaviour, request, used, scene),
        _ => forward(behaviour, request, used, scene),
    }
}

/// A tunnel for those that grant one; the others do to CONNECT what they do to every request.
fn connect(behaviour: Behaviour, request: &Request<'_>, used: usize, scene: &Scene) -> Act {
    let (role, deed) = (Role::Proxy(behaviour), behaviour.row().deed);
    if !deed.needs_target() {
        return target::answer(role, deed, request, b"/", used, scene);
    }
    if !is_authority(request.target) {
        return end(say::BAD_REQUEST);
    }
    match scene.target {
        Reach::Down => finish(request, used, say::BAD_GATEWAY, role),
        Reach::Up => Act::Say {
            used,
            words: say::ESTABLISHED.into(),
            next: Next::Play(Role::Target(Some(behaviour))),
        },
    }
}

/// The answer for an absolute `http` URL (RFC 9112, section 3.2.2).
fn forward(behaviour: Behaviour, request: &Request<'_>, used: usize, scene: &Scene) -> Act {
    let (role, deed) = (Role::Proxy(behaviour), behaviour.row().deed);
    let path = (request.target.strip_prefix(b"http://")).and_then(|rest| {
        let slash = rest.iter().position(|&b| b == b'/')?;
        (slash > 0).then(|| &rest[slash..])
    });
    match (path, scene.target) {
        (None, _) if deed.needs_target() => end(say::BAD_REQUEST),
        (Some(_), Reach::Down) if deed.needs_target() => {
            finish(request, used, say::BAD_GATEWAY, role)
        }
        (path, _) => target::answer(role, deed, request, path.unwrap_or(b"/"), used, scene),
    }
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
