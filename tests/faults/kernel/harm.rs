//! Faults inside the service, while it runs; and what it says of itself then.

use crate::stage::{Service, Stage};
use crate::support::{PATIENCE, eventually};
use proxy_shards::hooks::{self, Faults};
use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// The file whose faults the service makes: a build for tests follows it.
pub(crate) struct Harm(PathBuf);

impl Harm {
    /// None so far, in the service that `stage` starts.
    pub(crate) fn new(stage: &mut Stage) -> Harm {
        let path = stage.path("faults.now");
        let name = path.to_str().unwrap().to_owned();
        stage.variables.push((hooks::FILE.to_owned(), name));
        Harm(path)
    }

    /// These and no others, for every job from now on.
    pub(crate) fn begin(&self, faults: &Faults) {
        let (text, beside) = (faults.to_string(), self.0.with_extension("new"));
        fs::write(&beside, &text).unwrap();
        fs::rename(&beside, &self.0).unwrap();
        eventually(PATIENCE, "the shards know of the faults", || {
            let seen = fs::read_to_string(self.0.with_extension(hooks::SEEN));
            seen.is_ok_and(|seen| seen == text).then_some(())
        });
    }

    /// No more.
    pub(crate) fn end(&self) {
        self.begin(&Faults::default());
    }
}

/// A sample of the service's metrics, by its name without the prefix.
pub(crate) fn metric(service: &Service, name: &str) -> f64 {
    let (status, page) = service.get("/metrics");
    assert_eq!(status, 200, "{page}");
    sample(&page, name)
}

/// The same of a page; 0 if it is not there yet.
pub(crate) fn sample(page: &str, name: &str) -> f64 {
    let name = format!("proxychecker_{name} ");
    let value = page.lines().find_map(|line| line.strip_prefix(&name));
    value.map_or(0.0, |value| value.parse().unwrap())
}

/// Asks for a sweep; its number is larger than the one that is told.
pub(crate) fn asks_for_a_sweep(service: &Service) -> u64 {
    let before = service.stat()["sweep"]["id"].as_u64().unwrap();
    assert_eq!(service.post("/reload").0, 200);
    before
}

/// Waits until a sweep that came after `before` is over: how long that took.
pub(crate) fn is_swept(service: &Service, before: u64, within: Duration) -> Duration {
    let began = Instant::now();
    eventually(within, "a sweep is over", || {
        let sweep = &service.stat()["sweep"];
        let is_later = sweep["id"].as_u64().unwrap() > before;
        (is_later && sweep["finished"].is_string()).then_some(())
    });
    began.elapsed()
}

/// Asks for a sweep and waits for its end.
pub(crate) fn sweeps(service: &Service, within: Duration) {
    let before = asks_for_a_sweep(service);
    is_swept(service, before, within);
}
