//! The target, and what a proxy makes of it: the deed is done here, whether the proxy was given a
//! URL or opened a tunnel, and whether TLS is in it.

use super::answers as say;
use super::behaviour::Behaviour;
use super::judge::{self, Field};
use super::play::{Act, Reach, Role, Scene, end, ending, finish, next};
use super::request::Request;
use super::table::Deed;
use super::tls::Identity;

fn deed_of(resident: Option<Behaviour>) -> Deed {
    resident.map_or(Deed::Forwards, |behaviour| behaviour.row().deed)
}

/// Who is sent a ClientHello at the far end.
pub(super) fn tls(resident: Option<Behaviour>, scene: &Scene) -> Act {
    let deed = deed_of(resident);
    let identity = match deed {
        Deed::OwnPage => return end(say::OWN_PAGE.closes),
        Deed::Garbage => return end(say::GARBAGE),
        Deed::Closes => return end(b""),
        Deed::Mute => return Act::Deaf,
        Deed::Resets => return Act::Reset,
        _ if deed.needs_target() && scene.target == Reach::Down => return Act::Reset,
        Deed::Intercepts | Deed::ImitatesJudge => Identity::Forged,
        Deed::Expired => Identity::Expired,
        Deed::WrongName => Identity::WrongName,
        Deed::SelfSigned => Identity::SelfSigned,
        _ => Identity::Genuine,
    };
    Act::Tls {
        identity,
        deed,
        role: Role::SealedTarget(resident),
    }
}

/// The far end was asked this. It takes only the origin form, so that a checker that sends a
/// proxy's request through a tunnel is found out.
pub(super) fn act(role: Role, request: &Request<'_>, used: usize, scene: &Scene) -> Act {
    let (Role::Target(resident) | Role::SealedTarget(resident)) = role else {
        return end(say::BAD_REQUEST);
    };
    let path = request.target;
    if !path.starts_with(b"/") {
        return end(say::BAD_REQUEST);
    }
    if let Some(name) = path.strip_prefix(b"/lists/") {
        let number = std::str::from_utf8(name).ok().and_then(|n| n.parse().ok());
        let next = next(request, role);
        return match number {
            Some(number) => Act::List { used, number, next },
            None => finish(request, used, say::NOT_FOUND, role),
        };
    }
    match deed_of(resident) {
        deed if deed.needs_target() && scene.target == Reach::Down => Act::Reset,
        deed => answer(role, deed, request, path, used, scene),
    }
}

/// What is done about a request for `path` of the target.
pub(super) fn answer(
    role: Role,
    deed: Deed,
    request: &Request<'_>,
    path: &[u8],
    used: usize,
    scene: &Scene,
) -> Act {
    let fixed = |answer| finish(request, used, answer, role);
    let flood = |first, again| Act::Flood { first, again };
    match deed {
        Deed::OwnPage => fixed(say::OWN_PAGE),
        Deed::BadGateway => fixed(say::BAD_GATEWAY),
        Deed::Forbidden => fixed(say::FORBIDDEN),
        Deed::Redirects => fixed(say::REDIRECT),
        Deed::Mute => Act::Deaf,
        Deed::Drips if is_generate_204(path) => Act::Drip {
            first: say::DRIP_HEAD_204,
        },
        Deed::Drips => Act::Drip {
            first: say::DRIP_HEAD_200,
        },
        Deed::EndlessHeaders => flood(say::FLOOD_HEADERS_HEAD, &say::FLOOD_HEADERS),
        Deed::EndlessBody => flood(say::FLOOD_BODY_HEAD, &say::FLOOD_BODY),
        Deed::Interims => flood(say::INTERIM, &say::INTERIMS),
        Deed::BadChunks => end(say::BAD_CHUNKS),
        Deed::Bomb => end(say::BOMB),
        Deed::Escapes => end(say::ESCAPES),
        Deed::Version9 => end(say::VERSION_9),
        Deed::Garbage => end(say::GARBAGE),
        Deed::Half => end(say::HALF),
        Deed::Closes => end(b""),
        Deed::Resets => Act::Reset,
        Deed::Late => match serve(role, deed, request, path, used, scene) {
            Act::Say { used, words, next } => Act::SayLate { used, words, next },
            other => other,
        },
        _ => serve(role, deed, request, path, used, scene),
    }
}

/// The target's own answer for `path`, as the deed passes it on.
fn serve(
    role: Role,
    deed: Deed,
    request: &Request<'_>,
    path: &[u8],
    used: usize,
    scene: &Scene,
) -> Act {
    if request.method != b"GET" {
        return end(say::NOT_IMPLEMENTED);
    }
    if !request.has_host {
        return end(say::BAD_REQUEST);
    }
    let fixed = |answer| finish(request, used, answer, role);
    // Inside TLS nobody but the target could have changed anything.
    let deed = match role {
        Role::SealedTarget(_) => Deed::Forwards,
        _ => deed,
    };
    if judge::is_asked(path) {
        let Some(nonce) = judge::nonce(path) else {
            return fixed(say::NO_NONCE);
        };
        let page = judged(role, deed, nonce, scene);
        return Act::Say {
            used,
            words: say::composed(&page, ending(request)),
            next: next(request, role),
        };
    }
    fixed(match deed {
        _ if is_generate_204(path) => say::NO_CONTENT,
        Deed::Tampers => say::TAMPERED_BODY,
        _ => say::KNOWN_BODY,
    })
}

/// What the judge says, or who passes for it.
fn judged(role: Role, deed: Deed, nonce: &str, scene: &Scene) -> Vec<u8> {
    // Who is asked without a proxy sees the client; behind one it sees the proxy.
    let seen = match role {
        Role::Target(None) | Role::SealedTarget(None) => scene.peer,
        _ => scene.local,
    };
    let via = || -> Field { ("via", "1.1 farm".to_owned()) };
    let client = || -> Field { ("x-forwarded-for", scene.peer.to_string()) };
    match deed {
        Deed::ImitatesJudge => judge::imitation(nonce, seen),
        Deed::Tampers => judge::tampered(nonce, seen),
        Deed::Transparent => judge::page(nonce, seen, &[via(), client()]),
        Deed::Anonymous => judge::page(nonce, seen, &[via()]),
        _ => judge::page(nonce, seen, &[]),
    }
}

fn is_generate_204(target: &[u8]) -> bool {
    let path = target.split(|&b| b == b'?').next().unwrap_or_default();
    path.ends_with(b"generate_204")
}
