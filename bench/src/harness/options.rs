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
    /// What the report's files are called [default: as the scenario]
    #[arg(long, value_name = "NAME", value_parser = name)]
    pub name: Option<String>,
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

fn name(text: &str) -> Result<String, String> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    match !text.is_empty() && text.chars().all(is_plain) {
        true => Ok(text.to_owned()),
        false => Err("letters, digits, - and _ only".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_no_path() {
        assert_eq!(name("sweep-wide"), Ok("sweep-wide".into()));
        assert!(name("../x").is_err() && name("").is_err());
    }

    #[test]
    fn nothing_is_not_worth_a_run() {
        assert_eq!(at_least_one("1"), Ok(1));
        assert!(at_least_one("0").is_err() && at_least_one("x").is_err());
    }
}
