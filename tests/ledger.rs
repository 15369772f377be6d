//! `export`, `import` and `save` with the real binary, on stopped stores and on a running service,
//! between any two kinds of store.

#[path = "support/stores.rs"]
mod stores;
mod support;

use proxy_bench::farm::{Behaviour, Farm, FarmOptions};
use proxy_checker::ledger::{Check, Entry};
use proxy_checker::store::{Asked, Image};
use proxy_shards::{Anonymity, Exit, Protocol, Targets, Timing, Verdict};
use rustix::fs::{CWD, mkfifoat};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{FileTypeExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;
use stores::{KINDS, Kind, open};
use support::{PATIENCE, Ran, Running, ask, eventually, start};
use tempfile::TempDir;

/// A folder with a configuration and a store.
struct Place {
    folder: TempDir,
    kind: Kind,
}

impl Place {
    fn new(kind: Kind) -> Place {
        Place::with(kind, json!([]), json!({}))
    }

    fn with(kind: Kind, sources: Value, backup: Value) -> Place {
        let folder = tempfile::tempdir().unwrap();
        let config = json!({
            "aggregator": {"interval_seconds": 300, "allow_private": true, "sources": sources},
            "checker": {
                "test_url": "http://target.test/generate_204",
                "control_probe": false,
                "concurrency_total": 100,
                "shards": 1,
            },
            "api": {"addr": "127.0.0.1:0"},
            "storage": {"type": kind.name, "path": "ledger", "backup": backup},
            "metrics": {"enabled": true},
            "logging": {"format": "text"},
        });
        fs::write(folder.path().join("config.json"), config.to_string()).unwrap();
        Place { folder, kind }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn save(&self, image: &Image) {
        open(&self.kind.within(self.folder.path()))
            .save(image)
            .unwrap();
    }

    fn load(&self) -> Image {
        open(&self.kind.within(self.folder.path())).load().unwrap()
    }

    fn run(&self, arguments: &[&str]) -> Ran {
        start(arguments, "", Some(self.folder.path())).end(PATIENCE)
    }

    fn serve(&self) -> (Running, String) {
        let mut service = start(&["serve"], "", Some(self.folder.path()));
        let address = service.after("the API listens address=");
        let address = address.split(' ').next().unwrap().to_owned();
        eventually(PATIENCE, "it serves", || {
            (ask(&address, "GET", "/health").0 == 200).then_some(())
        });
        (service, address)
    }
}

/// What went well.
fn good(ran: Ran) -> Ran {
    assert_eq!(ran.status, Some(0), "{ran:?}");
    ran
}

fn entry(url: &str) -> Entry {
    Entry::new(url.parse().unwrap())
}

/// One entry with everything that there is, one with hardly anything, and many between.
fn image() -> Image {
    let mut full = entry("auto://us%20er:p%40ss@[2001:db8::1]:1080");
    full.verdict = Some(Verdict::Alive);
    full.works.set(Protocol::Socks5, Targets::from_bits(0b11));
    full.works.set(Protocol::Http, Targets::from_bits(0b10));
    full.exit = Some(Exit {
        ip: "9.9.9.9".parse().unwrap(),
        anonymity: Anonymity::ALL[0],
    });
    full.timing = Timing {
        total_us: 5,
        connect_us: 1,
        handshake_us: 2,
        tls_us: 3,
        first_byte_us: 4,
    };
    (full.checked_at_ms, full.alive_at_ms) = (1_700_000_000_123, 1_700_000_000_122);
    let check = |n: u32| Check {
        at_s: n,
        total_us: 10 * n,
        verdict: Verdict::ALL[n as usize % Verdict::COUNT],
    };
    full.history = (1..=16).map(check).collect();
    let mut failed = entry("socks4://p.proxies.example:1");
    failed.verdict = Some(Verdict::ConnectTimeout);
    (failed.checked_at_ms, failed.failures) = (7, u32::MAX);
    let blank = (0..3_000).map(|n| entry(&format!("http://9.0.{}.{}:80", n / 250, n % 250)));
    Image {
        saved_at_ms: 1_700_000_000_500,
        asked: Asked {
            policy: u64::MAX,
            since_ms: 1_700_000_000_001,
            over_ms: 1_700_000_000_002,
        },
        targets: vec!["shop".into(), "news".into()],
        entries: [full, failed].into_iter().chain(blank).collect(),
    }
}

#[test]
fn what_any_kind_exports_any_kind_imports_and_nothing_is_lost() {
    let image = image();
    for from in KINDS {
        let source = Place::new(from);
        source.save(&image);
        for (to, name) in KINDS
            .into_iter()
            .flat_map(|k| [(k, "x.jsonl"), (k, "x.jsonl.gz")])
        {
            let file = source.path(name);
            let file = file.to_str().unwrap();
            good(source.run(&["export", "-o", file]));
            let mode = fs::metadata(file).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{name}");
            let target = Place::new(to);
            let said = good(target.run(&["import", file])).out;
            let what = format!("{} to {}", from.name, to.name);
            assert!(
                said.starts_with("3002 added, 0 updated, 0 known"),
                "{what}: {said}"
            );
            assert!(target.load() == image, "{what}");
            let again = good(target.run(&["import", file])).out;
            assert!(
                again.starts_with("0 added, 0 updated, 3002 known"),
                "{again}"
            );
        }
    }
}

#[test]
fn bad_lines_are_named_the_rest_is_taken_in_and_nothing_is_replaced_by_less() {
    let place = Place::new(KINDS[0]);
    place.save(&image());
    let text = "{\"proxy_checker_ledger\":1,\"entries\":3}\n\
                {\"url\":\"http://8.8.8.8:80\"}\n{\"url\":\"?\"}\n";
    fs::write(place.path("x"), text).unwrap();
    let replaced = place.run(&["import", "--replace", "x"]);
    assert_eq!(replaced.status, Some(1), "{replaced:?}");
    assert!(place.load() == image());
    let merged = place.run(&["import", "x"]);
    assert_eq!(merged.status, Some(1), "{merged:?}");
    assert!(merged.out.starts_with("1 added"), "{merged:?}");
    for part in [
        "x, line 3: its url",
        "1 lines that are no entries",
        "2 of 3 entries",
    ] {
        assert!(merged.err.contains(part), "{part}: {merged:?}");
    }
    assert_eq!(place.load().entries.len(), 3_003);
    fs::write(
        place.path("x"),
        &text.replace("3}", "1}")[..text.len() - 13],
    )
    .unwrap();
    good(place.run(&["import", "--replace", "x"]));
    assert_eq!(place.load().entries.len(), 1);
}

#[test]
fn people_get_a_list_or_a_table() {
    let place = Place::new(KINDS[0]);
    place.save(&image());
    let list = good(place.run(&["export", "--format", "txt", "-o", "-"]));
    assert_eq!(list.lines(), ["socks5://us%20er:p%40ss@[2001:db8::1]:1080"]);
    let table = good(place.run(&["export", "--format", "csv", "--all"]));
    assert_eq!(table.lines().len(), 1 + 3_002);
    let nothing = Place::new(KINDS[0]).run(&["export"]);
    assert!(
        nothing.err.contains("there is no store here"),
        "{nothing:?}"
    );
}

/// What is known of each candidate, without what the service itself adds at the next check.
fn known(image: &Image) -> BTreeMap<String, Option<Verdict>> {
    let known = |entry: Entry| (entry.candidate.url().to_string(), entry.verdict);
    image.entries.iter().map(known).collect()
}

#[test]
fn what_an_export_is_written_to_stays_what_it_is() {
    let place = Place::new(KINDS[0]);
    place.save(&image());
    let whole = good(place.run(&["export"])).out;
    let linked = place.path("linked");
    fs::write(place.path("target"), "old").unwrap();
    symlink("target", &linked).unwrap();
    good(place.run(&["export", "-o", "linked"]));
    assert_eq!(fs::read_link(&linked).unwrap(), Path::new("target"));
    assert_eq!(fs::read_to_string(place.path("target")).unwrap(), whole);

    let fifo = place.path("fifo");
    mkfifoat(CWD, &fifo, 0o600.into()).unwrap();
    let reader = fifo.clone();
    let reader = thread::spawn(move || fs::read_to_string(reader).unwrap());
    good(place.run(&["export", "-o", "fifo"]));
    assert_eq!(reader.join().unwrap(), whole);
    assert!(fs::metadata(&fifo).unwrap().file_type().is_fifo());

    // Named by a link of ours, so that no mistake could harm the device.
    symlink("/dev/full", place.path("full")).unwrap();
    let refused = place.run(&["export", "-o", "full"]);
    assert_eq!(refused.status, Some(1), "{refused:?}");
    assert!(refused.err.contains("full: No space left"), "{refused:?}");
    let named = fs::read_link(place.path("full")).unwrap();
    assert_eq!(named, Path::new("/dev/full"));
    assert_eq!(good(place.run(&["export", "-o", "/dev/stdout"])).out, whole);

    symlink("nowhere", place.path("lost")).unwrap();
    let refused = place.run(&["export", "-o", "lost"]);
    assert!(
        refused
            .err
            .contains("lost: is a symbolic link that leads nowhere"),
        "{refused:?}"
    );
    let stored = Place::new(KINDS[1]);
    stored.save(&image());
    let refused = stored.run(&["export", "--format", "csv", "-o", "ledger"]);
    assert!(refused.err.contains("is the store itself"), "{refused:?}");
    assert_eq!(stored.load(), image());
}

#[test]
fn a_running_service_exports_imports_and_saves() {
    let farm = Farm::start(FarmOptions::default()).unwrap();
    let proxies: Vec<String> = (0..6).map(|n| farm.proxy(Behaviour::Forwards, n)).collect();
    let list = farm.serve_list(&proxies[..3].join("\n"));
    let source = json!([{"url": list, "type": "http", "enabled": true}]);
    let more: Vec<Entry> = proxies[3..].iter().map(|proxy| entry(proxy)).collect();
    for kind in KINDS {
        let place = Place::with(kind, source.clone(), json!({}));
        let (service, address) = place.serve();
        let serves = |count| {
            eventually(PATIENCE, "they are served", || {
                let (_, body) = ask(&address, "GET", "/get-proxy?all=1");
                (body.lines().count() == count).then_some(())
            });
        };
        serves(3);
        // The interval is five minutes: this is the end of the first sweep.
        eventually(PATIENCE, "a save by itself", || {
            let (_, page) = ask(&address, "GET", "/metrics");
            let name = "\nproxychecker_storage_last_save_timestamp_seconds ";
            page.contains(name).then_some(())
        });
        let other = Place::new(kind);
        other.save(&Image {
            entries: more.clone().into(),
            ..Image::default()
        });
        let file = other.path("x.gz");
        let file = file.to_str().unwrap();
        good(other.run(&["export", "-o", file]));
        let refused = place.run(&["import", "--replace", file]);
        assert!(refused.err.contains("the service runs"), "{refused:?}");
        assert!(
            good(place.run(&["import", file]))
                .out
                .starts_with("3 added")
        );
        serves(6);
        let live = Place::new(kind);
        good(place.run(&["export", "-o", live.path("y").to_str().unwrap()]));
        good(live.run(&["import", "y"]));
        assert_eq!(known(&live.load()).len(), 6, "{}", kind.name);
        let table = good(place.run(&["export", "--format", "txt"]));
        assert_eq!(table.lines().len(), 6, "{}", kind.name);
        good(place.run(&["save"]));
        service.signal("KILL");
        service.end(PATIENCE);
        // What was saved on demand is there, and the socket that was left is no obstacle.
        assert_eq!(known(&place.load()), known(&live.load()), "{}", kind.name);
        assert!(place.path("ledger.sock").exists());
        let (service, _) = place.serve();
        good(place.run(&["save"]));
        service.signal("TERM");
        assert_eq!(service.end(PATIENCE).status, Some(0));
        assert!(!place.path("ledger.sock").exists());
        assert!(place.run(&["save"]).err.contains("no answer"));
    }
}

#[test]
fn backups_are_made_kept_and_imported() {
    let farm = Farm::start(FarmOptions::default()).unwrap();
    let list = farm.serve_list(&farm.proxy(Behaviour::Forwards, 0));
    let source = json!([{"url": list, "type": "http", "enabled": true}]);
    for kind in KINDS {
        let backup = json!({"every_seconds": 1, "keep": 2});
        let place = Place::with(kind, source.clone(), backup);
        let (service, address) = place.serve();
        let copies = || -> Vec<PathBuf> {
            let found = fs::read_dir(place.path("ledger.backups")).into_iter();
            let paths = found.flatten().map(|file| file.unwrap().path());
            let mut copies: Vec<PathBuf> = paths
                .filter(|path| path.extension().is_some_and(|end| end == "gz"))
                .collect();
            copies.sort();
            copies
        };
        let first = eventually(PATIENCE, "a backup", || copies().first().cloned());
        // Each save makes one, a second after the last.
        eventually(Duration::from_secs(60), "the first one goes", || {
            good(place.run(&["save"]));
            (!first.exists()).then_some(())
        });
        assert!(copies().len() <= 3, "two, and for a moment one more");
        let (_, page) = ask(&address, "GET", "/metrics");
        assert!(page.contains("\nproxychecker_backup_last_success_timestamp_seconds "));
        service.signal("TERM");
        service.end(PATIENCE);
        let newest = copies().pop().unwrap();
        restored(kind, &newest, &known(&place.load()));
    }
}

fn restored(kind: Kind, backup: &Path, expected: &BTreeMap<String, Option<Verdict>>) {
    let place = Place::new(kind);
    good(place.run(&["import", backup.to_str().unwrap()]));
    assert_eq!(&known(&place.load()), expected, "{}", kind.name);
}
