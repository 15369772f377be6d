//! What a peer at random says: bytes of no protocol, pieces of several, or what a real one would say
//! first and then anything. All of it follows from a seed.

use proxy_shards::Protocol;

/// What is said in one go.
const BYTES_MAX: usize = 2_048;
const PIECES_MAX: usize = 40;
const TURNS_MAX: usize = 4;

/// Pieces of every protocol that is probed.
const PIECES: [&[u8]; 30] = [
    b"HTTP/1.1 ",
    b"HTTP/1.0 ",
    b"HTTP/1.",
    b"200",
    b"204",
    b"100 Continue",
    b"407",
    b" OK",
    b"\r\n",
    b"\n",
    b"\r",
    b"\r\n\r\n",
    b"Content-Length: ",
    b"75",
    b"0",
    b"18446744073709551616",
    b"Transfer-Encoding: chunked\r\n",
    b"Content-Type: text/html\r\n",
    b"ffffffffffffffff\r\n",
    b"5;x=y\r\nhello\r\n",
    b"\x05\x00",
    b"\x05\x02",
    b"\x05\x00\x00\x03\xff",
    b"\x00\x5a",
    b"\x16\x03\x03\x00\x40",
    b"\x02\x00\x00\x3c\x03\x03",
    b"\x14\x03\x03\x00\x01\x01",
    b"\x15\x03\x03\x00\x02\x02\x28",
    b"\x17\x03\x03\x40\x00",
    b"<html>",
];

/// How a peer leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Leave {
    /// FIN, and then it reads to the other's end.
    Close,
    /// RST.
    Reset,
    /// It stays and says no more.
    Stay,
}

/// All that a peer says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Speech {
    /// One after another, each when something was heard since the last.
    pub(crate) turns: Vec<Vec<u8>>,
    /// Whether the first does not wait for anything.
    pub(crate) begins: bool,
    /// Bytes that are sent at a time.
    pub(crate) piece: usize,
    pub(crate) leave: Leave,
}

impl Speech {
    /// What a peer says to whom speaks `protocol` to it; the same for the same seed.
    pub(crate) fn of(seed: u64, protocol: Protocol) -> Speech {
        let random = &mut fastrand::Rng::with_seed(seed);
        let mut turns = match random.u8(..3) {
            0 => real_beginning(protocol, random),
            _ => Vec::new(),
        };
        while turns.is_empty() || turns.len() < TURNS_MAX && random.u8(..3) == 0 {
            turns.push(anything(random));
        }
        Speech {
            turns,
            begins: random.u8(..4) == 0,
            piece: match random.u8(..4) {
                0 => random.usize(1..=64),
                _ => BYTES_MAX,
            },
            leave: match random.u8(..16) {
                0 => Leave::Stay,
                1..=4 => Leave::Reset,
                _ => Leave::Close,
            },
        }
    }
}

/// What a proxy says that opens the way, or the beginning of it, with anything to follow.
fn real_beginning(protocol: Protocol, random: &mut fastrand::Rng) -> Vec<Vec<u8>> {
    let replies: &[&[u8]] = match protocol {
        Protocol::Http => &[b"HTTP/1.1 200 Connection established\r\n\r\n"],
        Protocol::Https => &[b"\x16\x03\x03\x00\x7a\x02\x00\x00\x76\x03\x03"],
        Protocol::Socks4 => &[b"\0\x5a\0\0\0\0\0\0"],
        Protocol::Socks5 => &[b"\x05\0", b"\x05\0\0\x01\0\0\0\0\0\0"],
    };
    let mut turns: Vec<Vec<u8>> = replies.iter().map(|reply| reply.to_vec()).collect();
    match random.bool() {
        true => turns.push(anything(random)),
        false => turns
            .last_mut()
            .into_iter()
            .for_each(|last| last.extend(anything(random))),
    }
    turns
}

fn anything(random: &mut fastrand::Rng) -> Vec<u8> {
    let mut said = Vec::new();
    match random.bool() {
        true => {
            let length = random.usize(1..=BYTES_MAX);
            said.extend(std::iter::repeat_with(|| random.u8(..)).take(length));
        }
        false => {
            for _ in 0..random.usize(1..=PIECES_MAX) {
                match random.u8(..8) {
                    0 => said.push(random.u8(..)),
                    1 => said.extend([random.u8(..)].repeat(random.usize(1..100))),
                    _ => said.extend(random.choice(PIECES).unwrap()),
                }
            }
        }
    }
    said
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn a_speech_follows_from_its_seed_and_says_something() {
        let mut all = HashSet::new();
        for seed in 0..200 {
            let protocol = Protocol::ALL[seed as usize % 4];
            let speech = Speech::of(seed, protocol);
            assert_eq!(Speech::of(seed, protocol), speech);
            assert!(!speech.turns.concat().is_empty(), "seed {seed}");
            all.insert(speech.turns);
        }
        assert_eq!(all.len(), 200);
    }
}
