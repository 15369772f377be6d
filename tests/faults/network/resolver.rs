//! A name server that answers, says that it cannot, or says nothing.

use super::NAME_SERVER;
use std::net::{Ipv4Addr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::thread;

/// What it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Mood {
    /// It knows every name of the test.
    Answers,
    /// SERVFAIL to everybody.
    Fails,
    /// It takes questions and never answers.
    Silent,
}

/// The name server of this network.
pub(super) struct NameServer {
    mood: Arc<AtomicU8>,
}

impl NameServer {
    /// Starts it; it lives as long as the process.
    pub(super) fn start(mood: Mood) -> NameServer {
        let socket = UdpSocket::bind((NAME_SERVER, 53)).expect("the port of a name server");
        let mood = Arc::new(AtomicU8::new(mood as u8));
        let seen = mood.clone();
        thread::spawn(move || {
            let mut question = [0; 512];
            while let Ok((length, from)) = socket.recv_from(&mut question) {
                let mood = seen.load(Ordering::Relaxed);
                if let Some(answer) = answer(&question[..length], mood) {
                    // Whoever asked may have gone away.
                    let _ = socket.send_to(&answer, from);
                }
            }
        });
        NameServer { mood }
    }

    pub(super) fn set(&self, mood: Mood) {
        self.mood.store(mood as u8, Ordering::Relaxed);
    }
}

/// The name that stands for an address.
pub(super) fn name_of(ip: Ipv4Addr) -> String {
    format!("n-{}.test", ip.to_string().replace('.', "-"))
}

/// The address of a name of the test.
fn address_of(name: &str) -> Option<Ipv4Addr> {
    let number = name.strip_prefix("n-")?.strip_suffix(".test")?;
    number.replace('-', ".").parse().ok()
}

/// The answer to a question (RFC 1035), if there is one.
fn answer(question: &[u8], mood: u8) -> Option<Vec<u8>> {
    const HEAD: usize = 12;
    const A: [u8; 2] = [0, 1];
    let (mut name, mut at) = (Vec::new(), HEAD);
    loop {
        let length = usize::from(*question.get(at)?);
        at += 1;
        if length == 0 {
            break;
        }
        name.extend_from_slice(question.get(at..at + length)?);
        name.push(b'.');
        at += length;
    }
    let name = String::from_utf8(name).ok()?;
    let asked = question.get(HEAD..at + 4)?;
    let known = address_of(name.trim_end_matches('.'));
    let (code, ip) = match mood {
        mood if mood == Mood::Silent as u8 => return None,
        mood if mood == Mood::Fails as u8 => (2, None),
        _ if known.is_none() => (3, None),
        _ => (0, known.filter(|_| question[at..at + 2] == A)),
    };
    let mut answer = question[..2].to_vec();
    // A response; recursion was desired and is available.
    answer.extend([
        0x81,
        0x80 | code,
        0,
        1,
        0,
        u8::from(ip.is_some()),
        0,
        0,
        0,
        0,
    ]);
    answer.extend_from_slice(asked);
    if let Some(ip) = ip {
        // The name of the question, its type and class, a second to live, four bytes.
        answer.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 1, 0, 4]);
        answer.extend(ip.octets());
    }
    Some(answer)
}
