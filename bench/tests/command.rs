//! The binary, as a script uses it.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

const TRUTH: &str = r#"{"proxy":"http://127.4.0.0:1","behaviour":"forwards","verdicts":["alive"]}"#;

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_proxy-bench"));
    command.args(arguments).stderr(Stdio::piped());
    command
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a path that is text")
}

/// A farm that serves, and the line that says so. Its end comes with that of its input.
fn serving(command: &mut Command) -> (Child, String, BufReader<ChildStdout>) {
    let command = command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().expect("the binary");
    let mut out = BufReader::new(child.stdout.take().expect("a pipe"));
    let mut ready = String::new();
    out.read_line(&mut ready).expect("a line");
    (child, ready, out)
}

#[test]
fn a_farm_writes_its_list_and_its_truth_and_ends_with_its_input() {
    let folder = tempfile::tempdir().expect("a folder");
    let (list, truth) = (folder.path().join("list"), folder.path().join("truth"));
    let (child, ready, _out) = serving(&mut command(&[
        "farm",
        "--count",
        "6",
        "--behaviour",
        "forwards,own_page,socks5",
        "--aim",
        "page",
        "--list",
        text(&list),
        "--truth",
        text(&truth),
        "--serve-list",
        "--until-eof",
    ]));
    assert!(ready.starts_with("ready: 6 proxies on ports "), "{ready}");

    let list = fs::read_to_string(list).expect("a list");
    let truth = fs::read_to_string(truth).expect("a truth");
    assert_eq!((list.lines().count(), truth.lines().count()), (6, 6));
    for (proxy, line) in list.lines().zip(truth.lines()) {
        assert!(line.contains(&format!("\"proxy\":\"{proxy}\"")), "{line}");
    }
    let host = list
        .lines()
        .next()
        .expect("a proxy")
        .trim_start_matches("http://");
    let mut stream = TcpStream::connect(host).expect("a connection");
    stream
        .write_all(b"GET http://t/ HTTP/1.0\r\nHost: t\r\n\r\n")
        .expect("sent");
    let answer = std::io::read_to_string(stream).expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 200 OK"));

    let output = child.wait_with_output().expect("the end");
    assert!(output.status.success());
    let report = String::from_utf8(output.stderr).expect("text");
    assert!(
        report
            .lines()
            .any(|l| l.split_whitespace().eq(["forwards", "1", "1"])),
        "{report}"
    );
}

#[test]
fn a_list_without_schemes_has_its_own_truth_and_the_target_its_authority_and_secret() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = |name: &str| folder.path().join(name);
    let (list, truth, ca, secret) = (file("list"), file("truth"), file("ca"), file("secret"));
    let (child, ready, _out) = serving(&mut command(&[
        "farm",
        "--count",
        "2",
        "--behaviour",
        "forwards_auth,socks5_as_http",
        "--aim",
        "judge_tls",
        "--auto",
        "--list",
        text(&list),
        "--truth",
        text(&truth),
        "--ca-out",
        text(&ca),
        "--secret-out",
        text(&secret),
        "--until-eof",
    ]));
    assert!(
        ready.contains("target https://127.0.0.1:") && ready.ends_with("/judge\n"),
        "{ready}"
    );
    let list = fs::read_to_string(list).expect("a list");
    let lines: Vec<&str> = list.lines().collect();
    assert!(
        lines[0].starts_with("user:pass@127.") && lines[1].starts_with("127."),
        "{list}"
    );
    let truth = fs::read_to_string(truth).expect("a truth");
    assert!(
        truth.contains(r#""verdicts":["alive"],"protocols":["socks5"]"#),
        "{truth}"
    );
    let ca = fs::read_to_string(ca).expect("a certificate");
    assert!(ca.starts_with("-----BEGIN CERTIFICATE-----"), "{ca}");
    assert_eq!(
        fs::read_to_string(secret).expect("a secret"),
        proxy_bench::farm::JUDGE_SECRET
    );
    assert!(child.wait_with_output().expect("the end").status.success());
}

#[test]
fn a_signal_takes_the_target_away_and_the_next_brings_it_back() {
    let folder = tempfile::tempdir().expect("a folder");
    let list = folder.path().join("list");
    let (mut child, ready, mut out) = serving(&mut command(&["farm", "--list", text(&list)]));
    let target = ready.trim_end().rsplit("http://").next().expect("a target");
    let address = target.split('/').next().expect("an address").to_owned();
    let process = rustix::process::Pid::from_child(&child);
    let mut toggle = || {
        rustix::process::kill_process(process, rustix::process::Signal::USR1).expect("sent");
        let mut line = String::new();
        out.read_line(&mut line).expect("a line");
        let mut stream = TcpStream::connect(&address).expect("a connection");
        let sent = stream.write_all(b"GET /generate_204 HTTP/1.0\r\nHost: t\r\n\r\n");
        let answer = sent.and_then(|()| std::io::read_to_string(stream));
        (
            line,
            answer.is_ok_and(|answer| answer.starts_with("HTTP/1.1 204 ")),
        )
    };
    assert_eq!(toggle(), ("target: down\n".to_owned(), false));
    assert_eq!(toggle(), ("target: up\n".to_owned(), true));
    rustix::process::kill_process(process, rustix::process::Signal::TERM).expect("sent");
    assert!(child.wait().expect("the end").success());
}

#[test]
fn a_farm_ends_in_order_on_a_signal() {
    let folder = tempfile::tempdir().expect("a folder");
    let list = folder.path().join("list");
    let (mut child, ready, _out) = serving(&mut command(&["farm", "--list", text(&list)]));
    assert!(ready.starts_with("ready: 20000 proxies"), "{ready}");
    let process = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(process, rustix::process::Signal::TERM).expect("sent");
    assert!(child.wait().expect("the end").success());
}

#[test]
fn a_list_that_slides_has_a_new_truth_and_who_left_it_is_dead() {
    let folder = tempfile::tempdir().expect("a folder");
    let (list, truth) = (folder.path().join("list"), folder.path().join("truth"));
    let (mut child, ready, mut out) = serving(&mut command(&[
        "farm",
        "--count",
        "4",
        "--behaviour",
        "forwards",
        "--list",
        text(&list),
        "--truth",
        text(&truth),
        "--serve-list",
        "--until-eof",
    ]));
    let url = ready.trim_end().rsplit("http://").next().expect("a URL");
    let (host, path) = url.split_once('/').expect("a path");
    let ask = |proxy: &str, path: &str| {
        let mut stream = TcpStream::connect(proxy).expect("a connection");
        let sent = write!(stream, "GET {path} HTTP/1.0\r\nHost: t\r\n\r\n");
        sent.and_then(|()| std::io::read_to_string(stream))
    };
    let proxies = || -> Vec<String> {
        let list = fs::read_to_string(&list).expect("a list");
        let proxy = |line: &str| line.trim_start_matches("http://").to_owned();
        list.lines().map(proxy).collect()
    };
    let before = proxies();
    let mut input = child.stdin.take().expect("a pipe");
    let mut tell = |line: &str| {
        writeln!(input, "{line}").expect("told");
        let mut answer = String::new();
        out.read_line(&mut answer).expect("a line");
        answer
    };
    assert_eq!(tell("jump"), "not understood: jump\n");
    assert_eq!(tell("slide 3"), "list: from 3\n");
    let after = proxies();
    assert_eq!((after.len(), &after[0]), (4, &before[3]));
    let served = ask(host, &format!("/{path}")).expect("an answer");
    let served = served.split_once("\r\n\r\n").expect("a body").1;
    assert_eq!(served, fs::read_to_string(&list).expect("a list"));
    assert!(
        fs::read_to_string(&truth)
            .expect("a truth")
            .contains(&after[3])
    );
    let lives = |proxy: &str| ask(proxy, "http://t/").is_ok_and(|answer| !answer.is_empty());
    assert!(after.iter().all(|proxy| lives(proxy)));
    assert!(!before[..3].iter().any(|proxy| lives(proxy)));
    drop(input);
    assert!(child.wait().expect("the end").success());
}

#[test]
fn an_unknown_behaviour_is_an_error_that_lists_the_known_ones() {
    let output = command(&["farm", "--behaviour", "nice", "--list", "/dev/null"]).output();
    let output = output.expect("the binary");
    let error = String::from_utf8(output.stderr).expect("text");
    assert!(!output.status.success());
    assert!(
        error.contains("\"nice\"") && error.contains("black_hole"),
        "{error}"
    );
}

#[test]
fn compare_tells_by_its_exit_code_whether_the_results_are_true() {
    let folder = tempfile::tempdir().expect("a folder");
    let (truth, results) = (folder.path().join("truth"), folder.path().join("results"));
    fs::write(&truth, TRUTH).expect("written");
    let code = |verdict: &str| {
        let line = format!(r#"{{"proxy":"http://127.4.0.0:1","verdict":"{verdict}"}}"#);
        fs::write(&results, line).expect("written");
        let files = [
            "compare",
            "--truth",
            text(&truth),
            "--results",
            text(&results),
            "--timing",
        ];
        let output = command(&files).output().expect("the binary");
        (
            output.status.code(),
            String::from_utf8(output.stdout).expect("text"),
        )
    };
    assert_eq!(code("alive").0, Some(0));
    let (exit, out) = code("closed");
    assert_eq!(exit, Some(1));
    assert!(out.contains("! alive"), "{out}");
    fs::remove_file(&truth).expect("removed");
    let files = [
        "compare",
        "--truth",
        text(&truth),
        "--results",
        text(&results),
    ];
    let output = command(&files).output().expect("the binary");
    assert_eq!(output.status.code(), Some(2));
}
