//! The parts that peers play: each is one connection from its first byte to its other end's last.

use super::speech::{Leave, Speech};
use super::spoil::{Spoil, Spoiler};
use proxy_shards::Protocol;
use rustix::net::sockopt;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::task::yield_now;
use tokio::time::timeout;

/// Between two bytes of a drip.
const DRIP: Duration = Duration::from_millis(250);
/// The kernel's send buffer of a flood and of a relay, so that what is counted as said is not far from what was heard.
pub(crate) const FLOOD_SEND_BUFFER: usize = 8 * 1_024;
const READ_BYTES: usize = 16 * 1_024;
/// Longest answer that is kept to be held against the truth.
const KEPT_BYTES_MAX: usize = 64 * 1_024;

/// What a peer does.
#[derive(Clone, Debug)]
pub(crate) enum Part {
    /// Says what follows from a seed to whom speaks this.
    Random(u64, Protocol),
    /// Passes all on to a real proxy and what that says back, spoiled if so.
    Relays(SocketAddr, Option<Spoil>),
    /// A byte of this every now and then, and then its last for ever.
    Drips(&'static [u8]),
    /// Never says anything.
    Silent,
    /// The first, and then the second again and again as fast as it is read.
    Endless(&'static [u8], &'static [u8]),
}

/// What was said on one connection.
#[derive(Debug, Default)]
pub(crate) struct Talk {
    /// What the real proxy behind said, as far as it is kept.
    pub(crate) meant: Vec<u8>,
    /// What was said, as far as it is kept.
    pub(crate) said: Vec<u8>,
    /// Bytes that the kernel took to be sent.
    pub(crate) said_bytes: u64,
}

/// Whether the other end is still there.
type There = Result<(), Gone>;

/// The other end has closed.
struct Gone;

impl Part {
    /// Plays until the other end closes.
    pub(crate) async fn play(&self, stream: TcpStream) -> Talk {
        let mut talk = Talk::default();
        stream.set_nodelay(true).ok();
        // Whoever is gone is gone: that is how each of them ends.
        let _: There = match *self {
            Part::Random(seed, protocol) => {
                recite(stream, Speech::of(seed, protocol), &mut talk).await
            }
            Part::Relays(to, spoil) => relay(stream, to, spoil.map(Spoiler::new), &mut talk).await,
            Part::Drips(words) => drip(stream, words, &mut talk).await,
            Part::Silent => hear_out(stream).await,
            Part::Endless(first, again) => flood(stream, first, again, &mut talk).await,
        };
        talk
    }
}

impl Talk {
    async fn say(&mut self, stream: &mut TcpStream, words: &[u8]) -> There {
        stream.write_all(words).await.map_err(|_| Gone)?;
        keep(&mut self.said, words);
        self.said_bytes += words.len() as u64;
        Ok(())
    }
}

/// Answers are kept whole, floods are not.
fn keep(kept: &mut Vec<u8>, words: &[u8]) {
    let room = KEPT_BYTES_MAX.saturating_sub(kept.len());
    kept.extend_from_slice(&words[..words.len().min(room)]);
}

/// What the other end says next. No buffer is held while it says nothing: there are thousands of them.
async fn hear(stream: &TcpStream, words: &mut Vec<u8>) -> There {
    words.clear();
    while words.is_empty() {
        stream.readable().await.map_err(|_| Gone)?;
        let mut buffer = [0; READ_BYTES];
        match stream.try_read(&mut buffer) {
            Ok(0) => return Err(Gone),
            Ok(count) => words.extend_from_slice(&buffer[..count]),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(_) => return Err(Gone),
        }
    }
    Ok(())
}

/// Everything that the other end says.
async fn hear_out(stream: TcpStream) -> There {
    loop {
        hear(&stream, &mut Vec::new()).await?;
    }
}

/// FIN; then the other end's last word is waited for.
async fn close(mut stream: TcpStream) -> There {
    stream.shutdown().await.map_err(|_| Gone)?;
    hear_out(stream).await
}

async fn recite(mut stream: TcpStream, speech: Speech, talk: &mut Talk) -> There {
    for (at, turn) in speech.turns.iter().enumerate() {
        if at > 0 || !speech.begins {
            hear(&stream, &mut Vec::new()).await?;
        }
        for piece in turn.chunks(speech.piece) {
            talk.say(&mut stream, piece).await?;
            yield_now().await;
        }
    }
    match speech.leave {
        Leave::Close => close(stream).await,
        Leave::Stay => hear_out(stream).await,
        Leave::Reset => {
            sockopt::set_socket_linger(&stream, Some(Duration::ZERO)).ok();
            Ok(())
        }
    }
}

async fn relay(
    mut client: TcpStream,
    to: SocketAddr,
    mut spoiler: Option<Spoiler>,
    talk: &mut Talk,
) -> There {
    sockopt::set_socket_send_buffer_size(&client, FLOOD_SEND_BUFFER).ok();
    let mut proxy = TcpStream::connect(to).await.expect("the farm accepts");
    let (mut up, mut down) = (Vec::new(), Vec::new());
    loop {
        tokio::select! {
            heard = hear(&client, &mut up) => {
                heard?;
                // A proxy that hears no more may still have something to say.
                proxy.write_all(&up).await.ok();
            }
            heard = hear(&proxy, &mut down) => {
                if heard.is_err() {
                    return close(client).await;
                }
                keep(&mut talk.meant, &down);
                let Some(spoiler) = &mut spoiler else {
                    talk.say(&mut client, &down).await?;
                    continue;
                };
                talk.say(&mut client, &spoiler.pass(&down)).await?;
                if spoiler.has_cut_off() {
                    return close(client).await;
                }
            }
        }
    }
}

async fn drip(mut stream: TcpStream, words: &[u8], talk: &mut Talk) -> There {
    let last = words.last().expect("something to say");
    let mut words = words.iter();
    loop {
        match timeout(DRIP, hear(&stream, &mut Vec::new())).await {
            Ok(heard) => heard?,
            Err(_elapsed) => {
                let byte = words.next().unwrap_or(last);
                talk.say(&mut stream, &[*byte]).await?;
            }
        }
    }
}

async fn flood(
    mut stream: TcpStream,
    first: &'static [u8],
    again: &'static [u8],
    talk: &mut Talk,
) -> There {
    sockopt::set_socket_send_buffer_size(&stream, FLOOD_SEND_BUFFER).ok();
    hear(&stream, &mut Vec::new()).await?;
    let mut words = first;
    loop {
        let count = stream.write(words).await.map_err(|_| Gone)?;
        talk.said_bytes += count as u64;
        words = match &words[count..] {
            [] => again,
            rest => rest,
        };
    }
}
