//! The end of a farm; alone in its process, so that no other farm takes the ports that it leaves.

mod client;

use client::{connect, farm, wait_until};
use proxy_bench::farm::Behaviour;
use std::io::{ErrorKind, Read};
use std::net::TcpStream;

#[test]
fn a_dropped_farm_closes_its_connections_and_its_ports() {
    let farm = farm();
    let ports = farm.ports().to_vec();
    let mut stream = connect(&farm.proxy(Behaviour::Mute, 0));
    wait_until(|| farm.connections() == 1);
    drop(farm);
    assert_eq!(stream.read(&mut [0]).expect("the end"), 0);
    for port in ports {
        let error = TcpStream::connect(("127.0.0.1", port)).expect_err("nobody there");
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
    }
}
