//! `proxy-bench engine`: the engine alone over a list, to be measured from outside.

use super::{Done, at, open};
use proxy_bench::engine::{Deal, EngineError, Work, run as work};
use proxy_bench::tune::grid::Setting;
use proxy_bench::tune::settings::Settings;
use std::fs::File;
use std::io::{BufWriter, Read, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

/// Exit code for settings that this host declines.
pub(crate) const REFUSED: u8 = 3;

/// Probe a list with the engine alone, a row for each proxy on standard output.
///
/// Exits with 3 if this host declines the settings.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Proxies, one a line, each with a scheme and an address
    #[arg(long, value_name = "FILE")]
    list: PathBuf,
    /// What is fetched through them; 204 is expected of `…/generate_204`
    #[arg(long, value_name = "URL")]
    target: String,
    #[command(flatten)]
    deadlines: Deadlines,
    /// A knob and its value; again for another one
    #[arg(long = "set", value_name = "KNOB=VALUE")]
    set: Vec<Setting>,
    /// Give each shard the proxies whose address hashes to it, not one in turns
    #[arg(long)]
    by_hash: bool,
    /// Where to write what each shard's thread used, as JSON
    #[arg(long, value_name = "FILE")]
    stat: Option<PathBuf>,
}

/// The deadlines of a probe.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Deadlines {
    /// The deadline of a probe
    #[arg(long, value_name = "SECONDS", default_value = "30", value_parser = seconds)]
    pub(crate) timeout: Duration,
    /// The part of it that the connection may take
    #[arg(long, value_name = "SECONDS", default_value = "15", value_parser = seconds)]
    pub(crate) connect_timeout: Duration,
}

impl Deadlines {
    /// The options that make these.
    pub(crate) fn arguments(&self) -> Vec<String> {
        let text = |time: Duration| time.as_secs_f64().to_string();
        vec![
            "--timeout".into(),
            text(self.timeout),
            "--connect-timeout".into(),
            text(self.connect_timeout),
        ]
    }
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|error| format!("{error}"))?;
    Duration::try_from_secs_f64(seconds).map_err(|error| format!("{error}"))
}

pub(crate) fn run(options: &Options) -> Done {
    let mut list = String::new();
    open(&options.list)?
        .read_to_string(&mut list)
        .map_err(at(&options.list))?;
    let mut settings = Settings::default();
    options.set.iter().for_each(|set| set.apply(&mut settings));
    let asked = Work {
        list: &list,
        target: &options.target,
        timeout: options.deadlines.timeout,
        connect_timeout: options.deadlines.connect_timeout,
        deal: match options.by_hash {
            true => Deal::Hash,
            false => Deal::Even,
        },
        settings,
    };
    let mut out = BufWriter::new(std::io::stdout().lock());
    let stat = match work(&asked, &mut out) {
        Err(EngineError::Refused(why)) => {
            writeln!(std::io::stderr(), "{why}").ok();
            return Ok(ExitCode::from(REFUSED));
        }
        stat => stat?,
    };
    if let Some(path) = &options.stat {
        let mut file = BufWriter::new(File::create(path).map_err(at(path))?);
        serde_json::to_writer(&mut file, &stat)?;
        file.flush().map_err(at(path))?;
    }
    Ok(ExitCode::SUCCESS)
}
