use super::*;
use crate::ledger::Entry;
use crate::store::Image;
use crate::store::contract::random_image;
use fastrand::Rng;
use flate2::Compression;
use flate2::write::GzEncoder;
use proxy_shards::{Protocol, Targets, Verdict};
use std::io::Write;

fn text(image: &Image) -> Vec<u8> {
    let mut out = Vec::new();
    write(image, &mut out).unwrap();
    out
}

fn squeezed(bytes: &[u8]) -> Vec<u8> {
    let mut out = GzEncoder::new(Vec::new(), Compression::fast());
    out.write_all(bytes).unwrap();
    out.finish().unwrap()
}

#[test]
fn an_image_comes_back_with_every_field_squeezed_or_not() {
    for seed in 0..8 {
        let image = random_image(&mut Rng::with_seed(seed), 400);
        let text = text(&image);
        for file in [squeezed(&text), text] {
            let reading = read(plain(io::Cursor::new(file)).unwrap()).unwrap();
            assert!(reading.image == image, "seed {seed}");
            assert_eq!((reading.bad_lines, reading.cut), (0, None), "seed {seed}");
        }
    }
}

#[test]
fn targets_go_by_name() {
    let mut entry = Entry::new("http://9.9.9.9:80".parse().unwrap());
    entry.works.set(Protocol::Http, Targets::from_bits(0b101));
    let image = Image {
        targets: vec!["shop".into(), "news".into()],
        entries: vec![entry].into(),
        ..Image::default()
    };
    let text = String::from_utf8(text(&image)).unwrap();
    assert!(text.contains(r#""works":{"http":["shop",2]}"#), "{text}");
}

/// A file of three entries whose middle line is `line`.
fn with(line: &str) -> String {
    format!(
        "{{\"proxy_checker_ledger\":1,\"targets\":[\"shop\"],\"entries\":3}}\n\
         {{\"url\":\"http://1.1.1.1:1\"}}\n{line}\n{{\"url\":\"http://2.2.2.2:2\"}}"
    )
}

#[test]
fn a_bad_line_is_named_and_the_rest_is_kept() {
    let long = format!(
        r#"{{"url":"http://1.1.1.1:1","x":"{}"}}"#,
        "y".repeat(200_000)
    );
    let cases = [
        ("", Flaw::Json),
        ("\u{0}", Flaw::Json),
        (r#"{"verdict":"alive"}"#, Flaw::Json),
        (r#"{"url":"1.1.1.1"}"#, Flaw::Url),
        (
            r#"{"url":"http://1.1.1.1:1","verdict":"dead"}"#,
            Flaw::Verdict,
        ),
        (
            r#"{"url":"http://1.1.1.1:1","works":{"http":["x"]}}"#,
            Flaw::Target,
        ),
        (
            r#"{"url":"http://1.1.1.1:1","works":{"http":[8]}}"#,
            Flaw::Target,
        ),
        (
            r#"{"url":"http://1.1.1.1:1","exit":{"ip":"1.1.1.1","anonymity":"x"}}"#,
            Flaw::Anonymity,
        ),
        (&long, Flaw::TooLong),
    ];
    for (line, flaw) in cases {
        let reading = read(with(line).as_bytes()).unwrap();
        assert_eq!(reading.bad, [Bad { line: 3, flaw }], "{line:.60}");
        assert_eq!((reading.image.entries.len(), reading.cut), (2, None));
    }
}

#[test]
fn a_url_is_enough() {
    let line = r#"{"url":"socks5://u:p@9.9.9.9:1080","of_a_later_version":1}"#;
    let reading = read(with(line).as_bytes()).unwrap();
    assert_eq!((reading.image.entries.len(), reading.bad_lines), (3, 0));
}

#[test]
fn a_file_that_was_cut_says_so_wherever_it_was_cut() {
    let image = random_image(&mut Rng::with_seed(3), 60);
    let text = text(&image);
    let head = text.iter().position(|&byte| byte == b'\n').unwrap() + 1;
    let packed = squeezed(&text);
    let mut random = Rng::with_seed(4);
    for _ in 0..50 {
        let at = random.usize(head..text.len() - 1);
        let reading = read(&text[..at]).unwrap();
        assert!(reading.cut.is_some() || reading.bad_lines > 0, "at {at}");
        let at = random.usize(packed.len() / 2..packed.len());
        let cut = plain(io::Cursor::new(packed[..at].to_vec())).unwrap();
        let cut = read(cut).map(|reading| reading.cut);
        assert!(!matches!(cut, Ok(None)), "packed, at {at}");
    }
}

#[test]
fn what_is_no_export_is_refused_with_the_reason() {
    let texts = [
        ("", "no export"),
        ("1.2.3.4:80\n", "no export"),
        (r#"{"proxies":[]}"#, "no export"),
        (r#"{"proxy_checker_ledger":2,"new":1}"#, "version 2"),
        (r#"{"proxy_checker_ledger":1}"#, "no export"),
    ];
    for (text, why) in texts {
        let error = read(text.as_bytes()).unwrap_err().to_string();
        assert!(error.contains(why), "{text}: {error}");
    }
}

#[test]
fn people_get_the_alive_as_they_are_used_and_all_if_they_ask() {
    let mut alive = Entry::new("auto://u:p@9.9.9.9:1080".parse().unwrap());
    alive.verdict = Some(Verdict::Alive);
    alive.checked_at_ms = 1_700_000_000_000;
    alive.timing.total_us = 1_500;
    alive.works.set(Protocol::Socks5, Targets::from_bits(1));
    let dead = Entry::new("http://8.8.8.8:80".parse().unwrap());
    let image = Image {
        entries: vec![alive, dead].into(),
        ..Image::default()
    };
    let written = |form, which| {
        let mut out = Vec::new();
        write_for_people(&image, form, which, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    };
    let used = "socks5://u:p@9.9.9.9:1080\n";
    assert_eq!(written(Form::Txt, Which::Alive), used);
    let all = format!("{used}http://8.8.8.8:80\n");
    assert_eq!(written(Form::Txt, Which::All), all);
    let table = written(Form::Csv, Which::All);
    let rows: Vec<&str> = table.lines().collect();
    let first = "auto://u:p@9.9.9.9:1080,socks5://u:p@9.9.9.9:1080,socks5,alive,1.5,\
                 2023-11-14T22:13:20Z,,0,,";
    assert_eq!(
        rows[1..],
        [first, "http://8.8.8.8:80,http://8.8.8.8:80,,,,,,0,,"]
    );
}
