#![allow(dead_code, reason = "each test file uses a part of it")]
//! A plain blocking client, as simple as can be: it must not share the farm's mistakes.

pub(crate) mod tls;

use proxy_bench::farm::{Farm, FarmOptions};
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// Longer than anything here takes, unless it never ends.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// Long enough to see that nothing comes.
pub(crate) const A_WHILE: Duration = Duration::from_millis(200);

pub(crate) const GET_204: &str = "GET http://target.test/generate_204 HTTP/1.1\r\nHost: target.test\r\nConnection: close\r\n\r\n";

pub(crate) const GET_PAGE: &str =
    "GET http://target.test/page HTTP/1.1\r\nHost: target.test\r\nConnection: close\r\n\r\n";

/// The same as a client asks the target itself, at the end of a tunnel.
pub(crate) const TUNNELLED_204: &str =
    "GET /generate_204 HTTP/1.1\r\nHost: target.test\r\nConnection: close\r\n\r\n";

pub(crate) fn farm() -> Farm {
    Farm::start(FarmOptions::default()).expect("a farm on free ports")
}

/// The address in a proxy's URL.
pub(crate) fn address(url: &str) -> SocketAddr {
    let rest = url.split_once("://").expect("a URL").1;
    let rest = rest.split('/').next().expect("a host");
    let host = rest.rsplit('@').next().expect("a host");
    host.parse().expect("an address")
}

pub(crate) fn connect(url: &str) -> TcpStream {
    let stream = TcpStream::connect_timeout(&address(url), PATIENCE).expect("a connection");
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    stream
}

/// Everything that the proxy says until it closes.
pub(crate) fn try_ask(url: &str, request: &[u8]) -> io::Result<Vec<u8>> {
    let mut stream = connect(url);
    stream.write_all(request)?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    Ok(answer)
}

pub(crate) fn ask(url: &str, request: impl AsRef<[u8]>) -> String {
    let answer = try_ask(url, request.as_ref()).expect("an answer");
    String::from_utf8(answer).expect("text")
}

/// Sends one message of a handshake and reads its answer.
pub(crate) fn exchange<const N: usize>(stream: &mut TcpStream, message: &[u8]) -> [u8; N] {
    stream.write_all(message).expect("sent");
    let mut answer = [0; N];
    stream.read_exact(&mut answer).expect("an answer");
    answer
}

/// The rest of the conversation, as text.
pub(crate) fn read_text(mut stream: TcpStream) -> String {
    let mut text = String::new();
    stream.read_to_string(&mut text).expect("text");
    text
}

/// Sees that the peer neither speaks nor closes for a while.
pub(crate) fn expect_silence(stream: &mut TcpStream) {
    stream.set_read_timeout(Some(A_WHILE)).expect("a timeout");
    let error = stream.read(&mut [0]).expect_err("silence");
    assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
}

/// Waits for what must become true soon.
pub(crate) fn wait_until(done: impl Fn() -> bool) {
    let started = std::time::Instant::now();
    while !done() {
        assert!(started.elapsed() < PATIENCE, "it never came");
        std::thread::yield_now();
    }
}
