//! The judge's page: written for any request it is read by who asked, tells no more and no less, and
//! changed in any byte it is never taken for the judge's.
//!
//! Input: the peer (17 bytes), whose addresses are ours (a byte), how many fields there are (a byte)
//! and each of them (its name in a byte, then a piece), changes of the page until a zero (how, place,
//! byte), and a page as a peer may make it up.

use super::read::Reader;
use super::{
    Anonymity, Exit, FIELD_BYTES_MAX, FIELDS_MAX, FORWARDING_FIELDS, Nonce, PAGE_BYTES_MAX, page,
};
use crate::Verdict;
use crate::fuzz::Input;
use crate::target::Secret;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

const OURS: &Nonce = b"00112233445566778899aabbccddeeff";
const ANOTHER: &Nonce = b"00112233445566778899aabbccddeefe";
/// Fields of a request at most: more than a page tells.
const FIELDS_OF_A_REQUEST: u8 = FIELDS_MAX as u8 + 4;
/// Longest line of a page: the longest name of a field, and what stands around it.
const LINE_BYTES_MAX: usize = 40 + FIELD_BYTES_MAX;

fn secret(byte: u8) -> Secret {
    Secret::new(&[byte; Secret::BYTES_MIN]).expect("it is long enough")
}

pub(crate) fn judge(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let peer = address(&mut input);
    let own: &[IpAddr] = match input.byte() % 3 {
        0 => &[],
        1 => &[peer],
        _ => &[IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1))],
    };
    let fields: Vec<(&str, &[u8])> = (0..input.byte().min(FIELDS_OF_A_REQUEST))
        .map(|_| (name(input.byte()), input.piece()))
        .collect();
    let nonce = std::str::from_utf8(OURS).expect("digits");
    let written = page(&secret(1), nonce, peer, &fields);
    let reader = Reader::new(&secret(1), own);
    let exit = reader.read(OURS, &written, true);
    check_written(&written, &fields);
    check_exit(exit.expect("the judge's own page"), peer, own, &fields);
    let verdict = |reader: &Reader, nonce, page: &[u8], whole| {
        let read = reader.read(nonce, page, whole);
        read.map(drop).map_err(|rule| rule.verdict())
    };
    let tampered = Err(Verdict::Tampered);
    assert_eq!(verdict(&reader, OURS, &written, false), tampered);
    let stranger = Reader::new(&secret(2), own);
    assert_eq!(verdict(&stranger, OURS, &written, true), tampered);
    let own_page = Err(Verdict::OwnPage);
    assert_eq!(verdict(&reader, ANOTHER, &written, true), own_page);
    let changed = changed(&written, &mut input);
    if changed != written {
        let verdict = verdict(&reader, OURS, &changed, true);
        assert!(verdict == tampered || verdict == own_page, "{verdict:?}");
    }
    let made_up = verdict(&reader, OURS, input.rest(), true);
    assert!(made_up == tampered || made_up == own_page, "{made_up:?}");
}

fn address(input: &mut Input<'_>) -> IpAddr {
    let kind = input.byte();
    let mut bytes = [0; 16];
    bytes.iter_mut().for_each(|byte| *byte = input.byte());
    match kind % 2 {
        0 => IpAddr::V4(Ipv4Addr::new(bytes[0], bytes[1], bytes[2], bytes[3])),
        _ => IpAddr::V6(Ipv6Addr::from(bytes)),
    }
}

/// A name of a field; some are of none that a page tells.
fn name(place: u8) -> &'static str {
    let place = usize::from(place) % (FORWARDING_FIELDS.len() + 1);
    FORWARDING_FIELDS.get(place).copied().unwrap_or("cookie")
}

/// A page has bounds, and a line for each field that it tells, whatever is in that.
fn check_written(page: &[u8], fields: &[(&str, &[u8])]) {
    assert!(page.len() <= PAGE_BYTES_MAX, "{} bytes", page.len());
    let is_plain = |byte: &u8| *byte == b'\n' || (b' '..=b'~').contains(byte);
    assert!(page.iter().all(is_plain), "{}", page.escape_ascii());
    let lines = page.split(|&byte| byte == b'\n');
    assert!(lines.clone().all(|line| line.len() <= LINE_BYTES_MAX));
    let told = lines.filter(|line| line.starts_with(b"field: ")).count();
    let known = fields.iter().filter(|(name, _)| *name != "cookie").count();
    assert_eq!(told, known.min(FIELDS_MAX));
}

fn check_exit(exit: Exit, peer: IpAddr, own: &[IpAddr], fields: &[(&str, &[u8])]) {
    let peer = peer.to_canonical();
    assert_eq!(exit.ip, peer);
    let is_ours = own.iter().any(|ip| ip.to_canonical() == peer);
    let is_told = fields.iter().any(|(name, _)| *name != "cookie");
    match exit.anonymity {
        _ if is_ours => assert_eq!(exit.anonymity, Anonymity::Transparent),
        Anonymity::Elite => assert!(!is_told, "a proxy that shows itself is no elite one"),
        Anonymity::Anonymous | Anonymity::Transparent => assert!(is_told),
    }
}

/// The page with the changes that the input asks for.
fn changed(page: &[u8], input: &mut Input<'_>) -> Vec<u8> {
    let mut page = page.to_vec();
    loop {
        let how = input.byte();
        let (at, byte) = match how {
            0 => return page,
            _ => (input.place() % (page.len() + 1), input.byte()),
        };
        match how % 4 {
            0 => page.truncate(at),
            1 if at < page.len() => page[at] ^= byte,
            2 if at < page.len() => drop(page.remove(at)),
            _ => page.insert(at, byte),
        }
    }
}
