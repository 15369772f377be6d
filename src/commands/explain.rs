//! `explain`: probes one proxy and prints every stage, what was said, and the rule behind the
//! verdict. It takes the same course with the same conversation as the shards, over a plain socket of its
//! own, so that a diagnosis needs no io_uring.

mod diary;
mod fields;
mod inquiry;
mod mask;
mod print;
mod story;
mod talk;
mod wire;

#[cfg(any(test, fuzzing))]
pub(crate) mod fuzz;
#[cfg(test)]
mod tests;

use super::AddressArgs;
use super::check::direct::{self, Addresses};
use super::check::names;
use super::lists::remedy;
use super::probe::{ProbeArgs, environment};
use super::status::{EXIT_NOT_ALIVE, Failure};
use crate::sources::address::AddressPolicy;
use crate::sources::input::protocol_hint;
use crate::sources::parse::{Format, Reading, Skip, Skipped, describe, parse};
use crossbeam_channel::never;
use diary::Diary;
use inquiry::Inquiry;
use mask::Mask;
use proxy_shards::conversation::{Plan, Way};
use proxy_shards::policy::Mode;
use proxy_shards::{Candidate, Host, ProbePolicy, Scheme, Verdict};
use std::io::{self, ErrorKind, Read, Write};
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::sync::Arc;
use talk::Talk;

/// Most bytes that are read from the standard input.
const INPUT_BYTES_MAX: u64 = 64 * 1024;

/// Probe one proxy and tell what happened, stage by stage.
///
/// First the targets are reached without a proxy; then the proxy is probed as a check does, under
/// the protocols that it may speak. Every byte is shown escaped, with the credentials as *** in
/// the fields that carry them. Where the peer echoes them, so are a password of 6 bytes or more and
/// the value of Basic authentication; shorter passwords and user names are words like others.
#[derive(clap::Args, Clone, Debug)]
#[command(after_help = EXAMPLES)]
pub struct ExplainArgs {
    /// The proxy, in any form that lists have: 1.2.3.4:8080, socks5://user:password@host:1080 …; -
    /// reads it from the standard input, where no list of processes shows its password
    #[arg(value_name = "PROXY")]
    proxy: String,
    /// Protocol if the proxy names none: http, https, socks4, socks5, or auto for each in turn
    #[arg(long, short, value_name = "PROTOCOL", default_value = "auto", value_parser = protocol_hint)]
    protocol: Scheme,
    #[command(flatten)]
    addresses: AddressArgs,
    /// Print one JSON object instead of text
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    probe: ProbeArgs,
}

const EXAMPLES: &str = "\
Examples:
  proxy-checker explain 1.2.3.4:8080
  proxy-checker explain --judge https://judge.my.test/ socks5://1.2.3.4:1080
  echo 'http://user:password@proxy.example:3128' | proxy-checker explain --json -

Exit status: 0 it is alive; 3 it is not, or nothing can be said of it; 1 it could not be tried;
2 wrong usage. docs/verdicts.md says what each verdict means.";

/// Probes the proxy and tells what happened. Returns the exit status: 0 if it is alive, 3 if not.
///
/// # Errors
/// What keeps it from being tried.
pub fn run(args: &ExplainArgs, mut out: impl Write, err: &mut dyn Write) -> Result<u8, Failure> {
    let probing = args
        .probe
        .probing(Some(Mode::FullHttp), None, &environment)?;
    for warning in &probing.warnings {
        // Without stderr there is nobody to warn.
        let _ = writeln!(err, "proxy-checker: warning: {warning}");
    }
    let addresses = args.addresses.over(&probing.addresses);
    let candidate = read(&args.proxy, args.protocol, addresses.clone())?;
    let mut names = direct::host_names(&probing.policy);
    if let Host::Name(name) = &candidate.host {
        names.push(name.clone());
    }
    // Nobody interrupts it but by ending the process.
    let found = names::resolve(names, names::system, &never()).unwrap_or_default();
    let resolved = match &candidate.host {
        Host::Name(name) => found.get(name).cloned().unwrap_or_default(),
        Host::V4(ip) => vec![IpAddr::V4(*ip)],
        Host::V6(ip) => vec![IpAddr::V6(*ip)],
    };
    let inquiry = Inquiry {
        address: dialled(&candidate, &resolved, &addresses)?,
        targets: Addresses::new(&probing.policy, &found),
        mask: Mask::new(candidate.credentials.as_deref()),
        candidate,
        diary: Rc::new(Diary::new()),
        compile: |policy, diary| Rc::new(Plan::new(policy).watched(diary)),
    };
    let (alive, story) = inquiry.story(probing);
    let written = match args.json {
        true => serde_json::to_writer(&mut out, &story)
            .map_err(io::Error::from)
            .and_then(|()| writeln!(out)),
        false => write!(out, "{story}"),
    };
    match written.and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(Failure::Failed(format!(
            "cannot write to standard output: {error}"
        ))),
        _ if alive => Ok(0),
        _ => Ok(EXIT_NOT_ALIVE),
    }
}

/// How each target fares without a proxy, in the order of the policy.
pub(super) fn without_proxy(policy: &Arc<ProbePolicy>, targets: &Addresses) -> Vec<Verdict> {
    let (plan, diary) = (Rc::new(Plan::new(policy.clone())), Diary::new());
    let reach = |target| {
        let Some(address) = targets.of(target) else {
            return Verdict::LocalNames;
        };
        let talk = Talk {
            plan: &plan,
            target,
            way: Way::Direct,
            credentials: None,
            address,
        };
        talk.over_tcp(&diary).verdict
    };
    (0..policy.targets.len()).map(reach).collect()
}

/// The one proxy that `text` names.
fn read(text: &str, hint: Scheme, addresses: AddressPolicy) -> Result<Candidate, Failure> {
    let mut input = String::new();
    let text = match text {
        "-" => {
            let mut stdin = io::stdin().lock().take(INPUT_BYTES_MAX);
            let read = stdin.read_to_string(&mut input);
            read.map_err(|e| Failure::Failed(format!("cannot read standard input: {e}")))?;
            &input
        }
        text => text,
    };
    let parsed = parse(
        text.as_bytes(),
        Reading {
            hint,
            format: Format::Auto,
            addresses: addresses.clone(),
        },
    );
    let mut candidates = parsed.candidates.into_iter();
    match (candidates.next(), candidates.next()) {
        (Some(candidate), None) => Ok(candidate),
        (Some(_), Some(_)) => Err(Failure::Usage(
            "more than one proxy: explain takes one; `check` takes lists".into(),
        )),
        (None, _) => {
            let skipped = parsed.skipped;
            let remedy = remedy(&skipped, &addresses)
                .unwrap_or("write ip:port or scheme://user:password@host:port");
            // The text is not repeated: it may hold a password.
            Err(Failure::Usage(format!(
                "that is no proxy that can be probed ({}): {remedy}",
                describe(&skipped)
            )))
        }
    }
}

/// The first of the addresses that may be dialled.
fn dialled(
    candidate: &Candidate,
    resolved: &[IpAddr],
    addresses: &AddressPolicy,
) -> Result<SocketAddr, Failure> {
    let host = &candidate.host;
    if resolved.is_empty() {
        return Err(Failure::Failed(format!(
            "{host} has no address ({}): look at the name, and at this host's resolver",
            Verdict::LocalNames.label()
        )));
    }
    let ip = resolved.iter().find(|ip| addresses.allows(**ip));
    let ip = ip.ok_or_else(|| {
        let (first, mut skipped) = (resolved[0], Skipped::default());
        skipped[Skip::NotPublic as usize] = 1;
        let remedy = remedy(&skipped, addresses).unwrap_or_default();
        Failure::Failed(format!("{host} is {first}, which is not dialled: {remedy}"))
    })?;
    Ok(SocketAddr::new(*ip, candidate.port))
}
