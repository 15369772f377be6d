use super::*;

const FORWARDS: Role = Role::Proxy(Behaviour::Forwards);

fn words(role: Role, input: &[u8]) -> &'static [u8] {
    match act(role, input) {
        Act::Say { words, .. } => words,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_good_proxy_gives_the_answer_of_the_target() {
    let ask = |input| words(FORWARDS, input);
    let get_204 = b"GET http://t.example/generate_204 HTTP/1.1\r\nHost: t.example\r\n\r\n";
    assert_eq!(ask(get_204), say::NO_CONTENT.keeps);
    let query = b"GET http://t/generate_204?x=1 HTTP/1.1\r\nHost: t\r\n\r\n";
    assert_eq!(ask(query), say::NO_CONTENT.keeps);
    let get = b"GET http://t.example/page HTTP/1.1\r\nHost: t.example\r\n\r\n";
    assert_eq!(ask(get), say::KNOWN_BODY.keeps);
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
        assert_eq!(words(FORWARDS, request), say::BAD_REQUEST);
    }
}

#[test]
fn connect_leads_to_the_target_which_takes_only_the_origin_form() {
    let connect = b"CONNECT t.example:80 HTTP/1.1\r\nHost: t.example:80\r\n\r\nrest";
    assert_eq!(
        act(FORWARDS, connect),
        Act::Say {
            used: connect.len() - 4,
            words: say::ESTABLISHED,
            next: Next::Play(Role::Target)
        }
    );
    let origin = b"GET /generate_204 HTTP/1.1\r\nHost: t\r\n\r\n";
    assert_eq!(words(Role::Target, origin), say::NO_CONTENT.keeps);
    let absolute = b"GET http://t/generate_204 HTTP/1.1\r\nHost: t\r\n\r\n";
    assert_eq!(words(Role::Target, absolute), say::BAD_REQUEST);
}

#[test]
fn the_connection_ends_when_the_client_asks_for_it() {
    let request = b"GET http://t/ HTTP/1.1\r\nHost: t\r\nProxy-Connection: close\r\n\r\n";
    assert_eq!(
        act(FORWARDS, request),
        Act::Say {
            used: request.len(),
            words: say::KNOWN_BODY.closes,
            next: Next::Close
        }
    );
}

#[test]
fn only_user_and_pass_open_the_proxy_that_wants_them() {
    let ask = |authorization: &str| {
        let request = format!(
            "GET http://t/generate_204 HTTP/1.1\r\nHost: t\r\nProxy-Authorization: {authorization}\r\n\r\n"
        );
        words(Role::Proxy(Behaviour::ForwardsAuth), request.as_bytes())
    };
    assert_eq!(ask("Basic dXNlcjpwYXNz"), say::NO_CONTENT.keeps);
    assert_eq!(ask("basic dXNlcjpwYXNz"), say::NO_CONTENT.keeps);
    assert_eq!(ask("Basic dXNlcjp3cm9uZw=="), say::ASKS_AUTH.keeps);
    assert_eq!(ask(""), say::ASKS_AUTH.keeps);
}

#[test]
fn an_http_proxy_answers_socks_with_http() {
    assert_eq!(
        words(Role::Proxy(Behaviour::HttpAsSocks5), b"\x05\x01\x00"),
        say::BAD_REQUEST
    );
}

#[test]
fn a_head_without_end_is_cut_off() {
    let mut head = b"GET http://t/ HTTP/1.1\r\nX: ".to_vec();
    assert_eq!(act(FORWARDS, &head), Act::More);
    head.resize(HEAD_BYTES_MAX, b'x');
    assert_eq!(words(FORWARDS, &head), say::HEAD_TOO_LARGE);
}
