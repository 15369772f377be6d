//! CLOCK_REALTIME of one process, set while it runs: libfaketime, preloaded. All other clocks of the
//! process, and every clock of all others, go on as they do.

use crate::stage::Stage;
use std::fs;
use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Where distributions put it.
const PLACES: [&str; 3] = ["/usr/lib", "/usr/lib64", "/usr/local/lib"];
const LIBRARY: &str = "faketime/libfaketimeMT.so.1";

/// The clock of a stage's services.
pub(super) struct FakeClock {
    /// What the library reads at each look at the clock.
    file: PathBuf,
    new: PathBuf,
}

fn library() -> Option<PathBuf> {
    PLACES.iter().find_map(|place| {
        let folders = fs::read_dir(place).ok()?.flatten();
        let inside = folders.map(|folder| folder.path().join(LIBRARY));
        let mut found = inside.chain([PathBuf::from(place).join(LIBRARY)]);
        found.find(|path| path.exists())
    })
}

impl FakeClock {
    /// A clock for every service that this stage starts from now on, right to begin with; `None`, said
    /// aloud, where there is no libfaketime; the long form wants it.
    pub(super) fn of(stage: &mut Stage, test: &str) -> Option<FakeClock> {
        let Some(library) = library() else {
            let missing = "libfaketime is not here: scripts/faketime.sh installs it";
            assert!(crate::times(true, false), "{test}: {missing}");
            eprintln!("{test}: NOT RUN, because {missing}");
            return None;
        };
        let (file, new) = (stage.path("clock"), stage.path("clock.new"));
        let mut set = |name: &str, value: &str| {
            stage.variables.push((name.to_owned(), value.to_owned()));
        };
        set("LD_PRELOAD", library.to_str().unwrap());
        set("FAKETIME_TIMESTAMP_FILE", file.to_str().unwrap());
        set("FAKETIME_NO_CACHE", "1");
        set("FAKETIME_DONT_FAKE_MONOTONIC", "1");
        // Neither the times of files, which do not follow a clock that is set, nor anything that would
        // be left behind.
        set("NO_FAKE_STAT", "1");
        set("FAKETIME_DISABLE_SHM", "1");
        let clock = FakeClock { file, new };
        clock.set(0);
        Some(clock)
    }

    /// Sets it so many seconds ahead of the clock of this host.
    pub(super) fn set(&self, ahead_seconds: i64) {
        fs::write(&self.new, format!("{ahead_seconds:+}\n")).unwrap();
        // Whole or not at all: it is read all the time.
        fs::rename(&self.new, &self.file).unwrap();
    }
}

/// What a clock says that is so many seconds ahead, in seconds since the Unix epoch.
pub(super) fn seconds(ahead_seconds: i64) -> f64 {
    unix(SystemTime::now()) + ahead_seconds as f64
}

/// How far ahead a clock is that says this, in seconds since the Unix epoch.
pub(super) fn ahead_to(unix_seconds: i64) -> i64 {
    unix_seconds - unix(SystemTime::now()) as i64
}

fn unix(at: SystemTime) -> f64 {
    let since = at.duration_since(UNIX_EPOCH);
    since.map_or(0.0, |since: Duration| since.as_secs_f64())
}
