//! `proxy-checker doctor`: holds this host and the configuration against what the service needs, and
//! says what to change. Nothing is changed by it.

mod finding;
mod host;
mod redis;
mod running;
mod world;

use self::redis::Purpose;
use super::serve::{configured, configured_without_secrets};
use super::status::{EXIT_FAILED, Failure};
use crate::config::{Config, Problem};
use crate::store;
use clap::Args;
use finding::{Finding, State};
use host::Host;
use proxy_shards::target::Demand;
use serde_json::json;
use std::io::{self, ErrorKind, Write};
use std::path::PathBuf;

/// Hold this host and the configuration against what the service needs.
///
/// Run it as the user and with the limits of the service; a shell has others than systemd gives.
#[derive(Args, Clone, Debug)]
#[command(after_help = EXAMPLES)]
pub struct DoctorArgs {
    /// Configuration file of the service; without it as `serve` finds it
    #[arg(long, short, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Print one JSON object instead of text
    #[arg(long)]
    json: bool,
    /// Look at this host alone: fetch no source, reach no target and no node
    #[arg(long)]
    offline: bool,
}

const EXAMPLES: &str = "\
Examples:
  proxy-checker doctor --config /etc/proxy-checker/config.json
  proxy-checker doctor --json | jq '.findings[] | select(.state != \"ok\")'

Exit status: 0 the service can work here, perhaps with less than it was asked for; 1 it cannot;
2 wrong usage.";

/// Looks at everything, prints what was found, and returns the exit status.
///
/// # Errors
/// The output cannot be written.
pub fn run(args: &DoctorArgs, mut out: impl Write) -> Result<u8, Failure> {
    let path = args.config.as_deref();
    let findings = match configured(path) {
        Ok(config) => look(&config, args.offline, false),
        // If secrets are all that it lacks, the rest can be looked at.
        Err(error) => match configured_without_secrets(path) {
            Ok(config) => {
                let judges = error.problems.iter().any(is_of_a_judge);
                let mut findings: Vec<Finding> = error.problems.iter().map(secret).collect();
                findings.extend(look(&config, args.offline, judges));
                findings
            }
            Err(_) => {
                let text = error.to_string();
                vec![Finding::bad("configuration", text, "correct the file")]
            }
        },
    };
    let written = match args.json {
        true => write_json(&findings, &mut out),
        false => write_text(&findings, &mut out),
    };
    match written.and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(Failure::Failed(format!(
            "cannot write to standard output: {error}"
        ))),
        _ if findings.iter().any(|f| f.state == State::Bad) => Ok(EXIT_FAILED),
        _ => Ok(0),
    }
}

/// Whether it is a judge that lacks its secret, and not a webhook.
fn is_of_a_judge(problem: &Problem) -> bool {
    problem.place.starts_with("checker.") && problem.place.ends_with("secret_env")
}

/// A secret that is not where the configuration says.
fn secret(problem: &Problem) -> Finding {
    let Problem { place, text } = problem;
    let (found, remedy) = text.split_once("; ").unwrap_or((text, "set it"));
    Finding::bad("secret", format!("{place}: {found}"), remedy)
}

/// Everything; judges whose secret is not there are not asked.
fn look(config: &Config, offline: bool, without_judges: bool) -> Vec<Finding> {
    let mut findings = host::look(&Host::this(), config);
    let (address, lives) = running::address(config.api.addr);
    findings.push(address);
    let store = world::store(&config.storage.backend, config.cluster.is_some());
    findings.push(match store::holder(&config.storage.backend) {
        None => store,
        Some(holder) => running::store(&holder, lives, store),
    });
    if !offline {
        if let Some(cluster) = &config.cluster {
            findings.push(redis::look(Purpose::Cluster, &cluster.redis));
        }
        findings.extend(world::sources(&config.aggregator));
        findings.extend(world::targets(&config.checker.policy, |target| {
            without_judges && matches!(target.demand, Demand::Judge(_))
        }));
    }
    findings
}

fn write_json(findings: &[Finding], out: &mut impl Write) -> io::Result<()> {
    let fine = !findings.iter().any(|finding| finding.state == State::Bad);
    serde_json::to_writer_pretty(&mut *out, &json!({ "fine": fine, "findings": findings }))?;
    writeln!(out)
}

fn write_text(findings: &[Finding], out: &mut impl Write) -> io::Result<()> {
    for finding in findings {
        writeln!(out, "{finding}")?;
    }
    let count = |state| findings.iter().filter(|f| f.state == state).count();
    match (count(State::Bad), count(State::Warning)) {
        (0, 0) => writeln!(out, "\nThe service can work here."),
        (0, odd) => writeln!(
            out,
            "\nThe service can work here; see the {odd} marked `warn`."
        ),
        (bad, _) => writeln!(
            out,
            "\nThe service cannot work here: see the {bad} marked `BAD`."
        ),
    }
}

#[cfg(test)]
mod tests;
