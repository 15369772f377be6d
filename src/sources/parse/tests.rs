//! Whole lists: the golden corpus in pieces of every size, any bytes at all.

use super::*;
use std::collections::HashSet;
use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

fn reading(format: Format) -> Reading {
    Reading {
        hint: Scheme::Auto,
        format,
        addresses: AddressPolicy::default(),
    }
}

fn parser() -> Parser {
    Parser::new(reading(Format::Auto))
}

fn read(bytes: &[u8]) -> Parsed {
    parse(bytes, reading(Format::Auto))
}

/// What an `.expected` file holds: the candidates in order, then what was skipped.
fn written(parsed: &Parsed) -> String {
    let mut out = String::new();
    for candidate in parsed.candidates.iter() {
        writeln!(out, "{}", candidate.url()).unwrap();
    }
    for skip in Skip::ALL {
        let n = parsed.skipped[skip as usize];
        if n > 0 {
            writeln!(out, "skipped: {} {n}", skip.label()).unwrap();
        }
    }
    out
}

/// The lists of the corpus with what they hold.
fn corpus() -> Vec<(PathBuf, Vec<u8>, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/sources/parse/corpus");
    let entries = fs::read_dir(&folder).unwrap();
    let mut lists: Vec<PathBuf> = entries
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e != "expected"))
        .filter(|path| {
            path.file_name()
                .is_some_and(|name| name != ".gitattributes")
        })
        .collect();
    lists.sort();
    assert!(lists.len() >= 40, "{}: {lists:?}", folder.display());
    let with_text = |path: PathBuf| {
        let bytes = fs::read(&path).unwrap();
        let expected = PathBuf::from(format!("{}.expected", path.display()));
        let expected =
            fs::read_to_string(&expected).unwrap_or_else(|e| panic!("{}: {e}", expected.display()));
        (path, bytes, expected)
    };
    lists.into_iter().map(with_text).collect()
}

#[test]
fn the_corpus_is_read_without_a_miss_or_a_false_find() {
    let (mut right, mut wrong, mut missed, mut other) = (0, 0, 0, 0);
    for (path, bytes, expected) in corpus() {
        let got = written(&read(&bytes));
        let is_candidate = |line: &&str| !line.starts_with("skipped:");
        let lines = |text: &str| -> HashSet<String> {
            text.lines()
                .filter(is_candidate)
                .map(String::from)
                .collect()
        };
        let (found, there) = (lines(&got), lines(&expected));
        right += found.intersection(&there).count();
        wrong += found.difference(&there).count();
        missed += there.difference(&found).count();
        if got != expected {
            let path = path.display();
            writeln!(std::io::stderr(), "{path}: read\n{got}expected\n{expected}").unwrap();
            other += 1;
        }
    }
    let share = |of: usize| 100.0 * right as f64 / (right + of) as f64;
    let figures = format!(
        "precision {:.2} %, recall {:.2} %",
        share(wrong),
        share(missed)
    );
    writeln!(std::io::stderr(), "{figures}: {right} candidates").unwrap();
    assert_eq!((wrong, missed, other), (0, 0, 0), "{figures}");
    assert!(right > 100, "{right}");
}

#[test]
fn a_list_in_pieces_of_any_size_reads_the_same() {
    for (path, bytes, expected) in corpus() {
        for size in (1..=17).chain([64, 1000]) {
            let mut parser = parser();
            bytes.chunks(size).for_each(|piece| parser.push(piece));
            let got = written(&parser.finish());
            assert_eq!(got, expected, "{} by {size}", path.display());
        }
        for at in 0..=bytes.len().min(500) {
            let mut parser = parser();
            parser.push(&bytes[..at]);
            parser.push(&bytes[at..]);
            let got = written(&parser.finish());
            assert_eq!(got, expected, "{} at {at}", path.display());
        }
    }
}

#[test]
fn any_bytes_are_read_without_harm_and_the_same_in_pieces() {
    let seed = fastrand::u64(..);
    eprintln!("seed {seed}"); // shown if the test fails
    let mut random = fastrand::Rng::with_seed(seed);
    let pieces: &[&[u8]] = &[
        b"1.2.3.4:80",
        b"1.2.3.4",
        b"8080",
        b"[{\"ip\":\"1.2.3.4\",\"port\":",
        b"\"proxies\":[\"",
        b"{\"",
        b"\":",
        b"}",
        b"]",
        b"\\u0031",
        b"<tr><td>",
        b"</td>",
        b"</tr>",
        b"<script>",
        b"</script>",
        b"<a href=\"",
        b"<!--",
        b"-->",
        b"&#58;",
        b"ip,port,protocol\n",
        b"SOCKS4",
        b"user:pass:",
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
        let mut parser = parser();
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

/// Lines of one proxy each, plain or nearly so: what is read in one step must be what the parser
/// makes of it byte by byte.
#[test]
fn plain_lines_and_their_kin_are_read_the_same_in_one_step_and_byte_by_byte() {
    let seed = fastrand::u64(..);
    eprintln!("seed {seed}"); // shown if the test fails
    let mut random = fastrand::Rng::with_seed(seed);
    let starts = [
        "",
        "",
        "http://",
        "https://",
        "socks4://",
        "socks5://",
        "HTTP://",
        "socks5h://",
        "socks://",
        "ftp://",
        "http:/",
        "http://http://",
        "//",
        "u:p@",
        "http://u:p@",
        " ",
        "-",
    ];
    let hosts = [
        "8.8.8.8",
        "1.2.3.4",
        "10.0.0.1",
        "1.2.3.04",
        "256.1.1.1",
        "a.example",
        "[::1]",
    ];
    let ports = [
        ":80", ":8080", ":25", ":0", ":080", ":65535", ":65536", ":123456", "", ":", ":8x",
    ];
    let ends = [
        "\n",
        "\n",
        "\r\n",
        "/\n",
        " \n",
        "#x\n",
        ":u:p\n",
        " socks5\n",
        ",US\n",
        "\t",
    ];
    let lines = [
        "ip:port,protocol\n",
        "host,port\n",
        "proxy\n",
        "[\n",
        "<td>",
        "# x\n",
        "\n",
    ];
    let mut found = 0;
    for round in 0..2_000 {
        let mut text = String::new();
        for _ in 0..random.usize(1..12) {
            if random.u8(..6) == 0 {
                text += random.choice(lines).unwrap();
            }
            for parts in [&starts[..], &hosts, &ports, &ends] {
                text += random.choice(parts).unwrap();
            }
        }
        for format in [Format::Auto, Format::Lines, Format::Csv, Format::Html] {
            let whole = parse(text.as_bytes(), reading(format));
            let mut parser = Parser::new(reading(format));
            text.bytes().for_each(|byte| parser.push(&[byte]));
            found += whole.candidates.len();
            let expected = written(&parser.finish());
            assert_eq!(
                written(&whole),
                expected,
                "round {round}, {format:?}: {text:?}"
            );
        }
    }
    assert!(found > 1_000, "{found}");
}

#[test]
fn a_run_of_the_longest_length_is_read_and_one_more_byte_is_too_much() {
    let host = |length: usize| format!("1.2.3.4:80:{}", "x".repeat(length - 11));
    let fits = read(host(RUN_BYTES_MAX).as_bytes());
    assert_eq!(written(&fits), "auto://1.2.3.4:80\n");
    let long = read(host(RUN_BYTES_MAX + 1).as_bytes());
    assert_eq!(written(&long), "skipped: too_long 1\n");
}

#[test]
fn a_line_of_many_megabytes_takes_the_memory_of_one_run() {
    let mut parser = parser();
    let piece = vec![b'x'; 1 << 20];
    for _ in 0..16 {
        parser.push(&piece);
        assert!(parser.lines.buffer_bytes() <= 2 * LINE_BYTES_MAX);
    }
    parser.push(b" 1.2.3.4:80");
    assert_eq!(
        written(&parser.finish()),
        "auto://1.2.3.4:80\nskipped: too_long 1\n"
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
    let mut parser = parser();
    parser.push(b"1.2.3.4:80\n1.2.3.5:8");
    assert_eq!(urls(parser.take()), ["auto://1.2.3.4:80"]);
    assert_eq!(urls(parser.take()), [""; 0]);
    parser.push(b"0\n1.2.3.4:80\n");
    assert_eq!(urls(parser.take()), ["auto://1.2.3.5:80"]);
    parser.push(b"1.2.3.6:80");
    assert_eq!(parser.found(), 2);
    let parsed = parser.finish();
    assert_eq!(
        written(&parsed),
        "auto://1.2.3.6:80\nskipped: duplicate 1\n"
    );
}

#[test]
fn the_next_list_starts_on_a_new_line_and_remembers_the_candidates() {
    let mut parser = parser();
    parser.push(b"1.2.3.4:80");
    assert_eq!(parser.end_list(), Skipped::default());
    parser.push(b"81\n1.2.3.4:80\n# to the end");
    let skipped = parser.end_list();
    assert_eq!(describe(&skipped).to_string(), "duplicate 1, noise 1");
    parser.add(read(b"1.2.3.4:80 1.2.3.9:9\nnoise"));
    let parsed = parser.finish();
    let expected = "auto://1.2.3.4:80\nauto://1.2.3.9:9\nskipped: duplicate 1\nskipped: noise 1\n";
    assert_eq!(written(&parsed), expected);
}

#[test]
fn a_format_that_is_named_is_the_only_one_that_is_looked_for() {
    let list = b"ip,port,type\n1.2.3.4,80,socks4\n{\"ip\":\"1.2.3.5\",\"port\":81}\n\
        <tr><td>1.2.3.6</td><td>82</td></tr>\n1.2.3.7:83\n";
    let check = |format: Format, expected: &[&str]| {
        let parsed = parse(list, reading(format));
        let urls: Vec<String> = parsed
            .candidates
            .iter()
            .map(|c| c.url().to_string())
            .collect();
        assert_eq!(urls, expected, "{format:?}");
    };
    let (a, b, c, d) = (
        "socks4://1.2.3.4:80",
        "auto://1.2.3.5:81",
        "auto://1.2.3.6:82",
        "auto://1.2.3.7:83",
    );
    check(Format::Auto, &[a, b, c, d]);
    check(Format::Lines, &[a, d]); // the word beside the proxy
    check(Format::Csv, &[a, d]);
    check(Format::Json, &[b]);
    check(Format::Html, &[a, c, d]);
}

#[test]
fn without_a_header_a_name_of_a_column_is_nothing() {
    let list = b"user,password,ip,port\nuser,pass,1.2.3.4,80\n";
    let csv = parse(list, reading(Format::Csv));
    assert_eq!(written(&csv), "auto://user:pass@1.2.3.4:80\n");
    let lines = parse(list, reading(Format::Lines));
    assert_eq!(written(&lines), "auto://1.2.3.4:80\nskipped: noise 1\n");
}

#[test]
fn json_is_read_among_anything_if_it_is_asked_for() {
    let list = b"callback([{\"ip\":\"1.2.3.4\",\"port\":80}]);\nmore\n\n[1.2.3.5:80]\n";
    let parsed = parse(list, reading(Format::Json));
    assert_eq!(written(&parsed), "auto://1.2.3.4:80\nskipped: noise 3\n");
}

#[test]
fn nesting_without_end_takes_no_memory() {
    let mut parser = parser();
    for _ in 0..1_000 {
        parser.push(&b"[{\"a\":".repeat(1_000));
    }
    parser.push(b"\n1.2.3.4:80\n");
    assert_eq!(parser.finish().candidates.len(), 1);
}

#[test]
fn a_tag_a_string_and_a_value_without_end_take_no_memory() {
    for start in [
        "<a title=\"",
        "<script>",
        "<!--",
        "<b ",
        "{\"ip\":\"",
        "[\"",
        "{\"x\":\"",
        "[1",
        "&",
    ] {
        let mut parser = parser();
        parser.push(b"<i></i>");
        parser.push(start.as_bytes());
        let piece = vec![b'7'; 1 << 20];
        for _ in 0..4 {
            parser.push(&piece);
        }
        let bytes = format!("{parser:?}").len();
        assert!(bytes < 100_000, "{start}: {bytes}");
    }
}
