//! Disks without room and files that may not grow: the service serves on, counts it, and saves again
//! by itself when there is room.

use super::stores::{KINDS, Kind, open};
use super::support::{PATIENCE, Ran, Running, ask, eventually, run, start_under};
use proxy_bench::farm::{Behaviour, Farm, FarmOptions};
use proxy_checker::ledger::Entry;
use proxy_checker::store::{Image, text};
use proxy_shards::Verdict;
use rustix::process::{Pid, Resource, Rlimit, prlimit};
use serde_json::{Value, json};
use std::fs::{self, File, Permissions};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

/// Proxies that work.
const ALIVE: u32 = 20;
/// Candidates that are imported while there is no room. They listen nowhere.
const IMPORTED: u32 = 20_000;

/// A service whose store is in `room`.
struct World {
    folder: TempDir,
    _farm: Farm,
    kind: Kind,
    service: Running,
    address: String,
    /// `room`, as this process sees it.
    room: PathBuf,
}

impl World {
    /// Starts the service after the shell commands `limits`, in a folder with an empty folder `room`.
    fn start(kind: Kind, limits: &str) -> World {
        let farm = Farm::start(FarmOptions::default()).unwrap();
        let proxies = (0..ALIVE).map(|n| farm.proxy(Behaviour::Forwards, n));
        let list = farm.serve_list(&proxies.collect::<Vec<_>>().join("\n"));
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("room")).unwrap();
        let config = json!({
            "aggregator": {
                "interval_seconds": 300,
                "allow_private": true,
                "sources": [{"url": list, "type": "http", "enabled": true}],
            },
            "checker": {
                "test_url": "http://target.test/generate_204",
                "control_probe": false,
                "concurrency_total": 100,
                "shards": 1,
            },
            "api": {"addr": "127.0.0.1:0"},
            "storage": {"type": kind.name, "path": "room/ledger", "persist_interval_seconds": 1},
            "metrics": {"enabled": true},
            "logging": {"format": "text"},
        });
        fs::write(folder.path().join("config.json"), config.to_string()).unwrap();
        let mut service = start_under(limits, &[], &["serve"], folder.path());
        let address = service.after("the API listens address=");
        let address = address.split(' ').next().unwrap().to_owned();
        let inside = folder.path().join("room");
        let inside = inside.strip_prefix("/").unwrap();
        let room = Path::new("/proc").join(service.pid().to_string());
        let world = World {
            room: room.join("root").join(inside),
            folder,
            _farm: farm,
            kind,
            service,
            address,
        };
        eventually(PATIENCE, "all are served", || {
            (world.served() == ALIVE as usize).then_some(())
        });
        world
    }

    /// Proxies that are served.
    fn served(&self) -> usize {
        let (status, body) = ask(&self.address, "GET", "/get-proxy?all=1");
        match status {
            200 => body.lines().count(),
            _ => 0,
        }
    }

    fn command(&self, arguments: &[&str]) -> Ran {
        let socket = self.room.join("ledger.sock");
        let socket = socket.to_str().unwrap();
        run(&[arguments, &["--socket", socket]].concat(), "")
    }

    /// A metric, by its name without the prefix.
    fn metric(&self, name: &str) -> f64 {
        let value = self.metric_if_any(name);
        value.unwrap_or_else(|| panic!("no {name}"))
    }

    fn metric_if_any(&self, name: &str) -> Option<f64> {
        let (_, page) = ask(&self.address, "GET", "/metrics");
        let sample = format!("proxychecker_{name} ");
        let value = page.lines().find_map(|line| line.strip_prefix(&sample));
        value.map(|value| value.parse().unwrap())
    }

    /// What `/stat` says of the saves: since when they fail.
    fn failing_since(&self) -> Value {
        let (_, stat) = ask(&self.address, "GET", "/stat");
        let stat: Value = serde_json::from_str(&stat).unwrap();
        stat["storage"]["failing_since"].clone()
    }

    fn errors(&self) -> f64 {
        self.metric("storage_errors_total")
    }

    /// Imports more than there is room for.
    fn import(&self) -> Ran {
        let entry = |n: u32| {
            let [_, b, c, d] = n.to_be_bytes();
            Entry::new(format!("http://127.{}.{c}.{d}:9", b + 1).parse().unwrap())
        };
        let image = Image {
            entries: (0..IMPORTED).map(entry).collect(),
            ..Image::default()
        };
        let file = self.folder.path().join("more.jsonl");
        let mut out = std::io::BufWriter::new(File::create(&file).unwrap());
        text::write(&image, &mut out).unwrap();
        out.flush().unwrap();
        self.command(&["import", file.to_str().unwrap()])
    }

    /// What must be while there is no room; `make_room` is called then, and saving goes on.
    fn outlives(&self, make_room: impl FnOnce()) {
        let kind = self.kind.name;
        let imported = self.import();
        assert_eq!(imported.status, Some(1), "{kind}: {imported:?}");
        assert!(
            imported.err.contains("took nothing"),
            "{kind}: {imported:?}"
        );
        let errors = self.errors();
        assert!(errors > 0.0, "{kind}");
        assert_eq!(self.served(), ALIVE as usize, "{kind}");
        let again = self.command(&["save"]);
        assert_eq!(again.status, Some(1), "{kind}: {again:?}");
        assert!(self.errors() > errors, "{kind}: every failure counts");
        assert!(self.failing_since().is_string(), "{kind}");
        let last = self.metric("storage_last_save_timestamp_seconds");
        make_room();
        eventually(PATIENCE, "a save by itself", || {
            (self.metric("storage_last_save_timestamp_seconds") > last).then_some(())
        });
        let saved = self.command(&["save"]);
        assert_eq!(saved.status, Some(0), "{kind}: {saved:?}");
        assert_eq!(self.failing_since(), Value::Null, "{kind}");
        assert_eq!(self.metric("storage_recovered_total"), 0.0, "{kind}");
        assert_eq!(self.served(), ALIVE as usize, "{kind}");
    }

    /// What the store has, read from a copy: the service goes on.
    fn alive_in_store(&self) -> usize {
        let copy = tempfile::tempdir().unwrap();
        // What SQLite saved last is in the file beside.
        let parts = ["ledger", "ledger-wal"].map(|name| self.room.join(name));
        let copied = || {
            let copied = Command::new("cp")
                .arg("-r")
                .args(parts.iter().filter(|part| part.exists()))
                .arg(copy.path())
                .status();
            copied.is_ok_and(|status| status.success()).then_some(())
        };
        // A file that comes and goes may be gone when it is copied.
        eventually(PATIENCE, "the store is copied", copied);
        let mut store = open(&self.kind.within(copy.path()));
        let image = store.load().unwrap();
        assert_eq!(store.recovered(), None, "{}", self.kind.name);
        let alive = |entry: &Entry| entry.verdict == Some(Verdict::Alive);
        image.entries.iter().filter(alive).count()
    }
}

/// Fills a disk to its last byte.
fn fill(path: &Path) {
    let mut filler = File::create(path).unwrap();
    for piece in [1 << 16, 1 << 12, 1] {
        while filler.write_all(&vec![0; piece]).is_ok() {}
    }
}

/// Whether this host lets a user mount a disk of his own; the long form wants it.
fn may_mount() -> bool {
    let script = "mount -t tmpfs -o size=1m tmpfs /mnt";
    let tried = Command::new("unshare")
        .args(["-Urm", "sh", "-c", script])
        .status();
    let may = tried.is_ok_and(|status| status.success());
    let is_long = std::env::var_os("PROXY_CHECKER_CRASH").is_some_and(|form| form == "long");
    assert!(may || !is_long, "no user namespaces here (unshare -Urm)");
    may
}

#[test]
fn a_full_disk_is_outlived() {
    if !may_mount() {
        eprintln!("no user namespaces here: `ulimit -f` below must do");
        return;
    }
    let mount = "exec unshare -Urm sh -c \
        'mount -t tmpfs -o size=8m tmpfs room && exec \"$0\" \"$@\"' \"$0\" \"$@\"";
    for kind in KINDS {
        let world = World::start(kind, mount);
        let filler = world.room.join("filler");
        assert_eq!(world.command(&["save"]).status, Some(0));
        fill(&filler);
        world.outlives(|| fs::remove_file(&filler).unwrap());
        assert_eq!(world.alive_in_store(), ALIVE as usize, "{}", kind.name);
    }
}

/// A service that saved and was stopped, and one that starts at the same place after `spoil`, two lines of
/// a shell: the second goes on beside it, and mends it when there is a file `mend`. The list is gone by then:
/// what the second one serves is what was stored, at once or, where `is_late`, after the mend.
fn starts_all_the_same(spoil: &str, is_late: impl Fn(&Kind) -> bool) {
    if !may_mount() {
        eprintln!("not run: no user namespaces here");
        return;
    }
    let mount = format!(
        "exec unshare -Urm sh -c 'mount -t tmpfs -o size=8m tmpfs room && \
        {{ setpriv --pdeathsig KILL \"$0\" \"$@\" & first=$!; \
        while ! [ -e room/spoil ]; do sleep 0.05; done; \
        kill $first; wait $first; {spoil} \
        exec \"$0\" \"$@\"; }}' \"$0\" \"$@\""
    );
    for kind in KINDS {
        let mut world = World::start(kind, &mount);
        let name = kind.name;
        assert_eq!(world.command(&["save"]).status, Some(0));
        let config = world.folder.path().join("config.json");
        let mut changed: Value = serde_json::from_slice(&fs::read(&config).unwrap()).unwrap();
        changed["aggregator"]["sources"] = json!([
            {"url": "gone.txt", "type": "http", "enabled": true},
        ]);
        fs::write(&config, changed.to_string()).unwrap();
        File::create(world.room.join("spoil")).unwrap();
        if is_late(&kind) {
            world.service.after("saves nothing until it can be written");
        }
        let after = world.service.after("the API listens address=");
        world.address = after.split(' ').next().unwrap().to_owned();
        if is_late(&kind) {
            assert_eq!(world.served(), 0, "{name}: it knows of nobody");
            assert!(world.errors() > 0.0, "{name}: it is counted");
            assert!(world.failing_since().is_string(), "{name}: it is said");
        }
        // Seen by the shell beside the service, which mends.
        File::create(world.room.join("../mend")).unwrap();
        eventually(PATIENCE, "what was stored is served", || {
            (world.served() == ALIVE as usize).then_some(())
        });
        // Its socket may have to be made first.
        eventually(PATIENCE, "it saves again", || {
            (world.command(&["save"]).status == Some(0)).then_some(())
        });
        let saved = world.metric_if_any("storage_last_save_timestamp_seconds");
        assert!(saved.is_some(), "{name}");
        assert_eq!(world.failing_since(), Value::Null, "{name}");
        assert_eq!(world.metric("storage_recovered_total"), 0.0, "{name}");
        assert_eq!(world.alive_in_store(), ALIVE as usize, "{name}");
    }
}

#[test]
fn a_service_starts_on_a_full_disk_and_knows_what_was_stored_once_there_is_room() {
    starts_all_the_same(
        "head -c 16777216 /dev/zero > room/filler; \
        { while ! [ -e mend ]; do sleep 0.05; done; rm room/filler; } &",
        // A file is written for the first time when there is something to save.
        |kind| kind.name != "file",
    );
}

#[test]
fn a_service_starts_where_nothing_may_be_written_and_knows_what_was_stored_once_it_may() {
    starts_all_the_same(
        "mount -o remount,ro room; \
        { while ! [ -e mend ]; do sleep 0.05; done; mount -o remount,rw room; } &",
        |_| true,
    );
}

#[test]
fn files_that_may_not_grow_are_outlived() {
    for kind in KINDS {
        let world = World::start(kind, "ulimit -S -f 100000");
        let pid = Pid::from_raw(world.service.pid().cast_signed());
        let limit = |current| {
            let bound = Rlimit {
                current,
                maximum: None,
            };
            prlimit(pid, Resource::Fsize, bound).unwrap();
        };
        assert_eq!(world.command(&["save"]).status, Some(0));
        // Less than any file of a store has: nothing can be written behind that.
        limit(Some(1));
        world.outlives(|| limit(None));
        assert_eq!(world.alive_in_store(), ALIVE as usize, "{}", kind.name);
    }
}

#[test]
fn a_folder_that_may_not_be_written_is_outlived() {
    // Root may write anywhere, unless it gives that up.
    let is_root = rustix::process::geteuid().is_root();
    let limits = match is_root {
        true => "exec setpriv --bounding-set -dac_override \"$0\" \"$@\"",
        false => "",
    };
    for kind in KINDS {
        let world = World::start(kind, limits);
        assert_eq!(world.command(&["save"]).status, Some(0));
        let mode = |mode| fs::set_permissions(&world.room, Permissions::from_mode(mode)).unwrap();
        mode(0o500);
        let errors = world.errors();
        let saved = world.command(&["save"]);
        // What has its files open already can go on.
        assert_eq!(saved.status == Some(1), world.errors() > errors, "{kind:?}");
        assert!(saved.status == Some(1) || kind.name != "file", "{saved:?}");
        assert_eq!(world.served(), ALIVE as usize, "{kind:?}");
        mode(0o700);
        assert_eq!(world.command(&["save"]).status, Some(0), "{kind:?}");
        assert_eq!(world.alive_in_store(), ALIVE as usize, "{kind:?}");
    }
}
