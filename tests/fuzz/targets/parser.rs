//! Lists of any bytes: read whole and in pieces they hold the same, and what is read can be written
//! and read again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use proxy_checker::sources::address::AddressPolicy;
use proxy_checker::sources::parse::{Format, Parsed, Parser, RUN_BYTES_MAX, Reading, parse};
use proxy_shards::{Candidate, Scheme};
use std::collections::HashSet;

fn reading(format: Format) -> Reading {
    Reading {
        hint: Scheme::Auto,
        format,
        addresses: AddressPolicy::default(),
    }
}

fn in_pieces(bytes: &[u8], size: usize, format: Format) -> Parsed {
    let mut parser = Parser::new(reading(format));
    bytes.chunks(size).for_each(|piece| parser.push(piece));
    parser.finish()
}

fn check(bytes: &[u8], format: Format) -> Parsed {
    let whole = parse(bytes, reading(format));
    let size = 1 + bytes.first().map_or(0, |byte| usize::from(byte % 17));
    let pieces = in_pieces(bytes, size, format);
    assert_eq!(whole.candidates, pieces.candidates, "{format:?} by {size}");
    assert_eq!(whole.skipped, pieces.skipped, "{format:?} by {size}");
    let different: HashSet<Candidate> = whole.candidates.iter().collect();
    assert_eq!(different.len(), whole.candidates.len());
    let events = whole.candidates.len() as u64 + whole.skipped.iter().sum::<u64>();
    assert!(events <= bytes.len() as u64, "{events} of {}", bytes.len());
    whole
}

fuzz_target!(|bytes: &[u8]| {
    for format in Format::ALL {
        let parsed = check(bytes, format);
        for candidate in parsed.candidates.iter() {
            let text = candidate.url().to_string();
            assert_eq!(text.parse::<Candidate>().as_ref(), Ok(&candidate), "{text}");
            if text.len() <= RUN_BYTES_MAX {
                let again = parse(text.as_bytes(), reading(Format::Auto));
                assert!(again.candidates.iter().eq([candidate.clone()]), "{text}");
            }
        }
    }
});
