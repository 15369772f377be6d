use super::*;
use proxy_bench::farm::{Behaviour, Expect, Farm, FarmOptions};
use serde_json::json;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;

const PATIENCE: Duration = Duration::from_secs(30);

/// A folder with a configuration and a store, and a farm that is its world.
struct World {
    folder: tempfile::TempDir,
    farm: Farm,
}

/// A service that runs, and how to end it.
struct Running {
    address: SocketAddr,
    orders: Sender<Order>,
    thread: JoinHandle<Result<(), ServeError>>,
}

impl World {
    fn new() -> World {
        World {
            folder: tempfile::tempdir().unwrap(),
            farm: Farm::start(FarmOptions::default()).unwrap(),
        }
    }

    /// A list of the first `count` proxies of `behaviour`; its URL.
    fn list(&self, behaviour: Behaviour, count: u32) -> String {
        let proxies = (0..count).map(|n| self.farm.proxy(behaviour, n));
        self.farm
            .serve_list(&proxies.collect::<Vec<_>>().join("\n"))
    }

    fn place(&self) -> Place {
        Place::File(self.folder.path().join("config.json"))
    }

    fn configure(&self, addr: &str, lists: &[String]) {
        let source = |url| json!({ "url": url, "type": "http", "enabled": true });
        let sources: Vec<_> = lists.iter().map(source).collect();
        let text = json!({
            "aggregator": { "sources": sources, "allow_private": true },
            "checker": {
                "test_url": self.farm.target(Expect::NoContent),
                "control_probe": false,
                "concurrency_total": 64,
                "shards": 2,
                "timeout_ms": 5000,
            },
            "api": {
                "addr": addr,
                "enable_api_key_auth": false,
                "enable_ip_rate_limit": false,
            },
            "storage": { "type": "file", "path": self.folder.path().join("ledger.json") },
        });
        fs::write(self.place().file().unwrap(), text.to_string()).unwrap();
    }

    fn start(&self) -> Running {
        let (config, _) = self.place().load().unwrap();
        let service = Service::start(self.place(), reload::plan(config).unwrap()).unwrap();
        let (orders, obeyed) = unbounded();
        Running {
            address: service.address,
            orders,
            thread: thread::spawn(move || service.run(&obeyed)),
        }
    }
}

impl Running {
    /// Status and body of the answer.
    fn ask(&self, method: &str, path: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head[9..12].parse().unwrap(), body.to_owned())
    }

    /// Asks until `count` proxies are served; how long that took.
    fn serves(&self, count: usize) -> Duration {
        let asked = Instant::now();
        loop {
            let (status, body) = self.ask("GET", "/get-proxy?all=1");
            let served = if status == 200 {
                body.lines().count()
            } else {
                0
            };
            if served == count {
                return asked.elapsed();
            }
            assert!(asked.elapsed() < PATIENCE, "{served} of {count}: {body}");
            thread::yield_now();
        }
    }

    /// Ends the service in good order; how long that took.
    fn stop(self) -> Duration {
        let asked = Instant::now();
        self.orders.send(Order::Stop).unwrap();
        self.thread.join().unwrap().unwrap();
        asked.elapsed()
    }
}

#[test]
fn what_works_is_served_soon_after_the_start_and_at_once_after_a_restart() {
    let world = World::new();
    let lists = [
        world.list(Behaviour::Forwards, 20),
        world.list(Behaviour::Refuses, 20),
        world.list(Behaviour::Socks5, 5),
    ];
    world.configure("127.0.0.1:0", &lists);
    let started = Instant::now();
    let running = world.start();
    running.serves(25);
    assert!(
        started.elapsed() < Duration::from_secs(10),
        "{:?}",
        started.elapsed()
    );
    assert!(running.stop() < Duration::from_secs(5));

    let probes = world.farm.counts(Behaviour::Forwards);
    // Nothing is listed any more, and nothing needs to be probed for the first answer.
    world.configure("127.0.0.1:0", &[]);
    let running = world.start();
    let (status, body) = running.ask("GET", "/get-proxy?all=1");
    assert_eq!((status, body.lines().count()), (200, 25));
    running.stop();
    assert!(probes.accepted >= 20);
}

#[test]
fn a_reload_reads_the_configuration_again_and_refuses_one_that_is_not_valid() {
    let world = World::new();
    world.configure("127.0.0.1:0", &[world.list(Behaviour::Forwards, 5)]);
    let running = world.start();
    running.serves(5);
    fs::write(world.place().file().unwrap(), "{").unwrap();
    assert_eq!(running.ask("POST", "/reload").0, 422);
    running.serves(5);
    let lists = [
        world.list(Behaviour::Forwards, 5),
        world.list(Behaviour::Socks5, 7),
    ];
    world.configure("127.0.0.1:0", &lists);
    let (status, body) = running.ask("POST", "/reload");
    assert_eq!(
        (status, body.contains("\"reload_id\":2")),
        (200, true),
        "{body}"
    );
    running.serves(12);
    running.stop();
}

#[test]
fn a_reload_never_opens_the_api_to_strangers() {
    let world = World::new();
    let path = world.place().file().unwrap().to_owned();
    let write = |api: serde_json::Value| {
        let storage = json!({ "type": "file", "path": world.folder.path().join("ledger.json") });
        let checker = json!({ "control_probe": false, "concurrency_total": 64, "shards": 1 });
        let text = json!({ "api": api, "checker": checker, "storage": storage });
        fs::write(&path, text.to_string()).unwrap();
    };
    write(json!({ "addr": "0.0.0.0:0", "allow_anonymous": true }));
    let running = world.start();
    let refused = |running: &Running| {
        let (status, body) = running.ask("POST", "/reload");
        assert_eq!(status, 422, "{body}");
        let key = format!("{}: api.enable_api_key_auth: is off", path.display());
        assert!(body.contains(&key), "{body}");
        assert!(body.contains("set api.allow_anonymous to true"), "{body}");
        body
    };
    write(json!({ "addr": "0.0.0.0:0" }));
    let body = refused(&running);
    assert!(body.contains("listen on 127.0.0.1"), "{body}");
    // Where it listens does not change before a restart.
    write(json!({ "addr": "127.0.0.1:0" }));
    let body = refused(&running);
    assert!(body.contains("listening on 0.0.0.0:0"), "{body}");
    assert!(body.contains("restart the service"), "{body}");
    write(json!({ "addr": "127.0.0.1:0", "allow_anonymous": true }));
    assert_eq!(running.ask("POST", "/reload").0, 200);
    running.stop();
}

#[test]
fn a_port_in_use_is_an_error_that_names_the_key() {
    let world = World::new();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    world.configure(&taken.local_addr().unwrap().to_string(), &[]);
    let (config, _) = world.place().load().unwrap();
    let failed = Service::start(world.place(), reload::plan(config).unwrap());
    let error = failed.err().unwrap().to_string();
    assert!(
        error.starts_with("api.addr: cannot listen on 127.0.0.1:"),
        "{error}"
    );
}

#[test]
fn whatever_a_reload_refuses_names_the_file_the_key_and_the_remedy() {
    let world = World::new();
    let path = world.place().file().unwrap().to_owned();
    world.configure("127.0.0.1:0", &[]);
    let running = world.start();
    for (text, key, remedy) in [
        (
            r#"{"checker": {"timeout_mss": 1}}"#,
            "checker.timeout_mss",
            "did you mean timeout_ms?",
        ),
        (
            r#"{"checker": {"retries": 11}}"#,
            "checker.retries",
            "from 1 to 10",
        ),
        (
            r#"{"api": {"addr": "0.0.0.0:0"}}"#,
            "api.enable_api_key_auth",
            "set api.allow_anonymous",
        ),
        (
            r#"{"api": {"enable_api_key_auth": true}}"#,
            "api.api_key_env",
            "name",
        ),
        ("{", "line 1", "no comma after the last item"),
    ] {
        fs::write(&path, text).unwrap();
        let (status, body) = running.ask("POST", "/reload");
        assert_eq!(status, 422, "{text}: {body}");
        let body: serde_json::Value = serde_json::from_str(&body).unwrap();
        for line in body["error"].as_str().unwrap().lines() {
            assert!(
                line.starts_with(&format!("{}: {key}", path.display())),
                "{line}"
            );
            assert!(line.contains(remedy), "{line}");
        }
    }
    running.stop();
}

#[test]
fn the_stop_does_not_wait_for_proxies_that_say_nothing() {
    let world = World::new();
    world.configure("127.0.0.1:0", &[world.list(Behaviour::Mute, 200)]);
    let running = world.start();
    let asked = Instant::now();
    while world.farm.connections() < 60 {
        assert!(asked.elapsed() < PATIENCE);
        thread::yield_now();
    }
    assert!(running.stop() < Duration::from_secs(5));
}

mod cluster;
