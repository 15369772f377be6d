//! Reports, over the wire and against a coordinator that is the test.

use crate::api::limits::Limits;
use crate::api::testing::{PATIENCE, Reply, Server, send, settings_with_keys};
use crate::coordinator::{Event, Hearsay};
use crate::ledger::Experience;
use crate::snapshot::{Stat, TargetStat};
use std::thread::{self, JoinHandle};
use std::time::Duration;

const GOOD: &str = r#"{"address":"1.2.3.4:80","outcome":"fail"}"#;

fn server_within(limits: Limits) -> Server {
    let server = Server::within(limits);
    let target = |name: &str| TargetStat {
        name: name.into(),
        ..TargetStat::default()
    };
    let stat = Stat {
        targets: vec![target("shop"), target("mail")],
        ..Stat::default()
    };
    server.publish(Vec::new(), stat);
    server
}

fn server() -> Server {
    server_within(Limits::default())
}

fn request(body: &str, key: &str) -> Vec<u8> {
    let length = body.len();
    format!(
        "POST /report HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nX-Api-Key: {key}\r\n\
         Content-Length: {length}\r\n\r\n{body}"
    )
    .into()
}

fn post(server: &Server, body: &str) -> Reply {
    server.send(&request(body, ""))
}

fn posting(server: &Server, body: &str, key: &str) -> JoinHandle<Reply> {
    let (to, request) = (server.address, request(body, key));
    thread::spawn(move || send(to, &request))
}

fn said(server: &Server) -> Hearsay {
    match server.questions.recv_timeout(PATIENCE) {
        Ok(Event::Heard(said)) => said,
        other => panic!("{other:?}"),
    }
}

/// What the coordinator hears of a report, and what the client is told if the proxy is known.
fn taken(server: &Server, body: &str) -> (String, Option<String>, Experience) {
    let client = posting(server, body, "");
    let said = said(server);
    let heard = (
        format!("{}:{}", said.host, said.port),
        said.target.map(String::from),
        said.experience,
    );
    said.reply.send(true).unwrap();
    let reply = client.join().unwrap();
    assert_eq!(reply.status, 202, "{}", reply.body);
    assert_eq!(reply.json(), serde_json::json!({"message": "Report taken"}));
    heard
}

#[test]
fn a_report_reaches_the_coordinator_and_is_taken() {
    let server = server();
    for (body, address, target, experience) in [
        (GOOD, "1.2.3.4:80", None, Experience::Fail),
        (
            r#"{"outcome":"banned","target":"mail","address":"[2001:DB8::1]:8080"}"#,
            "[2001:db8::1]:8080",
            Some("mail"),
            Experience::Banned,
        ),
        (
            r#" {"address":"socks5://Proxy.Example.com:1080","outcome":"ok","target":null,"more":[1]} "#,
            "proxy.example.com:1080",
            None,
            Experience::Ok,
        ),
    ] {
        let target = target.map(String::from);
        assert_eq!(taken(&server, body), (address.into(), target, experience));
    }
    let page = server.get("/metrics").body;
    for outcome in ["ok", "fail", "banned"] {
        let sample = format!("proxychecker_proxy_reports_total{{outcome=\"{outcome}\"}} 1\n");
        assert!(page.contains(&sample), "{page}");
    }
}

#[test]
fn a_proxy_that_no_list_has_is_404_and_not_counted() {
    let server = server();
    let client = posting(&server, GOOD, "");
    said(&server).reply.send(false).unwrap();
    let reply = client.join().unwrap();
    reply.is_refusal(404, "No candidate has this address");
    let page = server.get("/metrics").body;
    assert!(page.contains("proxy_reports_total{outcome=\"fail\"} 0\n"));
}

#[test]
fn a_client_is_its_key_else_its_address() {
    let server = server();
    server.configure(settings_with_keys(&["first", "second"]));
    let by = |key: &str| {
        let client = posting(&server, GOOD, key);
        let said = said(&server);
        said.reply.send(true).unwrap();
        assert_eq!(client.join().unwrap().status, 202);
        said.client
    };
    let (first, again, second) = (by("first"), by("first"), by("second"));
    assert!(first == again && first != second);
}

#[test]
fn what_is_no_report_is_400_and_reaches_nobody() {
    let server = server();
    let report = "Invalid report. Must be JSON: \
        {\"address\":\"host:port\",\"outcome\":\"ok, fail or banned\",\"target\":\"optional\"}";
    let outcome = "Invalid outcome. Must be one of: ok, fail, banned";
    let address = "Invalid address. Must be host:port, an IPv6 address in brackets";
    let target = "Invalid target. Must be one of: shop, mail";
    for (body, words) in [
        ("", report),
        ("null", report),
        ("[]", report),
        ("address=1.2.3.4:80&outcome=ok", report),
        (r#"{"address":"1.2.3.4:80"}"#, report),
        (r#"{"outcome":"ok"}"#, report),
        (r#"{"address":7,"outcome":"ok"}"#, report),
        (r#"{"address":"1.2.3.4:80","outcome":"OK"}"#, outcome),
        (r#"{"address":"1.2.3.4:80","outcome":""}"#, outcome),
        (r#"{"address":"1.2.3.4","outcome":"ok"}"#, address),
        (
            r#"{"address":"http://u:p@1.2.3.4:80","outcome":"ok"}"#,
            address,
        ),
        (
            r#"{"address":"1.2.3.4:80","outcome":"ok","target":"Shop"}"#,
            target,
        ),
    ] {
        post(&server, body).is_refusal(400, words);
    }
    assert!(server.questions.is_empty());
}

#[test]
fn a_report_is_at_most_4_kib() {
    let server = server();
    let padded = |bytes: usize| format!("{GOOD}{}", " ".repeat(bytes - GOOD.len()));
    taken(&server, &padded(4 << 10));
    let large = post(&server, &padded((4 << 10) + 1));
    large.is_refusal(413, "Request body too large");
    assert!(server.questions.is_empty());
}

#[test]
fn a_key_is_wanted_and_the_method_is_post() {
    let server = server();
    server.configure(settings_with_keys(&["secret"]));
    post(&server, GOOD).is_refusal(401, "Invalid or missing API key");
    let get = server.get("/report");
    get.is_refusal(405, "Method not allowed");
    assert_eq!(get.header("allow"), Some("POST"));
    assert!(server.questions.is_empty());
}

#[test]
fn reports_wait_in_bounded_number_and_keep_no_question_out() {
    let server = server_within(Limits {
        question_timeout: Duration::from_millis(10),
        questions_max: 2,
        ..Limits::default()
    });
    let late = "Not answered in time. Try again later";
    for _ in 0..2 {
        post(&server, GOOD).is_refusal(503, late);
    }
    let busy = "Too many questions are waiting for their answer. Try again later";
    let reply = post(&server, GOOD);
    reply.is_refusal(503, busy);
    assert_eq!(reply.header("retry-after"), Some("1"));
    server.get("/proxy/1.2.3.4:80").is_refusal(503, late);
    assert_eq!(server.questions.len(), 3);
}
