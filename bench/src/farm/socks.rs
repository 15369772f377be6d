//! What a SOCKS 5 (RFC 1928, RFC 1929) or SOCKS 4/4a server says to the bytes it was sent.

use super::answers::{socks4, socks5};
use super::behaviour::Behaviour;
use super::play::{Act, Next, Reach, Role, Scene, end};
use super::table::Entry;
use super::wire::Words;

/// The message that a SOCKS server waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wants {
    /// SOCKS 5: version and methods.
    Greeting,
    /// SOCKS 5: user name and password.
    Password,
    /// SOCKS 5: command and address.
    Request5,
    /// SOCKS 4 and 4a: everything.
    Request4,
}

/// What every message of SOCKS 5 but the login begins with.
pub(super) const VERSION_5: u8 = 5;

const USER: &[u8] = b"user";
const PASS: &[u8] = b"pass";
const METHOD_NONE: u8 = 0;
const METHOD_PASSWORD: u8 = 2;
const CONNECT: u8 = 1;

/// What the server of `behaviour` does when it waits for `wants` and was sent `input`.
pub(super) fn act(wants: Wants, behaviour: Behaviour, input: &[u8], scene: &Scene) -> Act {
    let done = match wants {
        Wants::Greeting => greeting(behaviour, input),
        Wants::Password => password(behaviour, input),
        Wants::Request5 => request5(behaviour, input, scene),
        Wants::Request4 => request4(behaviour, input, scene),
    };
    done.unwrap_or(Act::More)
}

fn go_on(used: usize, words: &'static [u8], role: Role) -> Act {
    Act::Say {
        used,
        words: words.into(),
        next: Next::Play(role),
    }
}

/// The last words, with a code in them.
fn refuse(reply: impl AsRef<[u8]>) -> Act {
    Act::Say {
        used: 0,
        words: Words::Shared(reply.as_ref().into()),
        next: Next::Drain,
    }
}

/// `None` in this and the next three: the message is not whole yet.
fn greeting(behaviour: Behaviour, input: &[u8]) -> Option<Act> {
    if *input.first()? != VERSION_5 {
        return Some(end(socks5::NO_METHOD));
    }
    let used = 2 + usize::from(*input.get(1)?);
    let methods = input.get(2..used)?;
    let entry = behaviour.row().entry;
    let socks = |wants| Role::Socks(wants, behaviour);
    Some(match entry {
        Entry::TakesNobody => end(socks5::NO_METHOD),
        Entry::OtherVersion => end(socks5::OTHER_VERSION),
        _ if methods.contains(&METHOD_NONE) && entry != Entry::Login => {
            go_on(used, socks5::NO_AUTH, socks(Wants::Request5))
        }
        _ if methods.contains(&METHOD_PASSWORD) => {
            go_on(used, socks5::PASSWORD, socks(Wants::Password))
        }
        _ => end(socks5::NO_METHOD),
    })
}

fn password(behaviour: Behaviour, input: &[u8]) -> Option<Act> {
    if *input.first()? != 1 {
        return Some(end(socks5::PASSWORD_BAD));
    }
    let user_end = 2 + usize::from(*input.get(1)?);
    let user = input.get(2..user_end)?;
    let used = user_end + 1 + usize::from(*input.get(user_end)?);
    let password = input.get(user_end + 1..used)?;
    Some(if user == USER && password == PASS {
        let role = Role::Socks(Wants::Request5, behaviour);
        go_on(used, socks5::PASSWORD_GOOD, role)
    } else {
        end(socks5::PASSWORD_BAD)
    })
}

fn request5(behaviour: Behaviour, input: &[u8], scene: &Scene) -> Option<Act> {
    let refuse = |code| Some(refuse(socks5::reply(code)));
    if *input.first()? != VERSION_5 {
        return refuse(socks5::FAILURE);
    }
    let address = match *input.get(3)? {
        1 => 4,
        3 => 1 + usize::from(*input.get(4)?),
        4 => 16,
        _ => return refuse(socks5::FAILURE),
    };
    let used = 4 + address + 2;
    input.get(..used)?;
    let tunnel = |granted| Some(go_on(used, granted, Role::Target(Some(behaviour))));
    match behaviour.row().entry {
        Entry::Code(code) => refuse(code),
        Entry::HalfReply => Some(end(socks5::HALF)),
        _ if input[1] != CONNECT => refuse(socks5::NO_COMMAND),
        _ if is_cut_off(behaviour, scene) => refuse(socks5::REFUSED),
        Entry::Bound(3) => tunnel(socks5::GRANTED_NAME),
        Entry::Bound(_) => tunnel(socks5::GRANTED_V6),
        _ => tunnel(socks5::GRANTED),
    }
}

/// Whether the target cannot be reached, and this proxy would need it.
fn is_cut_off(behaviour: Behaviour, scene: &Scene) -> bool {
    scene.target == Reach::Down && behaviour.row().deed.needs_target()
}

/// Longest user name or host name that is read, in bytes.
const NAME_BYTES_MAX: usize = 255;

fn request4(behaviour: Behaviour, input: &[u8], scene: &Scene) -> Option<Act> {
    let refuse = |code| Some(refuse(socks4::reply(code)));
    if *input.first()? != 4 || input.get(1).is_some_and(|&b| b != CONNECT) {
        return refuse(socks4::REJECTED);
    }
    let ip = input.get(4..8)?;
    let names_host = ip[..3] == [0, 0, 0] && ip[3] != 0;
    let mut used = 8;
    // The user name, and where the address is 0.0.0.x the host name, each ended by a zero.
    for _ in 0..1 + usize::from(names_host) {
        let rest = &input[used..];
        match rest.iter().position(|&b| b == 0) {
            Some(zero) if zero <= NAME_BYTES_MAX => used += zero + 1,
            None if rest.len() <= NAME_BYTES_MAX => return None,
            _ => return refuse(socks4::REJECTED),
        }
    }
    match behaviour.row().entry {
        Entry::Code(code) => refuse(code),
        Entry::HalfReply => Some(end(socks4::HALF)),
        Entry::OtherVersion => Some(end(socks4::OTHER_VERSION)),
        _ if is_cut_off(behaviour, scene) => refuse(socks4::REJECTED),
        _ => Some(go_on(used, socks4::GRANTED, Role::Target(Some(behaviour)))),
    }
}

#[cfg(test)]
mod tests;
