use super::*;
use std::net::Ipv4Addr;

pub(in crate::farm) const SCENE: Scene = Scene {
    local: IpAddr::V4(Ipv4Addr::new(127, 9, 0, 1)),
    peer: IpAddr::V4(Ipv4Addr::LOCALHOST),
    target: Reach::Up,
};

const DOWN: Scene = Scene {
    target: Reach::Down,
    ..SCENE
};

const FORWARDS: Role = Role::Proxy(Behaviour::Forwards);
const TARGET: Role = Role::Target(None);
const CONNECT: &[u8] = b"CONNECT t.example:80 HTTP/1.1\r\nHost: t.example:80\r\n\r\n";
const GET_204: &[u8] = b"GET http://t.example/generate_204 HTTP/1.1\r\nHost: t.example\r\n\r\n";

fn said(role: Role, input: &[u8], scene: &Scene) -> Vec<u8> {
    match act(role, input, scene) {
        Act::Say { words, .. } => words.after(0).to_vec(),
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn check(role: Role, input: &[u8], expected: &[u8]) {
    let said = said(role, input, &SCENE);
    let (said, expected) = (said.escape_ascii(), expected.escape_ascii());
    assert_eq!(said.to_string(), expected.to_string());
}

fn proxy(label: &str) -> Role {
    role_of(Some(Behaviour::from_label(label).expect(label)))
}

#[test]
fn a_good_proxy_gives_the_answer_of_the_target() {
    check(FORWARDS, GET_204, say::NO_CONTENT.keeps);
    let query = b"GET http://t/generate_204?x=1 HTTP/1.1\r\nHost: t\r\n\r\n";
    check(FORWARDS, query, say::NO_CONTENT.keeps);
    let get = b"GET http://t.example/page HTTP/1.1\r\nHost: t.example\r\n\r\n";
    check(FORWARDS, get, say::KNOWN_BODY.keeps);
}

#[test]
fn a_proxy_refuses_what_only_an_origin_server_may_be_asked() {
    for request in [
        &b"GET /generate_204 HTTP/1.1\r\nHost: t\r\n\r\n"[..],
        b"GET http://t/generate_204 HTTP/1.1\r\n\r\n",
        b"GET http:///generate_204 HTTP/1.1\r\nHost: t\r\n\r\n",
        b"GET https://t/generate_204 HTTP/1.1\r\nHost: t\r\n\r\n",
        b"CONNECT t HTTP/1.1\r\nHost: t\r\n\r\n",
        b"CONNECT t:0 HTTP/1.1\r\nHost: t\r\n\r\n",
    ] {
        check(FORWARDS, request, say::BAD_REQUEST);
    }
}

#[test]
fn connect_leads_to_the_target_which_takes_only_the_origin_form() {
    let with_more = [CONNECT, b"rest"].concat();
    assert_eq!(
        act(FORWARDS, &with_more, &SCENE),
        Act::Say {
            used: CONNECT.len(),
            words: say::ESTABLISHED.into(),
            next: Next::Play(Role::Target(Some(Behaviour::Forwards)))
        }
    );
    let origin = b"GET /generate_204 HTTP/1.1\r\nHost: t\r\n\r\n";
    check(TARGET, origin, say::NO_CONTENT.keeps);
    check(TARGET, GET_204, say::BAD_REQUEST);
}

#[test]
fn the_connection_ends_when_the_client_asks_for_it() {
    let request = b"GET http://t/ HTTP/1.1\r\nHost: t\r\nProxy-Connection: close\r\n\r\n";
    assert_eq!(
        act(FORWARDS, request, &SCENE),
        Act::Say {
            used: request.len(),
            words: say::KNOWN_BODY.closes.into(),
            next: Next::Close
        }
    );
}

#[test]
fn only_user_and_pass_open_the_proxy_that_wants_them() {
    let check = |authorization: &str, expected| {
        let request = format!(
            "GET http://t/generate_204 HTTP/1.1\r\nHost: t\r\nProxy-Authorization: {authorization}\r\n\r\n"
        );
        check(proxy("forwards_auth"), request.as_bytes(), expected);
    };
    check("Basic dXNlcjpwYXNz", say::NO_CONTENT.keeps);
    check("basic dXNlcjpwYXNz", say::NO_CONTENT.keeps);
    check("Basic dXNlcjp3cm9uZw==", say::ASKS_AUTH.keeps);
    check("", say::ASKS_AUTH.keeps);
}

#[test]
fn a_method_that_is_not_allowed_is_refused() {
    check(proxy("get_only"), CONNECT, say::NOT_ALLOWED.keeps);
    check(proxy("get_only"), GET_204, say::NO_CONTENT.keeps);
    check(proxy("connect_only"), GET_204, say::NOT_ALLOWED.keeps);
    check(proxy("connect_only"), CONNECT, say::ESTABLISHED);
}

#[test]
fn connect_is_answered_like_any_request_by_those_who_answer_everything() {
    check(proxy("own_page"), CONNECT, say::OWN_PAGE.keeps);
    check(proxy("redirects"), CONNECT, say::REDIRECT.keeps);
    check(proxy("garbage"), CONNECT, say::GARBAGE);
    assert_eq!(act(proxy("resets"), CONNECT, &SCENE), Act::Reset);
    assert_eq!(act(proxy("mute"), CONNECT, &SCENE), Act::Deaf);
}

#[test]
fn an_http_proxy_answers_socks_with_http() {
    check(FORWARDS, b"\x05\x01\x00", say::BAD_REQUEST);
    check(FORWARDS, b"\x16\x03\x01", say::BAD_REQUEST);
}

#[test]
fn the_first_byte_tells_a_mixed_proxy_what_it_is() {
    let mixed = proxy("mixed");
    check(mixed, b"\x05\x01\x00", &[5, 0]);
    check(mixed, GET_204, say::NO_CONTENT.keeps);
    check(mixed, b"\x04\x01", say::BAD_REQUEST);
}

/// Whose certificate the far end of a tunnel through this proxy shows.
fn identity(label: &str) -> Option<Identity> {
    let behaviour = Behaviour::from_label(label).expect(label);
    match act(Role::Target(Some(behaviour)), &[TLS_HANDSHAKE], &SCENE) {
        Act::Tls { identity, .. } => Some(identity),
        _ => None,
    }
}

#[test]
fn tls_in_a_tunnel_ends_at_the_target_or_at_who_intercepts() {
    assert_eq!(identity("forwards"), Some(Identity::Genuine));
    assert_eq!(identity("socks5_drips"), Some(Identity::Genuine));
    assert_eq!(identity("intercepts"), Some(Identity::Forged));
    assert_eq!(identity("imitates_judge"), Some(Identity::Forged));
    assert_eq!(identity("mixed_expired"), Some(Identity::Expired));
    assert_eq!(identity("wrong_name"), Some(Identity::WrongName));
    assert_eq!(identity("self_signed"), Some(Identity::SelfSigned));
    assert_eq!(identity("socks4_own_page"), None);
    assert_eq!(act(proxy("https"), b"\x05\x01\x00", &SCENE), Act::More);
    let proxy = act(proxy("https"), b"GET /", &SCENE);
    let is_proxy = matches!(&proxy, Act::Tls { identity, .. } if *identity == Identity::Proxy);
    assert!(is_proxy, "{proxy:?}");
}

#[test]
fn while_the_target_is_down_proxies_say_what_they_say_then() {
    let bad_gateway = say::BAD_GATEWAY.keeps;
    assert_eq!(said(FORWARDS, GET_204, &DOWN), bad_gateway);
    assert_eq!(said(FORWARDS, CONNECT, &DOWN), bad_gateway);
    assert_eq!(said(proxy("own_page"), GET_204, &DOWN), say::OWN_PAGE.keeps);
    let origin = b"GET /generate_204 HTTP/1.1\r\nHost: t\r\n\r\n";
    assert_eq!(act(TARGET, origin, &DOWN), Act::Reset);
    assert_eq!(act(TARGET, &[TLS_HANDSHAKE], &DOWN), Act::Reset);
    let request5 = Role::Socks(socks::Wants::Request5, Behaviour::Socks5);
    let connect5 = b"\x05\x01\x00\x01\x7f\x00\x00\x01\x00\x50";
    assert_eq!(said(request5, connect5, &DOWN)[..2], [5, 5]);
    let connect4 = b"\x04\x01\x00\x50\x7f\x00\x00\x01\0";
    assert_eq!(said(proxy("socks4"), connect4, &DOWN)[..2], [0, 91]);
    let list = b"GET /lists/0 HTTP/1.1\r\nHost: t\r\n\r\n";
    assert!(matches!(act(TARGET, list, &DOWN), Act::List { .. }));
}

#[test]
fn a_head_without_end_is_cut_off() {
    let mut head = b"GET http://t/ HTTP/1.1\r\nX: ".to_vec();
    assert_eq!(act(FORWARDS, &head, &SCENE), Act::More);
    head.resize(HEAD_BYTES_MAX, b'x');
    check(FORWARDS, &head, say::HEAD_TOO_LARGE);
}
