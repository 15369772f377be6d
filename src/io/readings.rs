//! Reads the configuration where it may block, and looks whether its file has changed: one at a time,
//! each for a bounded time, and nothing else waits for it.
//!
//! Whoever asks for a reload while the configuration is being read gets the next reading, for what they
//! mean may have been written meanwhile; all of them get the same one. A thread that hangs in the file
//! system cannot be ended, so one that takes too long is given up: until it comes back there is no other,
//! and whoever asks is told so at once.

use super::watch::Watch;
use super::{Plan, Reload};
use crate::api::{Accepted, ReloadRequest};
use std::future::pending;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::{Instant, timeout_at};

/// Where the outcome of the validation goes.
type Reply = oneshot::Sender<Result<Accepted, String>>;

/// A configuration as it was read, or why there is none, for those who asked for it.
pub(super) struct Reading {
    pub(super) outcome: Result<Plan, String>,
    pub(super) asked: Vec<Reply>,
}

/// The reading or the look under way, and the reading that waits.
pub(super) struct Readings {
    reload: Arc<dyn Reload>,
    watch: Option<Watch>,
    /// Longest time that one of them may take.
    within: Duration,
    under_way: Option<UnderWay>,
    /// Who waits for the next reading, if anybody wants one: a signal waits for no answer.
    wanted: Option<Vec<Reply>>,
}

/// What is done on a thread that may block.
struct UnderWay {
    work: JoinHandle<Done>,
    until: Instant,
    stage: Stage,
}

/// What is waited for.
enum Stage {
    /// Whether the file has changed.
    Look,
    /// The configuration.
    Read(Vec<Reply>),
    /// Only its end: it took too long.
    GivenUp { is_wanted: bool },
}

/// What came of it: the watch as it knows the file by now, and what was found.
struct Done {
    watch: Option<Watch>,
    found: Found,
}

enum Found {
    Same,
    Changed,
    Read(Result<Plan, String>),
}

impl Readings {
    /// Nothing is under way. `watch` is the file whose change is a reload, if there is one.
    pub(super) fn new(reload: Arc<dyn Reload>, watch: Option<Watch>, within: Duration) -> Readings {
        Readings {
            reload,
            watch,
            within,
            under_way: None,
            wanted: None,
        }
    }

    /// Somebody wants the configuration to be read.
    pub(super) fn ask(&mut self, request: ReloadRequest) {
        let asked = self.wanted.get_or_insert_default();
        asked.extend(request.reply);
    }

    /// Begins to look whether the file has changed, if nothing else is to be done: if it has, that is
    /// a reading.
    pub(super) fn look(&mut self) {
        if self.under_way.is_some() || self.wanted.is_some() {
            return;
        }
        if let Some(mut watch) = self.watch.clone() {
            self.begin(Stage::Look, move || {
                let found = match watch.poll() {
                    true => Found::Changed,
                    false => Found::Same,
                };
                Done {
                    watch: Some(watch),
                    found,
                }
            });
        }
    }

    /// The next reading that has ended, or was given up. Dropping this changes nothing.
    pub(super) async fn next(&mut self) -> Reading {
        loop {
            let Some(under_way) = &mut self.under_way else {
                match self.wanted.take() {
                    Some(asked) => self.read(asked),
                    None => pending().await,
                }
                continue;
            };
            if let Stage::GivenUp { is_wanted } = under_way.stage {
                if let Some(asked) = self.wanted.take() {
                    return self.given_up(asked);
                }
                // What it found is of a moment that is long over.
                let _ = (&mut under_way.work).await;
                self.under_way = None;
                tracing::info!("the configuration can be read again");
                if is_wanted {
                    self.wanted = Some(Vec::new());
                }
                continue;
            }
            match timeout_at(under_way.until, &mut under_way.work).await {
                Ok(done) => {
                    if let Some(reading) = self.ended(done.ok()) {
                        return reading;
                    }
                }
                Err(_) => {
                    let given_up = Stage::GivenUp { is_wanted: false };
                    if let Stage::Read(asked) = std::mem::replace(&mut under_way.stage, given_up) {
                        return self.given_up(asked);
                    }
                    tracing::error!("{}", self.too_long());
                }
            }
        }
    }

    fn read(&mut self, asked: Vec<Reply>) {
        let (reload, mut watch) = (self.reload.clone(), self.watch.clone());
        self.begin(Stage::Read(asked), move || {
            // What the watch knows is at most as new as what is read: a change in between is news.
            if let Some(watch) = &mut watch {
                watch.accept();
            }
            let found = Found::Read(reload.read());
            Done { watch, found }
        });
    }

    fn begin(&mut self, stage: Stage, work: impl FnOnce() -> Done + Send + 'static) {
        self.under_way = Some(UnderWay {
            work: spawn_blocking(work),
            until: Instant::now() + self.within,
            stage,
        });
    }

    /// It has ended in time, though perhaps in a panic.
    fn ended(&mut self, done: Option<Done>) -> Option<Reading> {
        let asked = match self.under_way.take()?.stage {
            Stage::Read(asked) => Some(asked),
            Stage::Look | Stage::GivenUp { .. } => None,
        };
        let found = done.map(|done| {
            self.watch = done.watch;
            done.found
        });
        let outcome = match found {
            Some(Found::Same) => return None,
            Some(Found::Changed) => {
                tracing::info!("the configuration file has changed");
                self.wanted.get_or_insert_default();
                return None;
            }
            Some(Found::Read(outcome)) => outcome,
            None => {
                let text = "reading the configuration failed unexpectedly, which is a bug";
                Err(text.to_owned())
            }
        };
        let asked = asked?;
        Some(Reading { outcome, asked })
    }

    /// Those who asked are told; what they want is read once that is possible.
    fn given_up(&mut self, asked: Vec<Reply>) -> Reading {
        if let Some(under_way) = &mut self.under_way {
            under_way.stage = Stage::GivenUp { is_wanted: true };
        }
        Reading {
            outcome: Err(self.too_long()),
            asked,
        }
    }

    fn too_long(&self) -> String {
        let file = (self.watch.as_ref()).map(|watch| watch.path().display().to_string());
        format!(
            "{}: cannot be read: it took longer than {} s; look after the file system that it is on. It is read once that answers",
            file.as_deref().unwrap_or("the configuration"),
            self.within.as_secs_f32()
        )
    }
}

#[cfg(test)]
mod tests;
