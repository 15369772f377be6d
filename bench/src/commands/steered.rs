//! Whether loopback is steered while a scenario over a service runs.

use clap::ValueEnum;
use proxy_bench::harness::Result;
use proxy_bench::harness::bench::Bench;
use proxy_bench::harness::steering::{self, Held, Steering};

/// Which steering of loopback is held meanwhile.
///
/// Steered, a burst of thousands may overflow the queue of the farm's CPU
/// (`net.core.netdev_max_backlog`). What is dropped there is sent again, but for resets: a proxy that
/// resets then seems silent, and a verdict is not the farm's truth.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Steered {
    Yes,
    /// Also where it cannot be set, as it mostly is not.
    No,
    /// Whatever is set.
    AsFound,
}

impl Steered {
    pub(crate) fn hold(self, bench: &Bench) -> Result<Option<Held>> {
        match self {
            Steered::Yes => steering::hold(Steering::ToFarm, &bench.cpus).map(Some),
            Steered::No if steering::can_be_set().is_none() => {
                steering::hold(Steering::Off, &bench.cpus).map(Some)
            }
            Steered::No | Steered::AsFound => Ok(None),
        }
    }
}
