//! Lists of any bytes, in every form that is looked for – text, CSV, JSON, HTML, and all of them at
//! once – and whatever is said of them: read whole and in pieces they hold the same, what is read can
//! be written and read again, and nothing is kept that may not be dialled.
//!
//! Input: the list. Its first byte is also the size of the pieces, its length the hint.

use crate::sources::address::AddressPolicy;
use crate::sources::parse::{Format, Parsed, Parser, RUN_BYTES_MAX, Reading, parse};
use proxy_shards::{Candidate, Scheme};
use std::collections::HashSet;

fn reading(format: Format, hint: Scheme) -> Reading {
    Reading {
        hint,
        format,
        addresses: AddressPolicy::default(),
    }
}

pub(super) fn parser(bytes: &[u8]) {
    let hint = Scheme::ALL[bytes.len() % Scheme::ALL.len()];
    for format in Format::ALL {
        let parsed = check(bytes, reading(format, hint));
        for candidate in parsed.candidates.iter() {
            let text = candidate.url().to_string();
            assert_eq!(text.parse::<Candidate>().as_ref(), Ok(&candidate), "{text}");
            if text.len() <= RUN_BYTES_MAX {
                let again = parse(text.as_bytes(), reading(Format::Auto, hint));
                assert!(again.candidates.iter().eq([candidate.clone()]), "{text}");
            }
        }
    }
}

fn check(bytes: &[u8], reading: Reading) -> Parsed {
    let format = reading.format;
    let whole = parse(bytes, reading.clone());
    let size = 1 + bytes.first().map_or(0, |byte| usize::from(byte % 17));
    let pieces = in_pieces(bytes, size, reading.clone());
    assert_eq!(whole.candidates, pieces.candidates, "{format:?} by {size}");
    assert_eq!(whole.skipped, pieces.skipped, "{format:?} by {size}");
    let different: HashSet<Candidate> = whole.candidates.iter().collect();
    assert_eq!(different.len(), whole.candidates.len());
    for candidate in &different {
        let may = reading
            .addresses
            .allows_proxy(&candidate.host, candidate.port);
        assert!(may, "{candidate:?}");
    }
    let events = whole.candidates.len() as u64 + whole.skipped.iter().sum::<u64>();
    assert!(events <= bytes.len() as u64, "{events} of {}", bytes.len());
    whole
}

fn in_pieces(bytes: &[u8], size: usize, reading: Reading) -> Parsed {
    let mut parser = Parser::new(reading);
    bytes.chunks(size).for_each(|piece| parser.push(piece));
    parser.finish()
}
