//! `proxy-bench sessions`: the memory of TLS sessions that wait; and the program that holds them.

use super::Done;
use proxy_bench::handshakes::client::Kind;
use proxy_bench::handshakes::sessions::{Stage, bytes_each};
use proxy_bench::harness::bench::Bench;
use proxy_bench::harness::figures::Series;
use proxy_bench::harness::options::Common;
use proxy_bench::harness::report::{Column, Row};
use std::io::Write;
use std::process::ExitCode;

/// Memory of a TLS session whose peer falls silent, by stage: the engine's, and rustls' own with its
/// buffers.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    #[command(flatten)]
    common: Common,
}

/// Hold so many sessions, and print the bytes that each takes.
#[derive(Debug, clap::Args)]
#[command(hide = true)]
pub(crate) struct HoldOptions {
    /// Whose
    #[arg(long)]
    kind: Kind,
    /// Where the peer falls silent
    #[arg(long)]
    stage: Stage,
    /// How many
    #[arg(long)]
    count: usize,
}

const COLUMNS: [Column; 3] = [
    Column::text("peer", 34),
    Column::text("session", 10),
    Column::figures("memory", "bytes a session", 0, 24),
];

pub(crate) fn run(options: &Options) -> Done {
    let bench = Bench::new(&options.common)?;
    let mut report = bench.report("sessions", COLUMNS.to_vec())?;
    let folder = tempfile::tempdir()?;
    let said = folder.path().join("said");
    for stage in Stage::ALL {
        for kind in Kind::ALL {
            let program = bench
                .own([
                    "hold-sessions",
                    "--count",
                    &options.common.count.to_string(),
                ])
                .with(["--kind", kind.label(), "--stage", stage.label()]);
            let mut bytes = Series::default();
            for _ in 0..options.common.runs {
                program.clone().to(&said).run()?;
                bytes.push(std::fs::read_to_string(&said)?.trim().parse()?);
            }
            report.row(Row {
                values: vec![stage.meaning().into(), kind.label().into(), bytes.into()],
                commands: vec![program.command()],
                runs: Vec::new(),
            })?;
        }
    }
    report.end(&[])?;
    Ok(ExitCode::SUCCESS)
}

pub(crate) fn hold(options: &HoldOptions) -> Done {
    let bytes = bytes_each(options.kind, options.stage, options.count.max(1))?;
    writeln!(std::io::stdout(), "{bytes:.0}")?;
    Ok(ExitCode::SUCCESS)
}
