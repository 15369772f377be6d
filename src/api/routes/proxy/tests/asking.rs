//! Which questions reach the coordinator, and what becomes of them there.

use super::*;

#[test]
fn an_address_is_read_in_every_form_that_means_one() {
    let server = server();
    for (asked, host, port) in [
        ("1.2.3.4:80", "1.2.3.4", 80),
        ("1.2.3.4%3A80", "1.2.3.4", 80),
        ("http://1.2.3.4:80", "1.2.3.4", 80),
        ("SOCKS5h%3A%2F%2F1.2.3.4:80", "1.2.3.4", 80),
        ("http://1.2.3.4:80/", "1.2.3.4", 80),
        ("[2001:DB8::1]:8080", "[2001:db8::1]", 8080),
        ("%5B2001:db8::1%5D:8080", "[2001:db8::1]", 8080),
        ("Proxy.Example.com:3128", "proxy.example.com", 3128),
        ("1.2.3.4:80?key=x", "1.2.3.4", 80),
    ] {
        let client = asking(&server, "GET", asked);
        let question = question(&server);
        assert_eq!(
            (question.host.to_string().as_str(), question.port),
            (host, port),
            "{asked}"
        );
        question
            .reply
            .send(one(unchecked("http://1.2.3.4:80")))
            .unwrap();
        let address = format!("{host}:{port}");
        assert_eq!(client.join().unwrap().json()["address"], address, "{asked}");
    }
}

#[test]
fn what_is_no_address_is_400_and_asks_nobody() {
    let server = server();
    for asked in [
        "1.2.3.4",
        "1.2.3.4:0",
        "1.2.3.4:70000",
        "1.2.3.4:+80",
        "999.1.1.1:80",
        "01.2.3.4:80",
        "2001:db8::1:80",
        "[2001:db8::1]",
        "ftp://1.2.3.4:80",
        "http://user:pass@1.2.3.4:80",
        "1.2.3.4:80/x",
        "1.2.3.4:80%00",
        "%ff%fe:80",
        "%",
        "/",
        "://",
        ":80",
        "a%0d%0ab:80",
    ] {
        let words = "Invalid address. Must be host:port, an IPv6 address in brackets";
        server.get(&path(asked)).is_refusal(400, words);
    }
    assert!(server.questions.is_empty());
    for path in ["/proxy", "/proxy/", "/Proxy/1.2.3.4:80"] {
        server.get(path).is_refusal(404, "Not found");
    }
}

#[test]
fn a_coordinator_that_is_late_is_503_and_one_that_stops_too() {
    let server = server_within(Limits {
        question_timeout: Duration::from_millis(50),
        ..Limits::default()
    });
    let late = server.get(&path("1.2.3.4:80"));
    late.is_refusal(503, "Not answered in time. Try again later");
    assert_eq!(late.header("retry-after"), Some("1"));

    let server = self::server();
    let client = asking(&server, "GET", "1.2.3.4:80");
    drop(question(&server));
    let words = "Not answered: the service is stopping";
    client.join().unwrap().is_refusal(503, words);
}

#[test]
fn a_question_counts_until_the_coordinator_is_done_with_it_however_soon_clients_give_up() {
    let server = server_within(Limits {
        question_timeout: Duration::from_millis(10),
        questions_max: 2,
        ..Limits::default()
    });
    let late = "Not answered in time. Try again later";
    for _ in 0..2 {
        server.get(&path("1.2.3.4:80")).is_refusal(503, late);
    }
    let busy = "Too many questions are waiting for their answer. Try again later";
    let reply = server.get(&path("1.2.3.4:80"));
    reply.is_refusal(503, busy);
    assert_eq!(reply.header("retry-after"), Some("1"));
    assert_eq!(server.questions.len(), 2);
    assert_eq!(server.get("/stat").status, 200, "others are served");

    // One is answered, too late for its client; its slot is free as soon as the server sees it.
    let _ = question(&server).reply.send(Known::default());
    let start = std::time::Instant::now();
    while server.get(&path("1.2.3.4:80")).json()["error"] == busy {
        assert!(start.elapsed() < crate::api::testing::PATIENCE);
    }
    assert_eq!(server.questions.len(), 2);
}

#[test]
fn head_asks_as_get_does_and_its_body_stays_away() {
    let server = server();
    let client = asking(&server, "HEAD", "1.2.3.4:1080");
    question(&server).reply.send(one(known())).unwrap();
    let reply = client.join().unwrap();
    assert_eq!((reply.status, reply.body.as_str()), (200, ""));
    let post = server.ask("POST", &path("1.2.3.4:80"), "");
    post.is_refusal(405, "Method not allowed");
    assert_eq!(post.header("allow"), Some("GET, HEAD"));
}

#[test]
fn a_key_is_wanted_before_the_address_is_looked_at() {
    let server = server();
    server.configure(settings_with_keys(&["secret"]));
    for address in ["1.2.3.4:80", "nonsense"] {
        let reply = server.get(&path(address));
        reply.is_refusal(401, "Invalid or missing API key");
    }
    assert!(server.questions.is_empty());
}

#[test]
fn the_route_is_the_label_and_never_the_address() {
    let server = server();
    answered(&server, "1.2.3.4:80", Vec::new());
    server.get(&path("hunter2"));
    let page = server.get("/metrics").body;
    let label = r#"endpoint="/proxy/{address}",method="GET",status="400"} 1"#;
    assert!(page.contains(label), "{page}");
    assert!(!page.contains("hunter2") && !page.contains("1.2.3.4"));
}
