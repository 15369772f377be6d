//! A target and proxies that reach nothing but it: what it does, everybody's answer is.

use proxy_shards::judge;
use proxy_shards::target::Secret;
use std::collections::BTreeSet;
use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// The judge's secret, and whoever passes for it.
pub(super) const SECRET: &str = "the judge of this test keeps it";
const OTHER_SECRET: &str = "who passes for it can only guess";
/// A connection that is held for nothing ends after this time.
const HELD_MAX: Duration = Duration::from_secs(60);

/// What the target does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mood {
    /// 204, or the sealed page of a judge.
    Honest,
    /// The same after so long.
    Slow(Duration),
    /// It hangs up.
    Closes,
    /// It says nothing.
    Silent,
    /// 200 and a page, whoever is asked for.
    Captive,
    /// 302 to a login.
    Login,
    /// The page of a judge who does not know the secret.
    WrongSeal,
}

/// The world: one thread that accepts, and one for each connection.
pub(super) struct World {
    mood: Arc<Mutex<Mood>>,
    port: u16,
}

impl World {
    /// Starts it; it lives as long as the process.
    pub(super) fn start() -> World {
        let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let mood = Arc::new(Mutex::new(Mood::Honest));
        let seen = mood.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let mood = seen.clone();
                // A peer that has gone away is no failure.
                thread::spawn(move || serve(stream, &mood).ok());
            }
        });
        World { mood, port }
    }

    pub(super) fn set(&self, mood: Mood) {
        *self.mood.lock().unwrap_or_else(PoisonError::into_inner) = mood;
    }

    /// The URL of the target.
    pub(super) fn target(&self) -> String {
        format!("http://127.9.0.1:{}/generate_204", self.port)
    }

    /// So many proxies, as a list has them.
    pub(super) fn proxies(&self, count: u8) -> BTreeSet<String> {
        let proxy = |number| format!("http://127.10.0.{number}:{}", self.port);
        (1..=count).map(proxy).collect()
    }
}

fn serve(mut stream: TcpStream, mood: &Mutex<Mood>) -> std::io::Result<()> {
    stream.set_read_timeout(Some(HELD_MAX))?;
    let mut request = Vec::new();
    let mut piece = [0; 2_048];
    while !request.windows(4).any(|end| end == b"\r\n\r\n") {
        match stream.read(&mut piece)? {
            0 => return Ok(()),
            length => request.extend_from_slice(&piece[..length]),
        }
    }
    let mood = *mood.lock().unwrap_or_else(PoisonError::into_inner);
    let request = String::from_utf8_lossy(&request);
    let peer = stream.local_addr()?.ip();
    let answer = match mood {
        Mood::Honest => honest(&request, peer, SECRET),
        Mood::Slow(time) => {
            let until = Instant::now() + time;
            while Instant::now() < until {
                thread::park_timeout(until.saturating_duration_since(Instant::now()));
            }
            honest(&request, peer, SECRET)
        }
        Mood::Closes => return Ok(()),
        Mood::Silent => {
            // Until the peer has enough of it.
            let ended = stream
                .read(&mut piece)
                .map_or_else(|error| error.kind(), |_| ErrorKind::Other);
            assert_ne!(ended, ErrorKind::WouldBlock, "nobody waits that long");
            return Ok(());
        }
        Mood::Captive => page("text/html", b"<html>Welcome to our hotel</html>"),
        Mood::Login => {
            b"HTTP/1.1 302 Found\r\nLocation: http://login.test/\r\nContent-Length: 0\r\n\r\n"
                .to_vec()
        }
        Mood::WrongSeal => honest(&request, peer, OTHER_SECRET),
    };
    stream.write_all(&answer)
}

/// What the target says when all is well: who asks with a nonce asks a judge.
fn honest(request: &str, peer: IpAddr, secret: &str) -> Vec<u8> {
    match request.split_once("nonce=") {
        Some((_, behind)) => {
            let nonce: String = behind.chars().take_while(char::is_ascii_hexdigit).collect();
            let secret = Secret::new(secret.as_bytes()).expect("long enough");
            page(
                "text/html; charset=utf-8",
                &judge::page(&secret, &nonce, peer, &[]),
            )
        }
        None => b"HTTP/1.1 204 No Content\r\n\r\n".to_vec(),
    }
}

fn page(kind: &str, body: &[u8]) -> Vec<u8> {
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}
