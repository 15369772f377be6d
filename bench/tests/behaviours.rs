//! Each behaviour keeps its promise to a client that knows nothing of the farm's inside.

mod client;

use client::{
    A_WHILE, GET_204, GET_PAGE, TUNNELLED_204, address, ask, connect, exchange, expect_silence,
    farm, read_text, try_ask,
};
use proxy_bench::farm::{Behaviour, LATE, TARGET_BODY};
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

const HEAD_204: &str = "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n";

#[test]
fn forwards_gives_what_the_target_would_give() {
    let farm = farm();
    let proxy = farm.proxy(Behaviour::Forwards, 7);
    assert_eq!(ask(&proxy, GET_204), HEAD_204);
    let page = ask(&proxy, GET_PAGE);
    assert!(page.starts_with("HTTP/1.1 200 OK\r\n"));
    assert_eq!(page.split_once("\r\n\r\n").expect("a body").1, TARGET_BODY);
}

#[test]
fn forwards_takes_a_request_byte_by_byte_and_several_on_one_connection() {
    let farm = farm();
    let mut stream = connect(&farm.proxy(Behaviour::Forwards, 0));
    let open = GET_204.replace("Connection: close\r\n", "");
    for byte in open.as_bytes() {
        stream.write_all(&[*byte]).expect("sent");
    }
    stream.write_all(open.as_bytes()).expect("sent");
    stream.write_all(GET_204.as_bytes()).expect("sent");
    let text = read_text(stream);
    assert_eq!(text.matches("HTTP/1.1 204").count(), 3, "{text}");
    assert_eq!(farm.counts(Behaviour::Forwards).served, 3);
}

#[test]
fn forwards_opens_a_tunnel_to_the_target() {
    let farm = farm();
    let mut stream = connect(&farm.proxy(Behaviour::Forwards, 0));
    let connect = b"CONNECT target.test:80 HTTP/1.1\r\nHost: target.test:80\r\n\r\n";
    let answer: [u8; 39] = exchange(&mut stream, connect);
    assert_eq!(answer, *b"HTTP/1.1 200 Connection established\r\n\r\n");
    stream.write_all(TUNNELLED_204.as_bytes()).expect("sent");
    assert_eq!(read_text(stream), HEAD_204);
}

#[test]
fn forwards_auth_wants_its_user() {
    let farm = farm();
    let proxy = farm.proxy(Behaviour::ForwardsAuth, 0);
    assert!(proxy.starts_with("http://user:pass@127."));
    assert!(ask(&proxy, GET_204).starts_with("HTTP/1.1 407 "));
    let line = "\r\nProxy-Authorization: Basic dXNlcjpwYXNz\r\n\r\n";
    assert_eq!(ask(&proxy, GET_204.replace("\r\n\r\n", line)), HEAD_204);
}

#[test]
fn refuses_is_refused() {
    let farm = farm();
    let error = TcpStream::connect(address(&farm.proxy(Behaviour::Refuses, 0)));
    assert_eq!(
        error.expect_err("refused").kind(),
        ErrorKind::ConnectionRefused
    );
}

#[test]
fn a_black_hole_swallows_every_syn() {
    let farm = farm();
    for number in [0, 1, 65_535] {
        let address = address(&farm.proxy(Behaviour::BlackHole, number));
        let error = TcpStream::connect_timeout(&address, A_WHILE).expect_err("a timeout");
        assert_eq!(error.kind(), ErrorKind::TimedOut);
    }
}

#[test]
fn silent_and_mute_take_the_request_and_say_nothing() {
    let farm = farm();
    for behaviour in [Behaviour::Silent, Behaviour::Mute] {
        let mut stream = connect(&farm.proxy(behaviour, 0));
        stream.write_all(GET_204.as_bytes()).expect("sent");
        expect_silence(&mut stream);
    }
}

#[test]
fn closes_at_once_ends_without_a_reset_whether_or_not_it_was_asked() {
    let farm = farm();
    let proxy = farm.proxy(Behaviour::ClosesAtOnce, 0);
    for request in ["", GET_204] {
        assert_eq!(try_ask(&proxy, request.as_bytes()).expect("FIN"), b"");
    }
}

#[test]
fn resets_is_a_reset() {
    let farm = farm();
    let proxy = farm.proxy(Behaviour::Resets, 0);
    let error = try_ask(&proxy, GET_204.as_bytes()).expect_err("RST");
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
}

#[test]
fn garbage_is_neither_http_nor_socks() {
    let farm = farm();
    let answer = try_ask(&farm.proxy(Behaviour::Garbage, 0), GET_204.as_bytes());
    let answer = answer.expect("bytes");
    assert!(answer.len() > 8 && !answer.starts_with(b"HTTP"));
    assert!(![0, 4, 5].contains(&answer[0]));
}

#[test]
fn the_wrong_answers_are_those_that_were_promised() {
    let farm = farm();
    for (behaviour, start) in [
        (
            Behaviour::OwnPage,
            "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n",
        ),
        (Behaviour::BadGateway, "HTTP/1.1 502 "),
        (Behaviour::Forbidden, "HTTP/1.1 403 "),
        (Behaviour::AsksAuth, "HTTP/1.1 407 "),
        (Behaviour::Redirects, "HTTP/1.1 302 "),
    ] {
        for request in [GET_204, GET_PAGE] {
            let answer = ask(&farm.proxy(behaviour, 0), request);
            assert!(answer.starts_with(start), "{behaviour:?}: {answer}");
            assert!(!answer.contains(TARGET_BODY));
        }
    }
}

#[test]
fn late_answers_correctly_after_a_second_and_a_half() {
    let farm = farm();
    let started = Instant::now();
    assert_eq!(ask(&farm.proxy(Behaviour::Late, 0), GET_204), HEAD_204);
    let taken = started.elapsed();
    assert!((LATE..LATE * 3).contains(&taken), "{taken:?}");
}

#[test]
fn late_thinks_anew_about_each_request_of_a_connection() {
    let farm = farm();
    let open = GET_204.replace("Connection: close\r\n", "");
    let started = Instant::now();
    let answers = ask(&farm.proxy(Behaviour::Late, 0), open + GET_204);
    assert_eq!(answers.matches("HTTP/1.1 204 ").count(), 2, "{answers}");
    assert!(started.elapsed() >= LATE * 2);
}

#[test]
fn drips_gives_a_byte_a_second() {
    let farm = farm();
    let mut stream = connect(&farm.proxy(Behaviour::Drips, 0));
    let first: [u8; 1] = exchange(&mut stream, GET_204.as_bytes());
    let started = Instant::now();
    let second: [u8; 1] = exchange(&mut stream, b"");
    assert_eq!([first, second], [*b"H", *b"T"]);
    assert!(started.elapsed() > Duration::from_millis(700));
}

#[test]
fn endless_answers_go_on_until_the_client_goes() {
    let farm = farm();
    for (behaviour, start) in [
        (Behaviour::EndlessHeaders, "HTTP/1.1 200 OK\r\nX-Endless: "),
        (
            Behaviour::EndlessBody,
            "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n",
        ),
    ] {
        let mut stream = connect(&farm.proxy(behaviour, 0));
        stream.write_all(GET_PAGE.as_bytes()).expect("sent");
        let mut answer = vec![0; 1 << 20];
        stream.read_exact(&mut answer).expect("a megabyte");
        let text = String::from_utf8(answer).expect("text");
        assert!(text.starts_with(start));
        let head_ends = text.contains("\r\n\r\n");
        assert_eq!(head_ends, behaviour == Behaviour::EndlessBody);
        assert_eq!(farm.connections(), 1);
        drop(stream);
        client::wait_until(|| farm.connections() == 0);
    }
}

#[test]
fn socks5_tunnels_to_the_target_with_and_without_a_user() {
    let farm = farm();
    let mut stream = connect(&farm.proxy(Behaviour::Socks5, 0));
    assert_eq!(exchange(&mut stream, &[5, 1, 0]), [5, 0]);
    end_socks5(stream);
    for behaviour in [Behaviour::Socks5, Behaviour::Socks5Auth] {
        let mut stream = connect(&farm.proxy(behaviour, 0));
        assert_eq!(exchange(&mut stream, &[5, 1, 2]), [5, 2]);
        assert_eq!(exchange(&mut stream, b"\x01\x04user\x04pass"), [1, 0]);
        end_socks5(stream);
    }
}

fn end_socks5(mut stream: TcpStream) {
    let granted: [u8; 10] = exchange(&mut stream, b"\x05\x01\x00\x03\x0btarget.test\x00\x50");
    assert_eq!(granted[..2], [5, 0]);
    stream.write_all(TUNNELLED_204.as_bytes()).expect("sent");
    assert_eq!(read_text(stream), HEAD_204);
}

#[test]
fn socks5_refuses_in_its_own_words() {
    let farm = farm();
    let bare = try_ask(&farm.proxy(Behaviour::Socks5AuthBare, 0), &[5, 1, 0]);
    assert_eq!(bare.expect("an answer"), [5, 0xff]);
    let mut stream = connect(&farm.proxy(Behaviour::Socks5Denies, 0));
    assert_eq!(exchange(&mut stream, &[5, 1, 0]), [5, 0]);
    let denied: [u8; 10] = exchange(&mut stream, b"\x05\x01\x00\x01\x7f\x00\x00\x01\x00\x50");
    assert_eq!(denied[..2], [5, 2]);
}

#[test]
fn socks4_tunnels_to_the_target_by_address_and_by_name() {
    let farm = farm();
    for request in [
        &b"\x04\x01\x00\x50\x7f\x00\x00\x01\0"[..],
        b"\x04\x01\x00\x50\x00\x00\x00\x01\0target.test\0",
    ] {
        let mut stream = connect(&farm.proxy(Behaviour::Socks4, 0));
        let granted: [u8; 8] = exchange(&mut stream, request);
        assert_eq!(granted[..2], [0, 90]);
        stream.write_all(TUNNELLED_204.as_bytes()).expect("sent");
        assert_eq!(read_text(stream), HEAD_204);
    }
}

#[test]
fn a_proxy_under_a_wrong_name_answers_in_its_own_protocol() {
    let farm = farm();
    let said = |behaviour, request: &[u8]| {
        let answer = try_ask(&farm.proxy(behaviour, 0), request);
        answer.expect("an answer")[..2].to_vec()
    };
    assert_eq!(said(Behaviour::Socks5AsHttp, GET_204.as_bytes()), [5, 0xff]);
    assert_eq!(said(Behaviour::Socks4AsHttp, GET_204.as_bytes()), [0, 91]);
    assert_eq!(said(Behaviour::HttpAsSocks5, &[5, 1, 0]), *b"HT");
}
