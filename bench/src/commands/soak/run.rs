//! The hours: the list changes, sweeps are held against the truth, samples are taken.

use super::Options;
use super::judge::{Bounds, rss_mb};
use proxy_bench::harness::Result;
use proxy_bench::harness::bench::Bench;
use proxy_bench::harness::interrupt::Asked;
use proxy_bench::harness::served::Expected;
use proxy_bench::harness::service::Service;
use proxy_bench::harness::stage::Stage;
use proxy_bench::harness::usage::Moment;
use std::io::Write;
use std::time::{Duration, Instant};

/// Every other change of the list is followed by a reload, and so by a sweep; the others the service
/// finds by itself, when it fetches the list again.
const RELOAD_EVERY: u64 = 2;
/// A signal that reaches the service and the farm too may be seen here a little later than their
/// end.
const SIGNAL_WITHIN: Duration = Duration::from_secs(1);

/// How it ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// The time is over.
    Over,
    /// A signal asked for it.
    Asked,
    /// Something is not as it should be.
    Fault(String),
}

impl Ending {
    pub(super) fn fault(&self) -> Option<String> {
        match self {
            Ending::Fault(fault) => Some(fault.clone()),
            Ending::Over | Ending::Asked => None,
        }
    }

    pub(super) const fn words(&self) -> &'static str {
        match self {
            Ending::Over => "no bound was crossed, and every sweep was true",
            Ending::Asked => {
                "ended by a signal; until then no bound was crossed, and every sweep was true"
            }
            Ending::Fault(_) => "failed",
        }
    }
}

/// A service under churn.
pub(super) struct Soak<'a> {
    stage: &'a Stage,
    service: Service,
    asked: Asked,
    bounds: Bounds,
    length: Duration,
    interval: Duration,
    every: Duration,
    patience: Duration,
    /// Proxies that are replaced at a time.
    churn: usize,
    expected: Expected,
    changes: u64,
    /// When the list changes next.
    change_at: Instant,
    /// The sweep that is to be held against the truth, and when it began.
    sweep: Option<(u64, Instant)>,
    samples: Vec<Moment>,
    /// Sweeps that were true.
    sweeps: u64,
}

impl<'a> Soak<'a> {
    /// Starts the service and holds its first sweep against the truth.
    pub(super) fn start(options: &Options, bench: &Bench, stage: &'a Stage) -> Result<Soak<'a>> {
        let count = options.common.count;
        let patience = options.probing.patience(count);
        let expected = Expected::of(stage)?;
        let mut service = Service::start(bench, stage, &options.setup(), "kept")?;
        service.swept(1, patience)?;
        hold(&mut service, &expected)?;
        Ok(Soak {
            service,
            expected,
            stage,
            asked: Asked::from_now(),
            bounds: options.bounds(),
            length: options.length(),
            interval: Duration::from_secs(options.interval),
            every: Duration::from_secs_f64(options.every),
            patience,
            churn: count * usize::from(options.churn) / 100,
            changes: 0,
            change_at: Instant::now(),
            sweep: None,
            samples: Vec::new(),
            sweeps: 1,
        })
    }

    /// How many proxies work.
    pub(super) fn alive(&self) -> usize {
        self.expected.alive.len()
    }

    /// The command of the service.
    pub(super) fn command(&self) -> &str {
        self.service.command()
    }

    /// Until the time is over, a signal comes or something is wrong.
    pub(super) fn run(&mut self) -> Ending {
        let until = Instant::now() + self.length;
        while Instant::now() < until {
            if let Err(error) = self.turn() {
                return match self.asked.within(SIGNAL_WITHIN) {
                    true => Ending::Asked,
                    false => Ending::Fault(error.to_string()),
                };
            }
            if let Some(fault) = self.bounds.fault_so_far(&self.samples) {
                return Ending::Fault(fault);
            }
            let left = until.saturating_duration_since(Instant::now());
            if self.asked.within(self.every.min(left)) {
                return Ending::Asked;
            }
        }
        Ending::Over
    }

    fn turn(&mut self) -> Result<()> {
        if let Some((id, began)) = self.sweep
            && self.is_true(id, began)?
        {
            (self.sweep, self.sweeps) = (None, self.sweeps + 1);
            self.tell();
        }
        // A sweep is held against the list that it began with.
        if self.sweep.is_none() && Instant::now() >= self.change_at {
            self.change()?;
        }
        let sample = self.service.process().now();
        let sample = sample.ok_or_else(|| self.service.fault("it has ended"))?;
        self.samples.push(sample);
        Ok(())
    }

    /// A sign of life after each sweep: the report comes hours later.
    fn tell(&self) {
        let (minutes, now) = (self.service.age_s() / 60.0, self.samples.last());
        let (sweeps, alive) = (self.sweeps, self.expected.alive.len());
        let now = now.copied().unwrap_or_default();
        let (rss, descriptors, threads) = (rss_mb(&now), now.descriptors, now.threads);
        let line = format!(
            "{minutes:.1} min: {sweeps} sweeps were true, {alive} served, {rss:.1} MB, \
             {descriptors} descriptors, {threads} threads"
        );
        // Nobody may be looking.
        writeln!(std::io::stderr(), "{line}").ok();
    }

    /// Whether the sweep is over; what is served is then held against the truth.
    fn is_true(&mut self, id: u64, began: Instant) -> Result<bool> {
        let sweep = self.service.stat()?.sweep;
        if sweep.id < id || sweep.total == 0 || sweep.finished.is_none() {
            return match began.elapsed() > self.patience {
                true => Err(self.service.fault(&format!("sweep {id} does not end"))),
                false => Ok(false),
            };
        }
        hold(&mut self.service, &self.expected)?;
        Ok(true)
    }

    fn change(&mut self) -> Result<()> {
        self.stage.slide(self.churn)?;
        self.expected = Expected::of(self.stage)?;
        self.changes += 1;
        self.change_at += self.interval;
        if self.changes.is_multiple_of(RELOAD_EVERY) {
            self.sweep = Some((self.service.reload()?, Instant::now()));
        }
        Ok(())
    }

    /// Ends the service; the samples, and how many sweeps were true.
    pub(super) fn stop(self) -> (Vec<Moment>, u64) {
        // Whatever its end is now, what was seen before is what counts.
        let _ = self.service.stop();
        (self.samples, self.sweeps)
    }
}

/// Holds what is served against who works. What is wrong with the others is not held: hours long the
/// host drops a packet now and then, and a reset is not sent again.
fn hold(service: &mut Service, expected: &Expected) -> Result<()> {
    let served = service.get("/get-proxy?all=1")?;
    expected.hold(String::from_utf8_lossy(&served).lines())
}
