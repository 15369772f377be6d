//! The judge as its operator sees it: the real binary.

mod support;

use std::io::Write;
use std::net::TcpStream;
use support::{PATIENCE, Running, ask, run, start_with};

const SECRET: (&str, &str) = ("A_SECRET_OF_TESTS", "00112233445566778899aabbccddeeff");
const NONCE: &str = "ffeeddccbbaa99887766554433221100";

/// A judge on a free port with these further arguments, and its address.
fn judge(more: &[&str]) -> (Running, String) {
    let arguments = ["judge", "--listen", "127.0.0.1:0", "--secret-env", SECRET.0];
    let mut judge = start_with(&[SECRET], &[&arguments, more].concat(), "", None);
    let rest = judge.after("the judge answers on http://");
    let (address, _) = rest.split_once('/').expect(&rest);
    (judge, address.to_owned())
}

#[test]
fn without_a_secret_it_says_how_to_make_one() {
    let ran = run(&["judge", "--secret-env", "NO_SECRET_OF_TESTS"], "");
    assert_eq!(ran.status, Some(1));
    for part in ["--secret-env", "NO_SECRET_OF_TESTS", "openssl rand -hex 32"] {
        assert!(ran.err.contains(part), "{part} in {}", ran.err);
    }
    let short = [("A_SHORT_SECRET", "too short")];
    let arguments = ["judge", "--secret-env", "A_SHORT_SECRET"];
    let ran = start_with(&short, &arguments, "", None).end(PATIENCE);
    assert_eq!(ran.status, Some(1));
    assert!(
        ran.err.contains("has 9 bytes, fewer than 16"),
        "{}",
        ran.err
    );
    assert!(!ran.err.contains("too short"), "{}", ran.err);
}

#[test]
fn a_port_that_is_taken_is_named() {
    let (_judge, address) = judge(&[]);
    let arguments = ["judge", "--listen", &address, "--secret-env", SECRET.0];
    let ran = start_with(&[SECRET], &arguments, "", None).end(PATIENCE);
    assert_eq!(ran.status, Some(1));
    assert!(
        ran.err.contains(&address) && ran.err.contains("--listen"),
        "{}",
        ran.err
    );
}

#[test]
fn it_answers_with_its_page_until_it_is_told_to_stop() {
    for signal in ["TERM", "INT"] {
        let (judge, address) = judge(&[]);
        let (status, page) = ask(&address, "GET", &format!("/?nonce={NONCE}"));
        assert_eq!(status, 200, "{page}");
        for line in [&format!("nonce: {NONCE}"), "peer: 127.0.0.1"] {
            assert!(page.lines().any(|l| l == line), "{line} in {page}");
        }
        assert_eq!(ask(&address, "GET", "/").0, 400);
        let mut silent = TcpStream::connect(&address).expect("it accepts");
        silent.write_all(b"GET /").expect("half a head");
        judge.signal(signal);
        let ran = judge.end(PATIENCE);
        assert_eq!(ran.status, Some(0), "{}", ran.err);
        assert!(ran.err.contains("answered=1"), "{}", ran.err);
    }
}

#[test]
fn a_signal_to_reload_ends_nothing() {
    let (judge, address) = judge(&["--rate", "0"]);
    judge.signal("HUP");
    assert_eq!(ask(&address, "GET", "/").0, 400);
    judge.signal("TERM");
    assert_eq!(judge.end(PATIENCE).status, Some(0));
}
