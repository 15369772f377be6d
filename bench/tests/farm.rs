//! The farm as a whole: its size, its lists, its end.

mod client;

use client::{GET_204, PATIENCE, address, ask, connect, expect_silence, farm, wait_until};
use proxy_bench::farm::{Aim, Behaviour, Farm, FarmOptions, TARGET_BODY};
use proxy_bench::limits::raise_descriptors;
use std::collections::HashSet;
use std::io::Write;
use std::net::TcpListener;

#[test]
fn two_farms_stand_side_by_side() {
    let (one, other) = (farm(), farm());
    let (ask_one, ask_other) = (
        one.proxy(Behaviour::Forwards, 1),
        other.proxy(Behaviour::Forwards, 1),
    );
    assert_ne!(ask_one, ask_other);
    ask(&ask_one, GET_204);
    ask(&ask_other, GET_204);
    ask(&ask_other, GET_204);
    assert_eq!(one.counts(Behaviour::Forwards).served, 1);
    assert_eq!(other.counts(Behaviour::Forwards).served, 2);
}

#[test]
fn a_port_that_is_taken_is_an_error_that_says_so() {
    let farm = farm();
    let port = farm.ports()[0];
    let options = FarmOptions {
        port,
        ..FarmOptions::default()
    };
    let error = Farm::start(options).expect_err("taken").to_string();
    assert!(
        error.contains(&port.to_string()) && error.contains("another"),
        "{error}"
    );
}

#[test]
fn a_farm_on_chosen_ports_has_six_in_a_row() {
    // Below the ports that the system gives to others; the first that are free.
    let mut firsts = (20_011..32_000).step_by(101);
    let farm = firsts.find_map(|port| {
        let options = FarmOptions {
            port,
            ..FarmOptions::default()
        };
        Farm::start(options).ok()
    });
    let farm = farm.expect("six free ports");
    let first = farm.ports()[0];
    let expected: Vec<u16> = (first..first + 6).collect();
    let mut ports = farm.ports().to_vec();
    ports.sort_unstable();
    assert_eq!(ports, expected);
}

#[test]
fn a_first_port_that_leaves_no_room_for_the_others_is_an_error() {
    let options = FarmOptions {
        port: 65_533,
        ..FarmOptions::default()
    };
    let error = Farm::start(options).expect_err("no room").to_string();
    assert!(error.contains("65530"), "{error}");
}

#[test]
fn three_thousand_silent_connections_cost_the_farm_no_descriptors() {
    raise_descriptors().expect("more descriptors");
    let farm = farm();
    let mut streams = Vec::new();
    for number in 0..3000 {
        let mut stream = connect(&farm.proxy(Behaviour::Silent, number));
        stream.write_all(GET_204.as_bytes()).expect("sent");
        streams.push(stream);
    }
    expect_silence(&mut streams[0]);
    expect_silence(&mut streams[2999]);
    assert!(farm.connections() < 100, "{}", farm.connections());
    // The queues are emptied of those who have gone, so that the next thousands find room.
    drop(streams);
    wait_until(|| farm.counts(Behaviour::Silent).accepted == 3000);
    wait_until(|| farm.connections() == 0);
}

#[test]
fn a_farm_that_is_full_serves_those_who_wait_when_others_go() {
    let farm = Farm::start(FarmOptions {
        port: 0,
        connections_max: 16,
        ..FarmOptions::default()
    })
    .expect("a farm");
    let idle: Vec<_> = (0..64)
        .map(|n| connect(&farm.proxy(Behaviour::Forwards, n)))
        .collect();
    wait_until(|| farm.connections() >= 8);
    let mut late = connect(&farm.proxy(Behaviour::Forwards, 64));
    late.write_all(GET_204.as_bytes()).expect("sent");
    drop(idle);
    assert!(client::read_text(late).starts_with("HTTP/1.1 204 "));
    wait_until(|| farm.counts(Behaviour::Forwards).accepted == 65);
}

#[test]
fn a_mix_is_even_interleaved_and_without_repeats() {
    let farm = farm();
    let mix = farm.mix(1000, &Behaviour::ALL);
    let proxies: HashSet<_> = mix.iter().map(|(proxy, _)| address(proxy)).collect();
    assert_eq!(proxies.len(), 1000);
    for (index, (proxy, behaviour)) in mix.iter().enumerate() {
        assert_eq!(*behaviour, Behaviour::ALL[index % Behaviour::COUNT]);
        let number = u32::try_from(index / Behaviour::COUNT).expect("small");
        assert_eq!(*proxy, farm.proxy(*behaviour, number));
    }
}

#[test]
fn the_target_answers_without_a_proxy() {
    let farm = farm();
    let url = farm.target(Aim::NoContent);
    assert!(url.ends_with("/generate_204"));
    assert!(ask(&url, client::TUNNELLED_204).starts_with("HTTP/1.1 204 "));
    let page = client::TUNNELLED_204.replace("generate_204", "page");
    assert!(ask(&farm.target(Aim::KnownBody), page).ends_with(TARGET_BODY));
    assert_eq!(farm.target_counts().served, 2);
}

#[test]
fn a_list_is_served_and_can_change() {
    let farm = farm();
    let long = "http://127.4.0.1:80\n".repeat(200_000);
    let url = farm.serve_list("one\ntwo\n");
    let second = farm.serve_list(&long);
    let get = |url: &str| {
        let path = &url[url.rfind("/lists").expect("a path")..];
        let answer = ask(url, format!("GET {path} HTTP/1.0\r\nHost: a\r\n\r\n"));
        answer.split_once("\r\n\r\n").expect("a body").1.to_owned()
    };
    assert_eq!(get(&url), "one\ntwo\n");
    farm.set_list(&url, "three\n");
    assert_eq!(get(&url), "three\n");
    assert_eq!(get(&second), long);
    assert_eq!(get(&url.replace("/0", "/9")), "no such list\n");
}

#[test]
fn ipv6_forwards_where_there_is_ipv6() {
    let farm = farm();
    let host_has_it = TcpListener::bind("[::1]:0").is_ok();
    assert_eq!(farm.proxy_v6().is_some(), host_has_it);
    if let Some(proxy) = farm.proxy_v6() {
        assert!(ask(&proxy, GET_204).starts_with("HTTP/1.1 204 "));
    }
}

#[test]
fn a_thousand_clients_at_once_are_all_served() {
    raise_descriptors().expect("more descriptors");
    let farm = farm();
    let mut streams: Vec<_> = (farm
        .mix(1000, &[Behaviour::Forwards, Behaviour::OwnPage])
        .iter())
    .map(|(proxy, _)| connect(proxy))
    .collect();
    for stream in &mut streams {
        stream.set_write_timeout(Some(PATIENCE)).expect("a timeout");
        stream.write_all(GET_204.as_bytes()).expect("sent");
    }
    for (index, stream) in streams.into_iter().enumerate() {
        let expected = ["HTTP/1.1 204 ", "HTTP/1.1 200 "][index % 2];
        assert!(client::read_text(stream).starts_with(expected));
    }
    assert_eq!(farm.counts(Behaviour::OwnPage).served, 500);
}
