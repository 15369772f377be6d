//! Bodies that are too large, squeezed, endless, broken or no list at all.

use super::server::{Stream, reply};
use super::turning::{Bad, World};
use super::{SOURCE_TIMEOUT, cap};
use flate2::Compression;
use flate2::write::GzEncoder;
use std::io::{self, Write};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

/// Written at once.
const BLOCK_BYTES: usize = 64 << 10;

const OK: &[u8] = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n";
const CHUNKED: &[u8] = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";

const TOO_LONG: &[&str] = &["longer than"];
const TOO_SLOW: &[&str] = &["not complete after 2 s"];
const BROKEN_OFF: &[&str] = &["the answer broke off"];
const GARBLED: &[&str] = &["the answer cannot be understood"];

fn gzip(parts: impl IntoIterator<Item = Vec<u8>>) -> Vec<u8> {
    let mut squeezed = GzEncoder::new(Vec::new(), Compression::best());
    for part in parts {
        squeezed.write_all(&part).unwrap();
    }
    squeezed.finish().unwrap()
}

/// Writes `block` until so many bytes were written.
fn pour(stream: &mut dyn Stream, block: &[u8], bytes: u64) -> io::Result<()> {
    (0..bytes.div_ceil(block.len() as u64)).try_for_each(|_| stream.write_all(block))
}

/// Lines of comments.
fn comments() -> Vec<u8> {
    b"# this is no proxy\n".repeat(BLOCK_BYTES / 19)
}

/// Lines with a proxy each, all of them different.
fn proxies(lines: u32) -> Vec<u8> {
    let mut text = Vec::new();
    for n in 0..lines {
        let [_, b, c, d] = n.to_be_bytes();
        writeln!(text, "127.{b}.{c}.{d}:9").unwrap();
    }
    text
}

/// What is too much of something.
fn large() -> Vec<Bad> {
    let gigabyte: u64 = 1 << 30;
    let unique = Arc::new(proxies(crate::times(1_000_000, 10_000_000)));
    let short_lines = b"x\n".repeat(crate::times(400_000, 10_000_000));
    let bomb_bytes = crate::times(64, 1_024);
    let bomb = gzip((0..bomb_bytes).map(|_| vec![0; 1 << 20]));
    let twice = gzip([bomb.clone()]);
    assert!(
        bomb.len() <= bomb_bytes << 11,
        "a thousandth of it: {}",
        bomb.len()
    );
    let (bomb, twice) = (Arc::new(bomb), Arc::new(twice));
    let within = (cap() - 1_000) as usize;
    vec![
        Bad::served("a_gigabyte", TOO_LONG, move |to, _, _| {
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {gigabyte}\r\n\r\n");
            to.write_all(head.as_bytes())?;
            pour(to, &comments(), gigabyte)
        }),
        Bad::served("a_gigabyte_unannounced", TOO_LONG, move |to, _, _| {
            to.write_all(OK)?;
            pour(to, &comments(), gigabyte)
        }),
        Bad::served("a_gigabyte_in_chunks", TOO_LONG, move |to, _, _| {
            to.write_all(CHUNKED)?;
            let comments = comments();
            let mut chunk = format!("{:x}\r\n", comments.len()).into_bytes();
            chunk.extend(&comments);
            chunk.extend(b"\r\n");
            pour(to, &chunk, gigabyte)
        }),
        Bad::served("ten_million_proxies", TOO_LONG, move |to, _, _| {
            to.write_all(OK)?;
            to.write_all(&unique)
        }),
        Bad::served("ten_million_lines", &[], move |to, _, text| {
            to.write_all(OK)?;
            to.write_all(&short_lines)?;
            to.write_all(text.as_bytes())
        }),
        Bad::served("one_line_of_100_megabytes", TOO_LONG, |to, _, _| {
            to.write_all(OK)?;
            pour(to, &vec![b'x'; BLOCK_BYTES], 100 << 20)
        }),
        Bad::served("a_long_line_within_the_cap", &[], move |to, _, text| {
            let body = [&vec![b'x'; within], "\n".as_bytes(), text.as_bytes()].concat();
            reply(to, "200 OK", "", &body)
        }),
        Bad::served("zero_bytes_and_a_proxy", &[], move |to, _, text| {
            let body = [&vec![0; within], "\n".as_bytes(), text.as_bytes()].concat();
            reply(to, "200 OK", "", &body)
        }),
        Bad::served("a_bomb", TOO_LONG, move |to, _, _| {
            reply(to, "200 OK", "Content-Encoding: gzip\r\n", &bomb)
        }),
        Bad::served(
            "a_bomb_in_a_bomb",
            &["it is compressed"],
            move |to, _, _| reply(to, "200 OK", "Content-Encoding: gzip\r\n", &twice),
        ),
        Bad::served("gzip_of_half_its_length", BROKEN_OFF, |to, _, _| {
            let list = gzip([b"1.2.3.4:80\n".repeat(1_000)]);
            reply(
                to,
                "200 OK",
                "Content-Encoding: gzip\r\n",
                &list[..list.len() / 2],
            )
        }),
    ]
}

/// What does not come to an end, or not to a good one.
fn endless() -> Vec<Bad> {
    vec![
        Bad::served("a_byte_a_second", TOO_SLOW, |to, _, _| {
            to.write_all(OK)?;
            // The client closes after its timeout.
            (0..10).try_for_each(|_| {
                thread::park_timeout(Duration::from_millis(500));
                to.write_all(b"#")
            })
        }),
        Bad::served("nothing", TOO_SLOW, |to, _, _| {
            // Until the client closes.
            to.read(&mut [0]).map(drop)
        }),
        Bad::served(
            "chunks_without_end",
            &["not complete after", "longer than"],
            |to, _, _| {
                to.write_all(CHUNKED)?;
                pour(to, &b"1\r\n#\r\n".repeat(10_000), 1 << 30)
            },
        ),
        Bad::served(
            "a_chunk_of_a_size_that_overflows",
            GARBLED,
            |to, _, text| {
                to.write_all(CHUNKED)?;
                to.write_all(b"ffffffffffffffffff\r\n")?;
                to.write_all(text.as_bytes())
            },
        ),
        Bad::served("headers_without_end", GARBLED, |to, _, _| {
            to.write_all(b"HTTP/1.1 200 OK\r\n")?;
            pour(to, &b"X-Header: value\r\n".repeat(1_000), 1 << 30)
        }),
        Bad::served("one_header_without_end", GARBLED, |to, _, _| {
            to.write_all(b"HTTP/1.1 200 OK\r\nX-Header: ")?;
            pour(to, &vec![b'x'; BLOCK_BYTES], 1 << 30)
        }),
        Bad::served("answers_to_wait_without_end", TOO_SLOW, |to, _, _| {
            pour(
                to,
                &b"HTTP/1.1 102 Processing\r\n\r\n".repeat(1_000),
                1 << 30,
            )
        }),
        Bad::served("closed_in_the_middle", BROKEN_OFF, |to, _, text| {
            to.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")?;
            to.write_all(text.as_bytes())
        }),
        Bad::served(
            "closed_at_once",
            &["the answer broke off", "cannot connect"],
            |_, _, _| Ok(()),
        ),
        Bad::served("no_http", GARBLED, |to, _, _| {
            to.write_all(b"220 mail.example ESMTP\r\n\r\n")
        }),
    ]
}

/// What ends well and is no list.
fn empty() -> Vec<Bad> {
    vec![
        Bad::served(
            "unchanged_unasked",
            &["answered 304: nothing has changed"],
            |to, _, _| reply(to, "304 Not Modified", "", b""),
        ),
        Bad::served("an_empty_list", &["the list is empty"], |to, _, _| {
            reply(to, "200 OK", "", b"")
        }),
        Bad::served("a_captcha", &["it is a web page"], |to, _, _| {
            let page = b"<!DOCTYPE html><html><title>Just a moment...</title>\
                <p>Ray ID 8f2 &bull; Your IP: 203.0.113.7</p></html>";
            reply(to, "200 OK", "Content-Type: text/html\r\n", page)
        }),
        Bad::served("a_file_of_gzip", &["it is compressed"], |to, _, text| {
            reply(to, "200 OK", "", &gzip([text.as_bytes().to_vec()]))
        }),
        Bad::served("zero_bytes", &["it begins with zero bytes"], |to, _, _| {
            reply(to, "200 OK", "", &[0; 4_096])
        }),
        Bad::served("noise", &["no proxy found in 4096 bytes"], |to, _, _| {
            let noise: Vec<u8> = (0..4_096)
                .map(|n| [0xff, 0x00, 0xfe, 0x1b][n % 4])
                .collect();
            reply(to, "200 OK", "", &noise)
        }),
        Bad::served("noise_and_a_proxy", &[], |to, _, text| {
            let noise: &[u8] = b"\xff\xfe\0\x1b[2J\xc3\n\0\0\xf0\x9f\n";
            reply(
                to,
                "200 OK",
                "",
                &[noise, text.as_bytes(), b"\n", noise].concat(),
            )
        }),
        Bad::served(
            "unavailable",
            &["answered 503: the server is in trouble"],
            |to, _, _| reply(to, "503 Service Unavailable", "", b"1.2.3.4:80\n"),
        ),
    ]
}

fn withstood(of: &str, bad: Vec<Bad>) {
    withstood_within(of, bad, SOURCE_TIMEOUT);
}

fn withstood_within(of: &str, bad: Vec<Bad>, source_timeout: Duration) {
    let _turn = crate::turn();
    let timeout_ms = source_timeout.as_millis() as u64;
    let mut world = World::start(bad, |stage, _, _, _| {
        stage.config["aggregator"]["source_timeout_ms"] = timeout_ms.into();
        None
    });
    world.server.turn();
    world.withstands(of);
    world.ends();
}

#[test]
fn lists_that_are_too_large_cost_no_more_than_the_cap_and_no_one_else_anything() {
    // What is too long must be cut by its length, however slowly a busy machine reads it.
    withstood_within("large", large(), Duration::from_secs(30));
}

#[test]
fn lists_that_do_not_end_are_cut_and_the_others_come_through() {
    withstood("endless", endless());
}

#[test]
fn answers_that_are_no_lists_are_named_and_take_nothing_away() {
    withstood("empty", empty());
}

#[test]
fn forty_silent_sources_hold_up_none_that_speaks() {
    const NAMES: [&str; 40] = [
        "s00", "s01", "s02", "s03", "s04", "s05", "s06", "s07", "s08", "s09", "s10", "s11", "s12",
        "s13", "s14", "s15", "s16", "s17", "s18", "s19", "s20", "s21", "s22", "s23", "s24", "s25",
        "s26", "s27", "s28", "s29", "s30", "s31", "s32", "s33", "s34", "s35", "s36", "s37", "s38",
        "s39",
    ];
    let silent = |name| Bad::served(name, TOO_SLOW, |to, _, _| to.read(&mut [0]).map(drop));
    assert!(
        SOURCE_TIMEOUT >= Duration::from_secs(2),
        "longer than the interval"
    );
    withstood("silent", NAMES.map(silent).into());
}
