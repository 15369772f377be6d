//! `proxy-checker health`: asks a running service whether it lives. For health checks of containers
//! whose images have no HTTP client.

use super::probe::values::duration;
use super::serve::listens_at;
use super::status::Failure;
use crate::config::listen_address;
use clap::Args;
use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::path::PathBuf;
use std::time::Duration;

/// Longest answer that is read, in bytes.
const ANSWER_MAX: u64 = 16 << 10;

/// Ask a running service whether it lives: for the health check of a container.
///
/// Of the configuration it needs where the API listens, and no secret.
#[derive(Args, Clone, Debug)]
#[command(after_help = STATUS)]
pub struct HealthArgs {
    /// Configuration file of the service, for api.addr; without it as `serve` finds it
    #[arg(long, short, value_name = "FILE", conflicts_with = "addr")]
    config: Option<PathBuf>,
    /// Where the service listens, instead of api.addr of the configuration
    #[arg(long, value_name = "ADDR")]
    addr: Option<String>,
    /// Ask whether it has published anything, even an empty pool, not only whether it lives
    #[arg(long)]
    ready: bool,
    /// Longest time for the connection and the answer, each: 3s, 500ms, up to 1h; a bare number is
    /// seconds
    #[arg(long, value_name = "TIME", default_value = "3s", value_parser = duration)]
    timeout: Duration,
}

const STATUS: &str = "\
Exit status: 0 it answered 200; 1 it gave no answer or another one; 2 wrong usage.";

/// Prints the answer and succeeds if its status is 200.
///
/// # Errors
/// No answer, or another status; the text says which.
pub fn run(args: &HealthArgs, stdout: &mut dyn Write) -> Result<(), Failure> {
    let at = match &args.addr {
        Some(addr) => listen_address(addr).map_err(Failure::Usage)?,
        None => {
            let at = listens_at(args.config.as_deref());
            at.map_err(|e| Failure::Failed(e.to_string()))?
        }
    };
    let at = reachable(at);
    let path = if args.ready { "/ready" } else { "/health" };
    let (status, body) = ask(at, path, args.timeout)
        .map_err(|error| Failure::Failed(format!("{at}: no answer: {error}")))?;
    if status != 200 {
        let text = format!("{at}: {path} answers {status}: {}", body.escape_debug());
        return Err(Failure::Failed(text));
    }
    // Nobody has to read it.
    let _ = writeln!(stdout, "{}", body.escape_debug());
    Ok(())
}

/// Where a client of this host reaches who listens at `at`.
pub(super) fn reachable(mut at: SocketAddr) -> SocketAddr {
    match at.ip() {
        IpAddr::V4(Ipv4Addr::UNSPECIFIED) => at.set_ip(Ipv4Addr::LOCALHOST.into()),
        IpAddr::V6(Ipv6Addr::UNSPECIFIED) => at.set_ip(Ipv6Addr::LOCALHOST.into()),
        _ => {}
    }
    at
}

/// Status and trimmed body of the answer.
pub(super) fn ask(at: SocketAddr, path: &str, within: Duration) -> io::Result<(u16, String)> {
    let mut stream = TcpStream::connect_timeout(&at, within)?;
    stream.set_read_timeout(Some(within))?;
    stream.set_write_timeout(Some(within))?;
    // In one piece: a server may answer and close before it has read a second one.
    let question = format!("GET {path} HTTP/1.1\r\nHost: {at}\r\nConnection: close\r\n\r\n");
    stream.write_all(question.as_bytes())?;
    let mut answer = Vec::new();
    let read = stream.take(ANSWER_MAX).read_to_end(&mut answer);
    let is_closed = read.as_ref().map_or_else(
        |error| error.kind() == io::ErrorKind::ConnectionReset,
        |count| *count == 0,
    );
    if answer.is_empty() && is_closed {
        return Err(io::Error::other(
            "it was closed without a word, as the service does when this address has too many connections (api.max_connections_per_ip)",
        ));
    }
    read.map_err(|error| match error.kind() {
        io::ErrorKind::WouldBlock => io::Error::other(format!("none within {within:?}")),
        _ => error,
    })?;
    let answer = String::from_utf8_lossy(&answer);
    let status = answer.strip_prefix("HTTP/1.1 ");
    let status = status.and_then(|rest| rest.get(..3)?.parse().ok());
    let status =
        status.ok_or_else(|| io::Error::other("what listens there does not speak HTTP/1.1"))?;
    let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    Ok((status, body.trim().to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;
    use std::thread;

    /// What the command says of a server that answers with these bytes, and what it asked.
    fn against(answer: &'static [u8], ready: bool) -> (Result<String, Failure>, String) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = listener.local_addr().unwrap().to_string();
        let server = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut asked = [0; 1024];
            let length = stream.read(&mut asked).unwrap();
            stream.write_all(answer).unwrap();
            String::from_utf8_lossy(&asked[..length]).into_owned()
        });
        let args = HealthArgs {
            config: None,
            addr: Some(addr),
            ready,
            timeout: Duration::from_secs(5),
        };
        let mut said = Vec::new();
        let ended = run(&args, &mut said).map(|()| String::from_utf8(said).unwrap());
        (ended, server.join().unwrap())
    }

    #[test]
    fn only_200_is_health() {
        let (ended, asked) = against(b"HTTP/1.1 200 OK\r\nX: y\r\n\r\nok\n", false);
        assert_eq!(ended, Ok("ok\n".into()));
        assert!(asked.starts_with("GET /health HTTP/1.1\r\n"), "{asked}");
        let (ended, asked) = against(b"HTTP/1.1 503 No\r\n\r\n{\"error\":\"x\"}", true);
        let text = ended.unwrap_err().to_string();
        assert!(
            text.contains("/ready answers 503: {\\\"error\\\""),
            "{text}"
        );
        assert!(asked.starts_with("GET /ready HTTP/1.1\r\n"), "{asked}");
    }

    #[test]
    fn whatever_else_listens_there_is_no_health_and_is_not_printed_raw() {
        for answer in [&b"SSH-2.0-x\r\n"[..], b"", b"HTTP/1.1 2", b"\x1b[2J\xff"] {
            let (ended, _) = against(answer, false);
            let text = ended.unwrap_err().to_string();
            assert!(!text.contains('\x1b'), "{text:?}");
        }
    }

    #[test]
    fn an_address_that_means_all_is_reached_on_loopback() {
        for (listens, reached) in [
            ("0.0.0.0:1", "127.0.0.1:1"),
            ("[::]:1", "[::1]:1"),
            ("10.0.0.1:1", "10.0.0.1:1"),
        ] {
            let at = reachable(listens.parse().unwrap());
            assert_eq!(at, reached.parse().unwrap());
        }
    }
}
