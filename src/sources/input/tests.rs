//! What a command line may name, and what reading it gives.

use super::*;
use crate::sources::address::AddressPolicy;
use crate::sources::parse::Format;
use std::io::Write;
use std::net::TcpListener;
use std::thread;

fn reading(hint: Scheme) -> Reading {
    Reading {
        hint,
        format: Format::Auto,
        addresses: AddressPolicy::default(),
    }
}

fn check(text: &str, expected: Result<Input, NotAnInput>) {
    assert_eq!(text.parse(), expected, "{text}");
}

fn url(text: &str) -> Input {
    Input::Url(Url::parse(text).unwrap())
}

#[test]
fn an_input_is_a_path_a_url_or_a_dash() {
    check("-", Ok(Input::Stdin));
    check("list.txt", Ok(Input::File("list.txt".into())));
    check("./-", Ok(Input::File("./-".into())));
    check("file:///a%20b", Ok(Input::File("/a b".into())));
    check("HTTPS://a.example/x", Ok(url("https://a.example/x")));
    check("socks5://1.2.3.4:1080", Err(NotAnInput::Proxy));
    check("ftp://a.example/x", Err(NotAnInput::Scheme("ftp".into())));
    let not_a_url = "http://".parse::<Input>();
    assert!(
        matches!(not_a_url, Err(NotAnInput::Url(_))),
        "{not_a_url:?}"
    );
}

#[test]
fn the_name_of_a_url_shows_no_secret() {
    let input = url("https://user:secret@a.example:8443/list?key=secret#x");
    assert_eq!(input.to_string(), "https://a.example:8443/list?…");
    assert_eq!(url("http://a.example").to_string(), "http://a.example/");
    assert_eq!(Input::File("a/b".into()).to_string(), "a/b");
}

#[test]
fn the_words_for_a_protocol_are_those_of_the_configuration() {
    assert_eq!(protocol_hint("auto"), Ok(Scheme::Auto));
    assert_eq!(protocol_hint("SOCKS4"), Ok(Scheme::Socks4));
    assert!(protocol_hint("ftp").unwrap_err().contains("socks5"));
}

/// Gives its pieces one after another, then fails or ends.
struct Pieces(Vec<&'static [u8]>, Option<io::ErrorKind>);

impl Read for Pieces {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match (self.0.is_empty(), self.1.take()) {
            (false, Some(io::ErrorKind::Interrupted)) => Err(io::ErrorKind::Interrupted.into()),
            (false, failure) => {
                self.1 = failure;
                let piece = self.0.remove(0);
                buffer[..piece.len()].copy_from_slice(piece);
                Ok(piece.len())
            }
            (true, None) => Ok(0),
            (true, Some(kind)) => Err(kind.into()),
        }
    }
}

/// What each call of `take` got.
fn read_pieces(pieces: Pieces) -> (Vec<Vec<String>>, Result<Held, InputError>) {
    let mut taken = Vec::new();
    let mut take = |found: Vec<Candidate>| {
        taken.push(found.iter().map(|c| c.url().to_string()).collect());
        Ok(())
    };
    let mut inputs = Inputs::new(reading(Scheme::Auto), Limits::default());
    let held = inputs.read_from(pieces, &mut take);
    (taken, held)
}

#[test]
fn what_arrives_is_handed_on_before_the_next_piece_is_read() {
    let pieces = Pieces(
        vec![b"1.2.3.4:80\n1.2", b".3.5:80", b"\n1.2.3.6:80"],
        Some(io::ErrorKind::Interrupted),
    );
    let (taken, held) = read_pieces(pieces);
    assert_eq!(
        taken,
        [
            ["auto://1.2.3.4:80"],
            ["auto://1.2.3.5:80"],
            ["auto://1.2.3.6:80"]
        ]
    );
    assert_eq!(held.unwrap().candidates, 3);
}

#[test]
fn what_came_before_a_failure_is_handed_on() {
    let (taken, held) = read_pieces(Pieces(vec![b"1.2.3.4:80"], Some(io::ErrorKind::TimedOut)));
    assert_eq!(taken, [["auto://1.2.3.4:80"]]);
    assert!(matches!(held, Err(InputError::Read(_))), "{held:?}");
}

#[test]
fn a_list_without_a_proxy_says_what_was_expected() {
    let text = |list: &'static [u8]| {
        read_pieces(Pieces(vec![list], None))
            .1
            .unwrap_err()
            .to_string()
    };
    let expected = "no proxy found: expected ip:port, scheme://user:pass@host:port, CSV, JSON or HTML (docs/formats.md); ";
    assert_eq!(
        text(b"a\nb\n"),
        format!("{expected}2 lines skipped (noise 2)")
    );
    assert_eq!(
        text(b"a\n10.0.0.1:80"),
        format!("{expected}2 pieces skipped (not_public 1, noise 1)")
    );
    assert_eq!(
        text(b"# a\n"),
        format!("{expected}there is nothing but comments and white space")
    );
}

#[test]
fn the_name_of_a_file_does_not_reach_a_terminal_raw() {
    let input: Input = "a\u{1b}[31m é\\.txt".parse().unwrap();
    assert_eq!(input.to_string(), "a\\u{1b}[31m é\\.txt");
}

#[test]
fn one_line_is_a_line_and_one_piece_a_piece() {
    let check = |list: &'static [u8], end: &str| {
        let text = read_pieces(Pieces(vec![list], None)).1.unwrap_err();
        assert!(text.to_string().ends_with(end), "{text}");
    };
    check(b"a\n", "; 1 line skipped (noise 1)");
    check(b"1.2.3.4:0\n", "; 1 piece skipped (bad_port 1)");
}

#[test]
fn a_missing_file_with_the_name_of_a_proxy_is_told_apart() {
    let check = |name: &str, is_proxy: bool| {
        let input: Input = name.parse().unwrap();
        let read = read(&input, reading(Scheme::Auto), &Limits::default());
        let error = read.unwrap_err();
        assert_eq!(
            matches!(error, InputError::Proxy),
            is_proxy,
            "{name}: {error}"
        );
    };
    check("192.0.2.1:8080", true);
    check("user:pass@proxy.test:1080", true);
    check("[2001:db8::1]:8080", true);
    check("/nonexistent/192.0.2.1:8080", false);
    check("nonexistent.txt", false);
}

#[test]
fn a_list_of_nothing_but_duplicates_is_a_list() {
    let mut inputs = Inputs::new(reading(Scheme::Auto), Limits::default());
    let mut take = |_: Vec<Candidate>| Ok(());
    assert_eq!(
        inputs
            .read_from(&b"1.2.3.4:80"[..], &mut take)
            .unwrap()
            .candidates,
        1
    );
    let held = inputs.read_from(&b"1.2.3.4:80"[..], &mut take).unwrap();
    assert_eq!(
        (held.candidates, held.skipped[Skip::Duplicate as usize]),
        (0, 1)
    );
}

#[test]
fn files_and_urls_are_read_whole() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("list");
    std::fs::write(&path, "1.2.3.4:1\n1.2.3.4:1\n").unwrap();
    let read_one = |input: &Input| read(input, reading(Scheme::Socks4), &Limits::default());
    let parsed = read_one(&Input::File(path)).unwrap();
    assert_eq!(
        parsed.candidates.get(0).unwrap().url().to_string(),
        "socks4://1.2.3.4:1"
    );
    assert_eq!(
        (
            parsed.candidates.len(),
            parsed.skipped[Skip::Duplicate as usize]
        ),
        (1, 1)
    );

    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut request = [0; 4096];
        let length = stream.read(&mut request).unwrap();
        let agent = concat!("proxy-checker/", env!("CARGO_PKG_VERSION"));
        assert!(
            request[..length]
                .windows(agent.len())
                .any(|w| w == agent.as_bytes())
        );
        stream
            .write_all(b"HTTP/1.1 200 OK\r\n\r\n1.2.3.4:2 1.2.3.4:2")
            .unwrap();
    });
    let parsed = read_one(&url(&format!("http://{address}/"))).unwrap();
    assert_eq!(
        parsed.candidates.get(0).unwrap().url().to_string(),
        "socks4://1.2.3.4:2"
    );
    assert_eq!(
        (
            parsed.candidates.len(),
            parsed.skipped[Skip::Duplicate as usize]
        ),
        (1, 1)
    );
    server.join().unwrap();

    let missing = read_one(&Input::File(folder.path().join("missing"))).unwrap_err();
    assert!(missing.to_string().contains("No such file"), "{missing}");
    let directory = read_one(&Input::File(folder.path().into())).unwrap_err();
    assert!(directory.to_string().contains("directory"), "{directory}");
}
