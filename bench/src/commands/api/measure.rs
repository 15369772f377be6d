//! One route under load, with what the server's CPU says of it.

use super::Phase;
use proxy_bench::harness::Result;
use proxy_bench::harness::service::Service;
use proxy_bench::load::nginx::Nginx;
use proxy_bench::load::{Client, Load, Outcome};
use serde::Serialize;
use std::net::SocketAddr;
use std::time::Duration;

/// The names of the thread that serves, and of the one that makes large answers for it, which is
/// there once it was needed.
const API_THREADS: [&str; 2] = ["api", "api-press"];
/// Between two looks whether the sweep still probes.
const LOOK: Duration = Duration::from_millis(100);

/// A route of one run.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub(super) struct Measured {
    pub(super) outcome: Outcome,
    /// CPU time of what served, in seconds.
    pub(super) cpu_s: f64,
    /// Probes that ended meanwhile.
    pub(super) probes: u64,
}

impl Measured {
    /// Answers in a second of CPU time; `None` if that was too short to be seen.
    pub(super) fn per_cpu_s(&self) -> Option<f64> {
        (self.cpu_s > 0.0).then(|| self.outcome.answers as f64 / self.cpu_s)
    }
}

/// How everything is asked, and the sweep that began last.
pub(super) struct Round<'a> {
    pub(super) client: &'a Client,
    pub(super) connections: usize,
    pub(super) length: Duration,
    pub(super) sweep: u64,
    /// Probes that had ended at the last look.
    pub(super) probes: u64,
    pub(super) patience: Duration,
}

impl Round<'_> {
    fn load(&self, address: SocketAddr, path: &str) -> Load {
        Load {
            address,
            path: path.to_owned(),
            connections: self.connections,
            length: self.length,
        }
    }

    /// nginx that answers 200.
    pub(super) fn of_nginx(&self, nginx: &Nginx) -> Result<Measured> {
        let load = self.load(nginx.address(), "/");
        let before = nginx.cpu_s().unwrap_or_default();
        let outcome = load.run(self.client)?;
        Ok(Measured {
            cpu_s: nginx.cpu_s().unwrap_or_default() - before,
            outcome,
            probes: 0,
        })
    }

    /// A route of the service.
    pub(super) fn of_service(
        &mut self,
        service: &mut Service,
        path: &str,
        phase: Phase,
    ) -> Result<Measured> {
        if phase == Phase::Sweeping {
            let before = probes(service)?;
            service.wait("a probe of a sweep", self.patience, |service| {
                self.sweep_on(service)?;
                Ok(self.probes > before)
            })?;
        }
        let load = self.load(service.address(), path);
        let (probes_before, before) = (probes(service)?, cpu(service)?);
        let client = self.client;
        let outcome = std::thread::scope(|scope| {
            let asking = scope.spawn(|| load.run(client));
            while !asking.is_finished() {
                if phase == Phase::Sweeping {
                    self.sweep_on(service)?;
                }
                std::thread::sleep(LOOK.min(self.length));
            }
            asking
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })?;
        Ok(Measured {
            cpu_s: cpu(service)? - before,
            outcome,
            probes: probes(service)? - probes_before,
        })
    }

    /// Has another sweep begin if no probe has ended since the last look: what is left of the one
    /// that runs are silent proxies and verdicts that are held, which are no load.
    fn sweep_on(&mut self, service: &mut Service) -> Result<()> {
        let before = std::mem::replace(&mut self.probes, probes(service)?);
        if self.probes == before {
            self.sweep = service.reload()?;
        }
        Ok(())
    }
}

fn cpu(service: &Service) -> Result<f64> {
    let of = |name| service.process().cpu_of_threads(name);
    let [serves, makes] = API_THREADS.map(of);
    serves
        .map(|serves| serves + makes.unwrap_or_default())
        .ok_or_else(|| service.fault("it has no thread `api` whose CPU time can be read"))
}

/// Probes that have ended so far.
fn probes(service: &mut Service) -> Result<u64> {
    let metrics = service.get("/metrics")?;
    Ok(probes_in(&String::from_utf8_lossy(&metrics)))
}

fn probes_in(metrics: &str) -> u64 {
    let family = |line: &&str| line.starts_with("proxychecker_probes_total");
    let value = |line: &str| line.rsplit(' ').next()?.parse::<f64>().ok();
    let sum: f64 = metrics.lines().filter(family).filter_map(value).sum();
    sum as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probes_are_summed_over_their_verdicts() {
        let metrics = "# TYPE proxychecker_probes_total counter
proxychecker_probes_total{verdict=\"alive\"} 20
proxychecker_probes_total{verdict=\"refused\"} 300
proxychecker_probes_queued{shard=\"0\"} 9
";
        assert_eq!(probes_in(metrics), 320);
    }

    #[test]
    fn without_cpu_time_there_is_no_rate() {
        let mut measured = Measured::default();
        measured.outcome.answers = 10;
        assert_eq!(measured.per_cpu_s(), None);
        measured.cpu_s = 0.5;
        assert_eq!(measured.per_cpu_s(), Some(20.0));
    }
}
