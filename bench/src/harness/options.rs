//! What every scenario is told.

use super::cpus::CpuList;
use std::path::PathBuf;

/// Options of every scenario.
#[derive(Clone, Debug, clap::Args)]
pub struct Common {
    /// Runs of each row; what is compared runs in turns
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    pub runs: u32,
    /// How many proxies a run checks, where the scenario does not need more
    #[arg(long, default_value_t = 20_000, value_parser = at_least_one)]
    pub count: usize,
    /// Where the programs are [default: beside this one]
    #[arg(long, value_name = "DIR")]
    pub bin_dir: Option<PathBuf>,
    /// Where the report goes: JSON and plots
    #[arg(long, value_name = "DIR", default_value = "target/bench")]
    pub out: PathBuf,
    /// CPUs to use, the first for the farm, the others for the program: 0,2-5 [default: all]
    #[arg(long, value_name = "LIST")]
    pub cpus: Option<CpuList>,
}

fn at_least_one(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) => Err("at least 1".into()),
        Ok(count) => Ok(count),
        Err(error) => Err(format!("{error}")),
    }
}
