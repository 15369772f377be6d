//! Whole lists: the golden corpus, cuts at every byte, any bytes at all.

use super::*;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

const PUBLIC: AddressPolicy = AddressPolicy {
    allow_private: false,
};

fn read(bytes: &[u8]) -> Parsed {
    parse(bytes, Scheme::Auto, PUBLIC)
}

/// What a `.out` file holds: the candidates in order, then what was skipped.
fn written(parsed: &Parsed) -> String {
    let mut out = String::new();
    for candidate in &parsed.candidates {
        writeln!(out, "{}", candidate.url()).unwrap();
    }
    for skip in Skip::ALL {
        let n = parsed.skipped[skip as usize];
        if n > 0 {
            writeln!(out, "skipped {} {n}", skip.label()).unwrap();
        }
    }
    out
}

/// The lists of the corpus with what they hold.
fn corpus() -> Vec<(PathBuf, Vec<u8>, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/sources/testdata");
    let entries = fs::read_dir(&folder).unwrap();
    let mut lists: Vec<PathBuf> = entries
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == "txt"))
        .collect();
    lists.sort();
    assert!(lists.len() >= 10, "{}: {lists:?}", folder.display());
    let with_text = |path: PathBuf| {
        let bytes = fs::read(&path).unwrap();
        let out = path.with_extension("out");
        let expected =
            fs::read_to_string(&out).unwrap_or_else(|e| panic!("{}: {e}", out.display()));
        (path, bytes, expected)
    };
    lists.into_iter().map(with_text).collect()
}

#[test]
fn every_list_of_the_corpus_holds_what_its_out_file_says() {
    for (path, bytes, expected) in corpus() {
        assert_eq!(written(&read(&bytes)), expected, "{}", path.display());
    }
}

#[test]
fn a_list_cut_anywhere_reads_the_same() {
    for (path, bytes, expected) in corpus() {
        for at in 0..=bytes.len() {
            let mut parser = Parser::new(Scheme::Auto, PUBLIC);
            parser.push(&bytes[..at]);
            parser.push(&bytes[at..]);
            assert_eq!(
                written(&parser.finish()),
                expected,
                "{} at {at}",
                path.display()
            );
        }
        let mut parser = Parser::new(Scheme::Auto, PUBLIC);
        bytes.chunks(1).for_each(|byte| parser.push(byte));
        assert_eq!(written(&parser.finish()), expected, "{}", path.display());
    }
}

#[test]
fn any_bytes_are_read_without_harm_and_the_same_in_pieces() {
    let seed = fastrand::u64(..);
    eprintln!("seed {seed}"); // shown if the test fails
    let mut random = fastrand::Rng::with_seed(seed);
    let pieces: &[&[u8]] = &[
        b"1.2.3.4:80",
        b"socks5://",
        b"user:pa%ff@",
        b"[2606:4700::1]:1",
        b"\n",
        b"\r",
        b" ",
        b"#",
        b"//",
        b"\xef\xbb\xbf",
        b"\0",
        b":",
        b"@",
        b"/",
        b"[",
        b"]",
        b"%",
        b".",
        b"999",
        b"\xff",
        b"a.b",
        b"::1",
    ];
    for round in 0..3_000 {
        let mut bytes = Vec::new();
        while bytes.len() < random.usize(1..300) {
            match random.u8(..8) {
                0 => bytes.push(random.u8(..)),
                _ => bytes.extend_from_slice(pieces[random.usize(..pieces.len())]),
            }
        }
        let expected = written(&read(&bytes));
        let mut parser = Parser::new(Scheme::Auto, PUBLIC);
        let mut rest = &bytes[..];
        while !rest.is_empty() {
            let (piece, left) = rest.split_at(random.usize(1..=rest.len()));
            parser.push(piece);
            rest = left;
        }
        let text = bytes.escape_ascii();
        assert_eq!(written(&parser.finish()), expected, "round {round}: {text}");
    }
}

#[test]
fn a_run_of_the_longest_length_is_read_and_one_more_byte_is_too_much() {
    let host = |length: usize| format!("1.2.3.4:80:{}", "x".repeat(length - 11));
    let fits = read(host(RUN_BYTES_MAX).as_bytes());
    assert_eq!(written(&fits), "http://1.2.3.4:80\n");
    let long = read(host(RUN_BYTES_MAX + 1).as_bytes());
    assert_eq!(written(&long), "skipped too_long 1\n");
}

#[test]
fn a_line_of_many_megabytes_takes_the_memory_of_one_run() {
    let mut parser = Parser::new(Scheme::Auto, PUBLIC);
    let piece = vec![b'x'; 1 << 20];
    for _ in 0..16 {
        parser.push(&piece);
        assert!(parser.pending.capacity() <= 2 * RUN_BYTES_MAX);
    }
    parser.push(b" 1.2.3.4:80");
    assert_eq!(
        written(&parser.finish()),
        "http://1.2.3.4:80\nskipped too_long 1\n"
    );
}

#[test]
fn a_long_comment_is_not_a_long_run() {
    for start in ["#", "//", "\u{feff}#", "\u{feff}//", "1.2.3.4:80 #"] {
        let text = format!("{start}{}\n1.2.3.4:80", "x".repeat(5 * RUN_BYTES_MAX));
        let parsed = read(text.as_bytes());
        assert_eq!(parsed.candidates.len(), 1, "{start}");
        assert_eq!(parsed.skipped[Skip::TooLong as usize], 0, "{start}");
    }
}

#[test]
fn candidates_are_taken_while_the_list_goes_on() {
    let urls = |candidates: Vec<Candidate>| -> Vec<String> {
        candidates.iter().map(|c| c.url().to_string()).collect()
    };
    let mut parser = Parser::new(Scheme::Auto, PUBLIC);
    parser.push(b"1.2.3.4:80\n1.2.3.5:8");
    assert_eq!(urls(parser.take()), ["http://1.2.3.4:80"]);
    assert_eq!(urls(parser.take()), [""; 0]);
    parser.push(b"0\n1.2.3.4:80\n");
    assert_eq!(urls(parser.take()), ["http://1.2.3.5:80"]);
    parser.push(b"1.2.3.6:80");
    assert_eq!(parser.found(), 2);
    let parsed = parser.finish();
    assert_eq!(written(&parsed), "http://1.2.3.6:80\nskipped duplicate 1\n");
}

#[test]
fn the_next_list_starts_on_a_new_line_and_remembers_the_candidates() {
    let mut parser = Parser::new(Scheme::Auto, PUBLIC);
    parser.push(b"1.2.3.4:80");
    assert_eq!(parser.end_list(), Skipped::default());
    parser.push(b"81\n1.2.3.4:80\n# to the end");
    let skipped = parser.end_list();
    assert_eq!(describe(&skipped).to_string(), "duplicate 1, noise 1");
    parser.add(read(b"1.2.3.4:80 1.2.3.9:9\nnoise"));
    let parsed = parser.finish();
    let expected = "http://1.2.3.4:80\nhttp://1.2.3.9:9\nskipped duplicate 1\nskipped noise 1\n";
    assert_eq!(written(&parsed), expected);
}
