//! What a SOCKS 5 (RFC 1928, RFC 1929) or SOCKS 4/4a server says to the bytes it was sent.

use super::answers::{socks4, socks5};
use super::behaviour::Behaviour;
use super::play::{Act, Next, Role, end};

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

const USER: &[u8] = b"user";
const PASS: &[u8] = b"pass";
const METHOD_NONE: u8 = 0;
const METHOD_PASSWORD: u8 = 2;
const CONNECT: u8 = 1;

/// What the server of `behaviour` does when it waits for `wants` and was sent `input`.
pub(super) fn act(wants: Wants, behaviour: Behaviour, input: &[u8]) -> Act {
    let done = match wants {
        Wants::Greeting => greeting(behaviour, input),
        Wants::Password => password(behaviour, input),
        Wants::Request5 => request5(behaviour, input),
        Wants::Request4 => request4(input),
    };
    done.unwrap_or(Act::More)
}

fn go_on(used: usize, words: &'static [u8], role: Role) -> Act {
    Act::Say {
        used,
        words,
        next: Next::Play(role),
    }
}

/// `None` in this and the next three: the message is not whole yet.
fn greeting(behaviour: Behaviour, input: &[u8]) -> Option<Act> {
    if *input.first()? != 5 {
        return Some(end(socks5::NO_METHOD));
    }
    let used = 2 + usize::from(*input.get(1)?);
    let methods = input.get(2..used)?;
    let wants_password = matches!(behaviour, Behaviour::Socks5Auth | Behaviour::Socks5AuthBare);
    let socks = |wants| Role::Socks(wants, behaviour);
    Some(if methods.contains(&METHOD_NONE) && !wants_password {
        go_on(used, socks5::NO_AUTH, socks(Wants::Request5))
    } else if methods.contains(&METHOD_PASSWORD) {
        go_on(used, socks5::PASSWORD, socks(Wants::Password))
    } else {
        end(socks5::NO_METHOD)
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

fn request5(behaviour: Behaviour, input: &[u8]) -> Option<Act> {
    if *input.first()? != 5 {
        return Some(end(socks5::FAILURE));
    }
    let address = match *input.get(3)? {
        1 => 4,
        3 => 1 + usize::from(*input.get(4)?),
        4 => 16,
        _ => return Some(end(socks5::FAILURE)),
    };
    let used = 4 + address + 2;
    input.get(..used)?;
    Some(if behaviour == Behaviour::Socks5Denies {
        end(socks5::DENIED)
    } else if input[1] != CONNECT {
        end(socks5::NO_COMMAND)
    } else {
        go_on(used, socks5::GRANTED, Role::Target)
    })
}

/// Longest user name or host name that is read, in bytes.
const NAME_BYTES_MAX: usize = 255;

fn request4(input: &[u8]) -> Option<Act> {
    if *input.first()? != 4 || input.get(1).is_some_and(|&b| b != CONNECT) {
        return Some(end(socks4::REJECTED));
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
            _ => return Some(end(socks4::REJECTED)),
        }
    }
    Some(go_on(used, socks4::GRANTED, Role::Target))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every message must be whole at its last byte and not before, and leave what follows alone.
    fn check(wants: Wants, behaviour: Behaviour, message: &[u8], expected: &[u8], then: Role) {
        for cut in 0..message.len() {
            assert_eq!(act(wants, behaviour, &message[..cut]), Act::More, "{cut}");
        }
        let with_more = [message, b"GET"].concat();
        let said = act(wants, behaviour, &with_more);
        let Act::Say { used, words, next } = said else {
            panic!("{said:?}");
        };
        assert_eq!((used, words), (message.len(), expected));
        assert_eq!(next, Next::Play(then));
    }

    fn words(wants: Wants, behaviour: Behaviour, message: &[u8]) -> &'static [u8] {
        match act(wants, behaviour, message) {
            Act::Say {
                words,
                next: Next::Drain,
                ..
            } => words,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn socks5_takes_the_strangers_and_asks_the_others() {
        use Behaviour::{Socks5, Socks5Auth};
        let then = |wants, b| Role::Socks(wants, b);
        let (request, password) = (Wants::Request5, Wants::Password);
        check(
            Wants::Greeting,
            Socks5,
            &[5, 1, 0],
            &[5, 0],
            then(request, Socks5),
        );
        check(
            Wants::Greeting,
            Socks5,
            &[5, 2, 0, 2],
            &[5, 0],
            then(request, Socks5),
        );
        check(
            Wants::Greeting,
            Socks5,
            &[5, 1, 2],
            &[5, 2],
            then(password, Socks5),
        );
        check(
            Wants::Greeting,
            Socks5Auth,
            &[5, 2, 0, 2],
            &[5, 2],
            then(password, Socks5Auth),
        );
        assert_eq!(words(Wants::Greeting, Socks5Auth, &[5, 1, 0]), [5, 0xff]);
        assert_eq!(words(Wants::Greeting, Socks5, b"GET "), [5, 0xff]);
    }

    #[test]
    fn socks5_knows_its_user() {
        let then = Role::Socks(Wants::Request5, Behaviour::Socks5Auth);
        check(
            Wants::Password,
            Behaviour::Socks5Auth,
            b"\x01\x04user\x04pass",
            &[1, 0],
            then,
        );
        let wrong = words(
            Wants::Password,
            Behaviour::Socks5Auth,
            b"\x01\x04user\x04word",
        );
        assert_eq!(wrong, [1, 1]);
    }

    #[test]
    fn socks5_connects_to_every_kind_of_address() {
        for request in [
            &b"\x05\x01\x00\x01\x7f\x00\x00\x01\x00\x50"[..],
            b"\x05\x01\x00\x03\x01t\x00\x50",
            b"\x05\x01\x00\x04\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\x00\x50",
        ] {
            check(
                Wants::Request5,
                Behaviour::Socks5,
                request,
                socks5::GRANTED,
                Role::Target,
            );
        }
        let bind = b"\x05\x02\x00\x01\x7f\x00\x00\x01\x00\x50";
        assert_eq!(
            words(Wants::Request5, Behaviour::Socks5, bind),
            socks5::NO_COMMAND
        );
        let connect = b"\x05\x01\x00\x01\x7f\x00\x00\x01\x00\x50";
        assert_eq!(
            words(Wants::Request5, Behaviour::Socks5Denies, connect),
            socks5::DENIED
        );
    }

    #[test]
    fn socks4_takes_addresses_and_socks4a_names() {
        for request in [
            &b"\x04\x01\x00\x50\x7f\x00\x00\x01\0"[..],
            b"\x04\x01\x00\x50\x7f\x00\x00\x01someone\0",
            b"\x04\x01\x00\x50\x00\x00\x00\x01\0t.example\0",
        ] {
            check(
                Wants::Request4,
                Behaviour::Socks4,
                request,
                socks4::GRANTED,
                Role::Target,
            );
        }
        assert_eq!(
            words(Wants::Request4, Behaviour::Socks4, b"GET "),
            socks4::REJECTED
        );
        let endless = [&b"\x04\x01\x00\x50\x7f\x00\x00\x01"[..], &[b'x'; 300]].concat();
        assert_eq!(
            words(Wants::Request4, Behaviour::Socks4, &endless),
            socks4::REJECTED
        );
    }
}
