//! Spans as a collector gets them: what belongs to what, what nobody is told, and a collector that is
//! not there.

mod support;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;
use proxy_bench::farm::{Behaviour, Expect, Farm, FarmOptions};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::mpsc::{self, Sender};
use std::thread;
use std::time::Duration;
use support::{PATIENCE, Running, ask, eventually, start_with};

const KEY: &str = "TheKey0123456789";
const QUERY: &str = "QueryValue55555";

fn collector() -> (String, mpsc::Receiver<ExportTraceServiceRequest>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (tell, got) = mpsc::channel();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let tell = tell.clone();
            thread::spawn(move || collect(&stream.unwrap(), &tell));
        }
    });
    (url, got)
}

/// Reads exports from one connection until it is closed.
fn collect(stream: &TcpStream, tell: &Sender<ExportTraceServiceRequest>) {
    let mut reader = BufReader::new(stream);
    loop {
        let (mut head, mut length) = (String::new(), 0);
        while !head.ends_with("\r\n\r\n") {
            let before = head.len();
            if reader.read_line(&mut head).unwrap_or(0) == 0 {
                return;
            }
            let line = head[before..].to_ascii_lowercase();
            if let Some(bytes) = line.strip_prefix("content-length: ") {
                length = bytes.trim().parse().unwrap();
            }
        }
        assert!(head.starts_with("POST /v1/traces HTTP/1.1\r\n"), "{head}");
        assert!(head.contains("application/x-protobuf"), "{head}");
        let mut body = vec![0; length];
        reader.read_exact(&mut body).unwrap();
        tell.send(ExportTraceServiceRequest::decode(&*body).unwrap())
            .unwrap();
        let mut writer = stream;
        writer
            .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
            .unwrap();
    }
}

fn serve(folder: &Path, config: &Value) -> (Running, String) {
    let path = folder.join("config.json");
    fs::write(&path, config.to_string()).unwrap();
    let arguments = ["serve", "--config", path.to_str().unwrap()];
    let key = [("THE_KEYS", KEY)];
    let mut running = start_with(&key, &arguments, "", Some(folder));
    let after = running.after("the API listens address=");
    let address = after.split(' ').next().unwrap().to_owned();
    (running, address)
}

fn config(farm: &Farm, endpoint: &str) -> Value {
    let proxies: Vec<String> = (0..3).map(|n| farm.proxy(Behaviour::Forwards, n)).collect();
    let list = farm.serve_list(&proxies.join("\n"));
    json!({
        "aggregator": {"interval_seconds": 300, "allow_private": true, "sources": [
            {"url": list, "type": "http", "enabled": true},
            {"url": "http://user:SourcePassword1@127.0.0.1:1/gone.txt", "enabled": true}]},
        "checker": {"test_url": farm.target(Expect::NoContent), "control_probe": false,
            "concurrency_total": 64, "shards": 1, "timeout_ms": 5_000},
        "api": {"addr": "127.0.0.1:0", "enable_api_key_auth": true, "api_key_env": "THE_KEYS"},
        "storage": {"type": "file", "path": "ledger.json"},
        "logging": {"level": "info", "format": "text", "otlp_endpoint": endpoint,
            "otlp_sample_percent": 100},
    })
}

fn attributes(of: &[KeyValue]) -> BTreeMap<String, String> {
    let text = |pair: &KeyValue| match pair.value.clone().and_then(|value| value.value) {
        Some(Any::StringValue(text)) => text,
        Some(Any::IntValue(number)) => number.to_string(),
        Some(Any::BoolValue(is)) => is.to_string(),
        other => panic!("{other:?}"),
    };
    of.iter()
        .map(|pair| (pair.key.clone(), text(pair)))
        .collect()
}

/// Asks with the key in a header of its own, and a span of ours around it.
fn ask_within(address: &str, target: &str, trace: &str, span: &str) {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let request = format!(
        "GET {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-Api-Key: {KEY}\r\n\
         X-Request-Id: mine-1\r\ntraceparent: 00-{trace}-{span}-01\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn a_sweep_is_the_parent_of_its_lists_and_publication_and_a_client_that_of_its_request() {
    let farm = Farm::start(FarmOptions::default()).unwrap();
    let (endpoint, collected) = collector();
    let folder = tempfile::tempdir().unwrap();
    let (mut running, address) = serve(folder.path(), &config(&farm, &endpoint));
    running.after("the sweep is complete");
    eventually(PATIENCE, "all are served", || {
        let (_, body) = ask(&address, "GET", &format!("/get-proxy?all=1&key={KEY}"));
        (body.lines().count() == 3).then_some(())
    });
    let (trace, span) = ("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331");
    ask_within(&address, &format!("/stat?x={QUERY}"), trace, span);
    running.signal("TERM");
    let log = running.end(Duration::from_secs(10)).err;
    assert!(!log.contains("collector"), "{log}");

    let exports: Vec<ExportTraceServiceRequest> = collected.try_iter().collect();
    let mut spans: Vec<Span> = Vec::new();
    for resource in exports.into_iter().flat_map(|export| export.resource_spans) {
        let who = attributes(&resource.resource.unwrap().attributes);
        assert_eq!(who["service.name"], "proxy-checker");
        assert_eq!(who["service.version"], env!("CARGO_PKG_VERSION"));
        assert!(!who["service.instance.id"].is_empty());
        spans.extend(
            resource
                .scope_spans
                .into_iter()
                .flat_map(|scope| scope.spans),
        );
    }
    let named = |name: &str| -> Vec<&Span> {
        let named: Vec<&Span> = spans.iter().filter(|span| span.name == name).collect();
        assert!(!named.is_empty(), "{name}: {spans:#?}");
        named
    };
    let sweep = named("sweep")[0];
    assert_eq!(attributes(&sweep.attributes)["sweep.candidates"], "3");
    assert_eq!(attributes(&sweep.attributes)["sweep.alive"], "3");
    let fetches = named("source fetch");
    assert_eq!(fetches.len(), 2);
    let publication = named("publish")
        .into_iter()
        .find(|span| span.parent_span_id == sweep.span_id);
    let publication = publication.expect("the one that follows the sweep");
    assert!(publication.end_time_unix_nano >= sweep.end_time_unix_nano);
    for child in fetches {
        assert_eq!(
            (&child.trace_id, &child.parent_span_id),
            (&sweep.trace_id, &sweep.span_id)
        );
        assert!(child.start_time_unix_nano < child.end_time_unix_nano);
    }
    let saves = named("save").len();
    assert_eq!(saves, 2, "at the end of the first sweep, and at the end");
    let stat = named("GET /stat")[0];
    assert_eq!(
        (hex(&stat.trace_id), hex(&stat.parent_span_id)),
        (trace.into(), span.into())
    );
    let said = attributes(&stat.attributes);
    assert_eq!(
        (&*said["request.id"], &*said["http.response.status_code"]),
        ("mine-1", "200")
    );
    let all = format!("{spans:?}");
    for secret in [KEY, QUERY, "SourcePassword1"] {
        assert!(!all.contains(secret), "{secret}");
    }
}

#[test]
fn a_collector_that_is_not_there_costs_one_warning() {
    let farm = Farm::start(FarmOptions::default()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (mut running, address) = serve(folder.path(), &config(&farm, "http://127.0.0.1:1"));
    running.after("the collector does not take spans");
    for _ in 0..20 {
        assert_eq!(ask(&address, "GET", "/health").0, 200);
    }
    running.signal("TERM");
    let ran = running.end(Duration::from_secs(10));
    assert_eq!(ran.status, Some(0));
    let warnings = ran.err.matches("the collector does not take spans").count();
    assert_eq!(warnings, 1, "{}", ran.err);
}
