//! `proxy-bench reference`: a minimal checker of one kind, to be measured beside the real one.

use super::{Done, at};
use proxy_bench::limits::raise_descriptors;
use proxy_bench::reference::{self, Kind, Pace};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

/// Check a list of HTTP proxies with as little as it takes.
///
/// One thread, one absolute-form GET through each proxy, a status that must be 204: the least that
/// can be done with io_uring, tokio or epoll. It tells who works, and coarsely why others do not.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// What it is made of
    #[arg(value_enum)]
    kind: Kind,
    /// Proxies, one `http://[user:pass@]a.b.c.d:port` a line
    #[arg(long, value_name = "FILE")]
    list: PathBuf,
    /// The page that is fetched through each, with http://
    #[arg(long, value_name = "URL")]
    target: String,
    /// Probes at once
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..))]
    lanes: u32,
    /// Time for one probe, all in all: 15s or 500ms
    #[arg(long, default_value = "15s", value_name = "TIME", value_parser = duration)]
    timeout: Duration,
    /// The part of it that connecting may take
    #[arg(long, default_value = "5s", value_name = "TIME", value_parser = duration)]
    connect_timeout: Duration,
    /// Where the rows go, a JSON line for each proxy
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

fn duration(text: &str) -> Result<Duration, String> {
    let number = |digits: &str| digits.parse().map_err(|e| format!("{text:?}: {e}"));
    let found = match text.strip_suffix("ms") {
        Some(digits) => Duration::from_millis(number(digits)?),
        None => Duration::from_secs(number(text.strip_suffix('s').unwrap_or(text))?),
    };
    match found.is_zero() {
        true => Err(format!("{text:?}: no time at all")),
        false => Ok(found),
    }
}

pub(crate) fn run(options: &Options) -> Done {
    raise_descriptors()?;
    let pace = Pace {
        lanes: options.lanes,
        timeout: options.timeout,
        connect_timeout: options.connect_timeout,
    };
    let (list, out) = (&options.list, &options.out);
    reference::run(options.kind, list, &options.target, pace, out).map_err(at(list))?;
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_has_seconds_or_milliseconds() {
        assert_eq!(duration("15s"), Ok(Duration::from_secs(15)));
        assert_eq!(duration("15"), Ok(Duration::from_secs(15)));
        assert_eq!(duration("500ms"), Ok(Duration::from_millis(500)));
        assert!(duration("0s").is_err() && duration("1m").is_err());
    }
}
