//! Whole inquiries, over peers that a test scripts on loopback.

use super::inquiry::Inquiry;
use super::story::Story;
use super::*;
use crate::commands::check::direct::Addresses;
use crate::commands::probe::Probing;
use proxy_shards::ProbePolicy;
use proxy_shards::policy::PolicyOptions;
use proxy_shards::target::TargetOptions;
use std::net::{Ipv4Addr, TcpListener};
use std::thread;
use std::time::Duration;

fn anywhere() -> AddressPolicy {
    AddressPolicy {
        allow_private: true,
        ..AddressPolicy::default()
    }
}

/// A peer that answers each piece that it reads with the next of `script`, for each connection that
/// it gets anew; behind the last it closes.
fn peer(script: &'static [&'static [u8]]) -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    let serve = move || {
        // Ends with the test.
        for mut stream in listener.incoming().flatten() {
            for answer in script {
                let read = stream.read(&mut [0; 4096]);
                if read.is_err() || stream.write_all(answer).is_err() {
                    break;
                }
            }
        }
    };
    thread::spawn(serve);
    address
}

fn policy(urls: &[&str]) -> ProbePolicy {
    let target = |(place, url): (usize, &&str)| TargetOptions {
        name: format!("t{place}"),
        ..(*url).into()
    };
    ProbePolicy::new(PolicyOptions {
        targets: urls.iter().enumerate().map(target).collect(),
        timeout: Duration::from_secs(5),
        ..PolicyOptions::default()
    })
    .unwrap()
}

/// Inquires after the proxy that `url` names at `address`, without reaching the targets first.
fn inquire(url: &str, address: SocketAddr, targets: &[&str]) -> (bool, Story) {
    inquire_by(url, address, policy(targets))
}

fn inquire_by(url: &str, address: SocketAddr, policy: ProbePolicy) -> (bool, Story) {
    let candidate = read(&format!("{url}{address}"), Scheme::Auto, anywhere()).unwrap();
    let inquiry = Inquiry {
        mask: Mask::new(candidate.credentials.as_deref()),
        targets: Addresses::new(&policy, &names::Found::new()),
        candidate,
        address,
        diary: Rc::new(Diary::new()),
        compile: |policy, _| Rc::new(Plan::new(policy)),
    };
    inquiry.story(Probing {
        policy,
        control: None,
        addresses: AddressPolicy::default(),
        warnings: Vec::new(),
    })
}

const NO_CONTENT: &str = "http://target.test/generate_204";

#[test]
fn a_proxy_that_works_is_told_with_what_was_said_and_no_credentials() {
    let address = peer(&[b"HTTP/1.1 204 No Content\r\nX-Echo: Basic dTNyOnA0c3M=\r\n\r\n"]);
    let (alive, story) = inquire("http://u3r:p4ss@", address, &[NO_CONTENT]);
    assert!(alive);
    assert_eq!(
        (story.verdict, &story.protocols[..]),
        ("alive", &["http"][..])
    );
    let text = story.to_string();
    for word in [
        &format!("http://***@{address}\n"),
        "as http → t0 (http://target.test/generate_204)",
        "Proxy-Authorization: Basic ***\\r\\n",
        "X-Echo: Basic ***\\r\\n",
        "= alive",
        "connect ",
        "first byte ",
        "verdict: alive, as http",
    ] {
        assert!(text.contains(word), "{word}: {text}");
    }
    let json = serde_json::to_string(&story).unwrap();
    for secret in ["u3r", "p4ss", "dTNyOnA0c3M="] {
        assert!(!text.contains(secret) && !json.contains(secret), "{text}");
    }
    let events = &serde_json::to_value(&story).unwrap()["attempts"][0]["events"];
    let whats: Vec<&str> = events
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|e| e["what"].as_str())
        .collect();
    assert_eq!(whats, ["connecting", "connected", "sent", "received"]);
}

#[test]
fn the_credentials_of_socks_are_hidden_too() {
    let address = peer(&[
        b"\x05\x02",
        b"\x01\0",
        b"\x05\0\0\x01\0\0\0\0\0\0",
        b"HTTP/1.1 204 No\r\n\r\n",
    ]);
    let (alive, story) = inquire("socks5://u3r:p4ss@", address, &[NO_CONTENT]);
    let text = story.to_string();
    assert!(alive, "{text}");
    assert!(!text.contains("u3r") && !text.contains("p4ss"), "{text}");
    assert!(text.contains("handshake "), "{text}");
}

/// What is told of a proxy that works, when the user is `a` and the password `b`.
fn short_credentials(scheme: &str, script: &'static [&'static [u8]]) -> String {
    let address = peer(script);
    let (alive, story) = inquire(&format!("{scheme}://a:b@"), address, &[NO_CONTENT]);
    let text = story.to_string();
    assert!(
        alive && text.ends_with(&format!("verdict: alive, as {scheme}\n")),
        "{text}"
    );
    assert!(
        text.contains(&format!("{scheme}://***@{address}\n")),
        "{text}"
    );
    text
}

#[test]
fn credentials_of_one_letter_neither_wreck_the_text_nor_show_themselves() {
    const ANSWER: &[u8] = b"HTTP/1.1 204 No Content\r\nX: a b YTpi\r\n\r\n";
    let text = short_credentials("http", &[ANSWER]);
    for word in [
        r"Cache-Control: no-cache\r\n",
        r"Proxy-Authorization: Basic ***\r\n",
        // It is the proxy that says these, and base64 is too long to be there by chance.
        r"X: a b ***\r\n",
    ] {
        assert!(text.contains(word), "{word}: {text}");
    }
    assert!(!text.contains("YTpi"), "{text}");
    let text = short_credentials("socks4", &[b"\0\x5a\0\0\0\0\0\0", ANSWER]);
    assert!(
        text.contains(r"\x04\x01\x00P\x00\x00\x00\x01***\x00target.test\x00"),
        "{text}"
    );
    const GRANTED: &[u8] = b"\x05\0\0\x01\0\0\0\0\0\0";
    let text = short_credentials("socks5", &[b"\x05\x02", b"\x01\0", GRANTED, ANSWER]);
    assert!(
        text.contains("sent, 5 bytes\n                    \\x01***\n"),
        "{text}"
    );
}

#[test]
fn what_a_terminal_would_obey_and_what_has_no_end_is_neither_printed_raw_nor_whole() {
    const PAGE: &[u8] = &{
        let mut page = [b'x'; 5_000];
        let head = b"HTTP/1.1 200 \x1b[2J\r\nContent-Length: 4000\r\n\r\n";
        let mut at = 0;
        while at < head.len() {
            page[at] = head[at];
            at += 1;
        }
        page
    };
    let address = peer(&[PAGE]);
    let (alive, story) = inquire("http://", address, &[NO_CONTENT]);
    let text = story.to_string();
    assert!(!alive && !text.contains('\x1b'), "{text}");
    assert!(
        text.contains(r"\x1b[2J") && text.contains(" more\n"),
        "{text}"
    );
    assert!(text.len() < 3_000, "{}", text.len());
}

#[test]
fn a_proxy_is_tried_as_a_check_tries_it() {
    let address = peer(&[b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"]);
    let targets = [NO_CONTENT, "http://other.test/generate_204"];
    let (alive, story) = inquire("socks4://", address, &targets);
    assert_eq!((alive, story.verdict), (false, "bad_protocol"));
    assert_eq!(story.attempts.len(), 1, "it holds for each target");
    let (alive, story) = inquire("http://", address, &targets);
    assert_eq!((alive, story.verdict), (false, "own_page"));
    let ways = |story: &Story| story.attempts.iter().map(|a| a.way).collect::<Vec<_>>();
    let (_, story) = inquire("auto://", address, &[NO_CONTENT]);
    assert_eq!(
        (story.verdict, ways(&story)),
        ("own_page", vec!["http", "socks5", "socks4"])
    );
    let note = "not tried, as in a check, because of what the others ended in: https";
    assert!(story.notes.iter().any(|n| n == note), "{:?}", story.notes);
}

#[test]
fn who_is_silent_by_two_protocols_is_not_asked_by_the_others() {
    let silent = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let policy = ProbePolicy::new(PolicyOptions {
        targets: vec![NO_CONTENT.into()],
        timeout: Duration::from_millis(50),
        connect_timeout: Duration::from_millis(50),
        retries: 1,
        ..PolicyOptions::default()
    });
    let address = silent.local_addr().unwrap();
    let (alive, story) = inquire_by("auto://", address, policy.unwrap());
    assert_eq!((alive, story.verdict), (false, "response_timeout"));
    let ways: Vec<_> = story.attempts.iter().map(|a| a.way).collect();
    assert_eq!(ways, ["http", "http", "socks5", "socks5"], "each twice");
}

#[test]
fn an_http_proxy_without_tls_is_not_tried_with_it() {
    let address = peer(&[b"HTTP/1.1 204 No Content\r\n\r\n"]);
    let (alive, story) = inquire("https://", address, &[NO_CONTENT]);
    assert_eq!((alive, &story.protocols[..]), (true, &["http"][..]));
    assert_eq!(story.attempts.len(), 1);
}

#[test]
fn an_address_that_refuses_is_asked_once() {
    let gone = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = gone.local_addr().unwrap();
    drop(gone);
    let (alive, story) = inquire("auto://", address, &[NO_CONTENT]);
    assert_eq!((alive, story.verdict), (false, "refused"));
    assert_eq!(story.attempts.len(), 1);
    let rule = story.attempts[0].rule.as_deref().unwrap();
    assert_eq!(rule, "the connection failed while connecting");
}

#[test]
fn a_target_without_an_address_makes_a_failure_local() {
    let gone = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = gone.local_addr().unwrap();
    drop(gone);
    let policy = policy(&[NO_CONTENT]);
    let inquiry = Inquiry {
        mask: Mask::default(),
        targets: Addresses::new(&policy, &names::Found::new()),
        candidate: read(&format!("http://{address}"), Scheme::Auto, anywhere()).unwrap(),
        address,
        diary: Rc::new(Diary::new()),
        compile: |policy, _| Rc::new(Plan::new(policy)),
    };
    let (alive, story) = inquiry.story(Probing {
        policy,
        control: Some(Duration::from_secs(5)),
        addresses: AddressPolicy::default(),
        warnings: Vec::new(),
    });
    assert_eq!((alive, story.verdict), (false, "local_target"));
    let text = story.to_string();
    for word in [
        "without a proxy → t0",
        "target.test has no address",
        "--no-control-probe",
    ] {
        assert!(text.contains(word), "{word}: {text}");
    }
}

#[test]
fn a_proxy_is_read_in_any_form_that_lists_have() {
    let url = |text: &str, hint| read(text, hint, anywhere()).map(|c| c.url().to_string());
    assert_eq!(
        url("1.2.3.4:80", Scheme::Auto).as_deref(),
        Ok("auto://1.2.3.4:80")
    );
    assert_eq!(
        url("1.2.3.4:80", Scheme::Socks5).as_deref(),
        Ok("socks5://1.2.3.4:80")
    );
    assert_eq!(
        url("socks5h://u:p@a.test:1080", Scheme::Auto).as_deref(),
        Ok("socks5://u:p@a.test:1080")
    );
}

#[test]
fn what_is_no_proxy_is_wrong_usage_and_never_repeated() {
    let refuses = |text: &str, word: &str| {
        let failure = read(text, Scheme::Auto, AddressPolicy::default()).unwrap_err();
        assert!(matches!(failure, Failure::Usage(_)), "{failure}");
        let message = failure.to_string();
        assert!(
            message.contains(word) && !message.contains("s3cret"),
            "{message}"
        );
    };
    refuses("s3cret", "ip:port");
    refuses("http://u:s3cret@1.2.3.4:0", "bad_port");
    refuses("http://u:s3cret@127.0.0.1:80", "--allow-private");
    refuses("http://u:s3cret@1.2.3.4:25", "--deny-port");
    refuses("1.2.3.4:80 1.2.3.5:80", "more than one");
}

#[test]
fn a_name_is_dialled_at_its_first_address_that_is_public() {
    let candidate = read("a.test:80", Scheme::Auto, anywhere()).unwrap();
    let public = AddressPolicy::default();
    let ips = ["10.0.0.1", "8.8.8.8"].map(|ip| ip.parse().unwrap());
    assert_eq!(
        dialled(&candidate, &ips, &public),
        Ok("8.8.8.8:80".parse().unwrap())
    );
    let failure = dialled(&candidate, &ips[..1], &public).unwrap_err();
    assert!(failure.to_string().contains("--allow-private"), "{failure}");
    let failure = dialled(&candidate, &[], &public).unwrap_err();
    assert!(failure.to_string().contains("local_names"), "{failure}");
}
