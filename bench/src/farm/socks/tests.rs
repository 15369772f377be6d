use super::super::play::tests::SCENE;
use super::*;

/// Every message must be whole at its last byte and not before, and leave what follows alone.
#[track_caller]
fn check(wants: Wants, behaviour: Behaviour, message: &[u8], expected: &[u8], then: Role) {
    for cut in 0..message.len() {
        let act = act(wants, behaviour, &message[..cut], &SCENE);
        assert_eq!(act, Act::More, "{cut}");
    }
    let with_more = [message, b"GET"].concat();
    let said = act(wants, behaviour, &with_more, &SCENE);
    let Act::Say { used, words, next } = said else {
        panic!("{said:?}");
    };
    assert_eq!((used, words.after(0)), (message.len(), expected));
    assert_eq!(next, Next::Play(then));
}

/// The last words of a server.
fn last(wants: Wants, behaviour: Behaviour, message: &[u8]) -> Vec<u8> {
    match act(wants, behaviour, message, &SCENE) {
        Act::Say {
            words,
            next: Next::Drain,
            ..
        } => words.after(0).to_vec(),
        other => panic!("{other:?}"),
    }
}

fn named(label: &str) -> Behaviour {
    Behaviour::from_label(label).expect(label)
}

fn target(behaviour: Behaviour) -> Role {
    Role::Target(Some(behaviour))
}

#[test]
fn socks5_takes_the_strangers_and_asks_the_others() {
    let (open, auth) = (Behaviour::Socks5, Behaviour::Socks5Auth);
    let request = |b| Role::Socks(Wants::Request5, b);
    let password = |b| Role::Socks(Wants::Password, b);
    let check = |behaviour, message: &[u8], expected: &[u8], then| {
        check(Wants::Greeting, behaviour, message, expected, then);
    };
    check(open, &[5, 1, 0], &[5, 0], request(open));
    check(open, &[5, 2, 0, 2], &[5, 0], request(open));
    check(open, &[5, 1, 2], &[5, 2], password(open));
    check(auth, &[5, 2, 0, 2], &[5, 2], password(auth));
    let last = |behaviour, message| last(Wants::Greeting, behaviour, message);
    assert_eq!(last(auth, &[5, 1, 0]), [5, 0xff]);
    assert_eq!(last(open, b"GET "), [5, 0xff]);
    assert_eq!(last(named("socks5_no_method"), &[5, 2, 0, 2]), [5, 0xff]);
    assert_eq!(last(named("socks5_other_version"), &[5, 1, 0]), [4, 0]);
}

#[test]
fn socks5_knows_its_user() {
    let auth = Behaviour::Socks5Auth;
    let then = Role::Socks(Wants::Request5, auth);
    check(
        Wants::Password,
        auth,
        b"\x01\x04user\x04pass",
        &[1, 0],
        then,
    );
    let wrong = last(Wants::Password, auth, b"\x01\x04user\x04word");
    assert_eq!(wrong, [1, 1]);
}

const CONNECT_5: &[u8] = b"\x05\x01\x00\x01\x7f\x00\x00\x01\x00\x50";

#[test]
fn socks5_connects_to_every_kind_of_address() {
    let socks5 = Behaviour::Socks5;
    for request in [
        CONNECT_5,
        b"\x05\x01\x00\x03\x01t\x00\x50",
        b"\x05\x01\x00\x04\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\x00\x50",
    ] {
        let granted = [5, 0, 0, 1, 0, 0, 0, 0, 0, 0];
        check(Wants::Request5, socks5, request, &granted, target(socks5));
    }
    let bind = b"\x05\x02\x00\x01\x7f\x00\x00\x01\x00\x50";
    assert_eq!(last(Wants::Request5, socks5, bind)[..2], [5, 7]);
}

#[test]
fn a_grant_tells_a_bound_address_of_each_kind() {
    for (label, kind, length) in [
        ("socks5_bound_name", 3, 4 + 1 + 9 + 2),
        ("socks5_bound_v6", 4, 22),
    ] {
        let act = act(Wants::Request5, named(label), CONNECT_5, &SCENE);
        let Act::Say { words, .. } = act else {
            panic!("{act:?}");
        };
        let reply = words.after(0);
        assert_eq!(
            (reply[1], reply[3], reply.len()),
            (0, kind, length),
            "{label}"
        );
    }
}

#[test]
fn every_code_of_the_protocols_is_said() {
    let labels = [
        "socks5_fails",
        "socks5_denies",
        "socks5_no_network",
        "socks5_no_host",
        "socks5_refused",
        "socks5_ttl",
        "socks5_no_command",
        "socks5_no_type",
    ];
    for (code, label) in (1..).zip(labels) {
        let reply = last(Wants::Request5, named(label), CONNECT_5);
        assert_eq!(reply, [5, code, 0, 1, 0, 0, 0, 0, 0, 0], "{label}");
    }
    let connect = b"\x04\x01\x00\x50\x7f\x00\x00\x01\0";
    let labels = ["socks4_rejects", "socks4_no_identd", "socks4_other_user"];
    for (code, label) in (91..).zip(labels) {
        let reply = last(Wants::Request4, named(label), connect);
        assert_eq!(reply, [0, code, 0, 0, 0, 0, 0, 0], "{label}");
    }
    assert_eq!(
        last(Wants::Request4, named("socks4_half_reply"), connect),
        [0, 90, 0]
    );
    assert_eq!(
        last(Wants::Request5, named("socks5_half_reply"), CONNECT_5),
        [5, 0, 0, 1, 0]
    );
    assert_eq!(
        last(Wants::Request4, named("socks4_other_version"), connect)[..2],
        [4, 90]
    );
}

#[test]
fn socks4_takes_addresses_and_socks4a_names() {
    let socks4 = Behaviour::Socks4;
    for request in [
        &b"\x04\x01\x00\x50\x7f\x00\x00\x01\0"[..],
        b"\x04\x01\x00\x50\x7f\x00\x00\x01someone\0",
        b"\x04\x01\x00\x50\x00\x00\x00\x01\0t.example\0",
    ] {
        check(
            Wants::Request4,
            socks4,
            request,
            socks4::GRANTED,
            target(socks4),
        );
    }
    let rejected = socks4::reply(socks4::REJECTED);
    assert_eq!(last(Wants::Request4, socks4, b"GET "), rejected);
    let endless = [&b"\x04\x01\x00\x50\x7f\x00\x00\x01"[..], &[b'x'; 300]].concat();
    assert_eq!(last(Wants::Request4, socks4, &endless), rejected);
}
