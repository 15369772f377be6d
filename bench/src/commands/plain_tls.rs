//! `proxy-bench plain-tls`: the plain checker, a program that `handshakes` measures.

use super::{Done, at};
use proxy_bench::handshakes::plain::Checker;
use serde_json::json;
use std::io::{BufWriter, Write};
use std::path::PathBuf;
use std::process::ExitCode;

/// Check HTTP proxies with plain rustls over blocking sockets, and write a JSON line for each.
#[derive(Debug, clap::Args)]
#[command(hide = true)]
pub(crate) struct Options {
    /// Proxies, one http://address:port a line
    #[arg(long, value_name = "FILE")]
    list: PathBuf,
    /// The certificate of the target's authority
    #[arg(long, value_name = "FILE")]
    ca: PathBuf,
    /// https://host:port/path; it answers 204
    #[arg(long, value_name = "URL")]
    target: String,
    /// Threads, each with a probe
    #[arg(long)]
    threads: usize,
}

pub(crate) fn run(options: &Options) -> Done {
    let read = |path: &PathBuf| std::fs::read_to_string(path).map_err(at(path));
    let (list, ca) = (read(&options.list)?, read(&options.ca)?);
    let checker = Checker::new(&options.target, ca.as_bytes())?;
    let proxies: Vec<&str> = list.lines().collect();
    let found = checker.check(&proxies, options.threads.max(1));
    let mut out = BufWriter::new(std::io::stdout().lock());
    for (proxy, alive) in proxies.iter().zip(found) {
        let verdict = if alive { "alive" } else { "dead" };
        writeln!(out, "{}", json!({"proxy": proxy, "verdict": verdict}))?;
    }
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}
