//! The rows of a check.

use super::*;
use proxy_shards::target::TargetOptions;
use proxy_shards::{Anonymity, Exit, Require};

/// Two targets, of which one must be reached.
fn goals() -> Goals {
    let named = |name: &str| TargetOptions {
        name: name.into(),
        ..TargetOptions::default()
    };
    let policy = ProbePolicy::new(PolicyOptions {
        targets: vec![named("page"), named("judge")],
        require: Require::Any,
        ..PolicyOptions::default()
    });
    Goals::new(&policy.unwrap())
}

/// Prints one record for each verdict, in the given order.
fn print(format: Format, all: bool, rows: &[(&str, Record)]) -> String {
    let list = list(rows.iter().map(|(url, _)| url.to_string()));
    let mut out = Vec::new();
    let mut printed = Rows::new(format, all, goals(), &mut out).unwrap();
    for (index, (_, record)) in (0..).zip(rows) {
        printed.push(&list, index, record).unwrap();
    }
    printed.finish(&list).unwrap();
    String::from_utf8(out).unwrap()
}

/// One that reaches the page by SOCKS 5, and also the judge by HTTP.
fn alive(total_us: u32) -> Record {
    let mut works = Works::default();
    works.set(Protocol::Socks5, Targets::NONE.with(0));
    works.set(Protocol::Http, Targets::first(2));
    Record {
        works,
        first: Some(Protocol::Socks5),
        timing: Timing {
            total_us,
            connect_us: 1_000,
            handshake_us: 100,
            tls_us: 0,
            first_byte_us: 50,
        },
        exit: Some(Exit {
            ip: [198, 51, 100, 7].into(),
            anonymity: Anonymity::Elite,
        }),
        ..record(0, Verdict::Alive)
    }
}

fn silent() -> Record {
    Record {
        attempts: 3,
        timing: Timing::default(),
        ..record(0, Verdict::ConnectTimeout)
    }
}

#[test]
fn text_is_the_alive_as_they_are_used_with_the_fastest_first() {
    let rows = [
        ("auto://192.0.2.1:80", alive(9_000)),
        ("socks5://192.0.2.2:80", silent()),
        ("socks5://u:p%3A@192.0.2.3:80", alive(1_234)),
        ("http://[2001:db8::1]:80", record(0, Verdict::Alive)),
    ];
    let urls = "socks5://u:p%3A@192.0.2.3:80\nhttp://[2001:db8::1]:80\nsocks5://192.0.2.1:80\n";
    assert_eq!(print(Format::Txt, false, &rows), urls);
    let with_verdicts = "\
        socks5://u:p%3A@192.0.2.3:80\talive\t1.234\n\
        http://[2001:db8::1]:80\talive\t2.5\n\
        socks5://192.0.2.1:80\talive\t9\n\
        socks5://192.0.2.2:80\tconnect_timeout\t-\n";
    assert_eq!(print(Format::Txt, true, &rows), with_verdicts);
}

#[test]
fn a_json_line_has_every_key_and_null_for_what_is_not_known() {
    let rows = [
        ("auto://u:p@192.0.2.3:80", alive(1_234)),
        ("http://192.0.2.2:80", silent()),
    ];
    let expected = concat!(
        r#"{"proxy":"auto://u:p@192.0.2.3:80","address":"192.0.2.3:80","protocol":"socks5","#,
        r#""verdict":"alive","latency_ms":1.234,"connect_ms":1.0,"attempts":1,"#,
        r#""url":"socks5://u:p@192.0.2.3:80","protocols":["http","socks5"],"targets":["page"],"#,
        r#""exit":"198.51.100.7","anonymity":"elite","handshake_ms":0.1,"tls_ms":null,"first_byte_ms":0.05}"#,
        "\n",
        r#"{"proxy":"http://192.0.2.2:80","address":"192.0.2.2:80","protocol":"http","#,
        r#""verdict":"connect_timeout","latency_ms":null,"connect_ms":null,"attempts":3,"#,
        r#""url":null,"protocols":[],"targets":[],"exit":null,"anonymity":null,"#,
        r#""handshake_ms":null,"tls_ms":null,"first_byte_ms":null}"#,
        "\n",
    );
    assert_eq!(print(Format::Jsonl, true, &rows), expected);
}

#[test]
fn csv_has_a_header_even_without_a_row() {
    let header = "proxy,address,protocol,verdict,latency_ms,connect_ms,attempts,url,protocols,targets,exit,anonymity,handshake_ms,tls_ms,first_byte_ms\n";
    let rows = [
        ("auto://u:p@192.0.2.3:80", alive(1_234)),
        ("http://192.0.2.2:80", silent()),
    ];
    assert_eq!(print(Format::Csv, false, &rows[1..]), header);
    let expected = format!(
        "{header}auto://u:p@192.0.2.3:80,192.0.2.3:80,socks5,alive,1.234,1.0,1,socks5://u:p@192.0.2.3:80,http;socks5,page,198.51.100.7,elite,0.1,,0.05\n\
         http://192.0.2.2:80,192.0.2.2:80,http,connect_timeout,,,3,,,,,,,,\n"
    );
    assert_eq!(print(Format::Csv, true, &rows), expected);
}

#[test]
fn in_connect_only_mode_no_protocol_is_known_and_the_proxy_is_used_as_listed() {
    let knocked = Record {
        works: Works::default(),
        first: None,
        ..record(0, Verdict::Alive)
    };
    let rows = [("socks5://192.0.2.1:80", knocked)];
    assert_eq!(print(Format::Txt, false, &rows), "socks5://192.0.2.1:80\n");
    let line: serde_json::Value =
        serde_json::from_str(&print(Format::Jsonl, false, &rows)).unwrap();
    assert_eq!(line["url"], "socks5://192.0.2.1:80");
    assert_eq!(line["protocols"], serde_json::json!([]));
}
