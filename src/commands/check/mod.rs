//! `check`: probes lists once, without the service. Rows go to standard output and nothing else
//! does; warnings, progress and the summary go to standard error.

mod args;
mod book;
pub(crate) mod direct;
mod drive;
mod feed;
mod interrupts;
mod list;
pub(crate) mod names;
mod occupation;
mod outside;
mod progress;
mod rows;

#[cfg(test)]
mod tests;

pub use args::CheckArgs;

use super::probe::{Probing, environment};
use crate::commands::lists::remedy;
use crate::commands::status::{EXIT_INTERRUPTED, Failure};
use crate::control::Control;
use crate::lanes::{Lanes, Shares, Wish};
use crate::sources::address::AddressPolicy;
use crate::sources::input::{Input, InputError, Inputs, Limits};
use args::CONCURRENCY_DEFAULT;
use book::Check;
use direct::Addresses;
use drive::{Direct, End, Patience};
use interrupts::Watch;
use list::List;
use occupation::Occupation;
use outside::Outdoors;
use progress::Counts;
use proxy_shards::{Candidate, Engine, EngineOptions, Record, Tuning, Verdict};
use rows::{Goals, Rows};
use std::fmt::Display;
use std::io::{self, ErrorKind, Write};
use std::num::{NonZeroU32, NonZeroUsize};
use std::sync::Arc;
use std::thread;
use std::time::Instant;

/// Checks what `args` name: rows to `out`, the rest to `err`. Returns the exit status: 0 if it ran,
/// also when the reader of `out` went away, 130 if it was interrupted.
///
/// # Errors
/// Why it could not run, or not to its end.
pub fn run(args: &CheckArgs, out: impl Write, err: &mut dyn Write) -> Result<u8, Failure> {
    let probing = args.probing(&environment)?;
    for warning in &probing.warnings {
        warn(err, warning);
    }
    let addresses = args.lists.addresses.over(&probing.addresses);
    let watch = Watch::start().map_err(|e| failed("cannot watch for signals", e))?;
    let mut list = read(args, &addresses, err)?;
    let interrupts = watch.lists_read();
    let started = Instant::now();
    let goals = Goals::new(&probing.policy);
    let mut names = list.host_names();
    if probing.control.is_some() {
        names.extend(direct::host_names(&probing.policy));
        names.sort_unstable();
        names.dedup();
    }
    let end = match names::resolve(names, names::system, &interrupts) {
        Some(found) => {
            let targets = Addresses::new(&probing.policy, &found);
            list.resolved(found, |ip| addresses.allows(ip));
            let (engine, control) = start(args, probing, list.len(), err)?;
            let lanes = lanes(args, &engine);
            let direct = Direct {
                control,
                addresses: targets,
                patience: Patience::default(),
                lanes,
                err,
            };
            print(args, &list, goals, out, |check| {
                drive::drive(engine, check, direct, &Outdoors::new(&interrupts))
            })
        }
        None => print(args, &list, goals, out, |check| {
            check.end_rest(Verdict::LocalCancelled)?;
            Ok(End::Interrupted)
        }),
    };
    conclude(end, started, err)
}

/// Reads every input; what an earlier one has is a duplicate in the next.
fn read(args: &CheckArgs, addresses: &AddressPolicy, err: &mut dyn Write) -> Result<List, Failure> {
    let mut reader = Inputs::new(args.lists.reading(addresses.clone()), Limits::default());
    let read = |input: &Input, candidates: &mut Vec<Candidate>| {
        let mut take = |mut found| {
            candidates.append(&mut found);
            Ok(())
        };
        let held = reader.read(input, &mut take);
        held.map(drop)
            .map_err(|error| unreadable(input, &error, addresses))
    };
    List::gather(&args.lists.inputs()?, read, err)
}

fn unreadable(input: &Input, error: &InputError, addresses: &AddressPolicy) -> String {
    let remedy = match (input, error) {
        (_, InputError::NothingFound(skipped)) => remedy(skipped, addresses),
        // `check http://192.0.2.1:8080` names a proxy more often than a list.
        (Input::Url(url), InputError::Fetch(_)) if url.path() == "/" => {
            Some("if this is a proxy and not a list, write it to a file or to the standard input")
        }
        _ => None,
    };
    match remedy {
        Some(remedy) => format!("{input}: {error}; {remedy}"),
        None => format!("{input}: {error}"),
    }
}

/// Starts the shards, no more of them and no more lanes than there are candidates.
fn start(
    args: &CheckArgs,
    probing: Probing,
    candidates: usize,
    err: &mut dyn Write,
) -> Result<(Engine, Control<Record>), Failure> {
    let (lanes, shards) = sizes(args, candidates);
    let options = EngineOptions {
        shards: Some(shards),
        lanes,
        tuning: Tuning::default(),
    };
    let policy = Arc::new(probing.policy);
    let engine = Engine::start(options, policy.clone()).map_err(|e| failed("cannot probe", e))?;
    engine.set_pace(args.max_connects_per_second.and_then(NonZeroU32::new));
    let granted = engine.lanes_per_shard().saturating_mul(engine.shards());
    if granted < lanes.get() {
        warn(
            err,
            &format!(
                "{granted} probes at once instead of {lanes}: raise the limit of open files (ulimit -n) or the number of shards"
            ),
        );
    }
    Ok((engine, Control::new(policy, probing.control)))
}

/// The lanes of `engine`, governed if that is asked for. A check has the rings to itself.
fn lanes(args: &CheckArgs, engine: &Engine) -> Lanes {
    const WITHIN: Shares = Shares {
        cpu: 95,
        descriptors: 100,
    };
    let (shards, per_shard) = (engine.shards(), engine.lanes_per_shard());
    let wish = Wish {
        lanes: NonZeroUsize::new(shards * per_shard).unwrap_or(NonZeroUsize::MIN),
        within: args.adaptive.then_some(WITHIN),
    };
    Lanes::new(shards, per_shard, u64::MAX, wish, 0)
}

/// Lanes and shards for so many candidates: no more lanes than can have work.
fn sizes(args: &CheckArgs, candidates: usize) -> (NonZeroUsize, NonZeroUsize) {
    let at_least_one = |n: usize| NonZeroUsize::new(n).unwrap_or(NonZeroUsize::MIN);
    let wanted = args.concurrency.unwrap_or(CONCURRENCY_DEFAULT) as usize;
    let lanes = at_least_one(wanted.min(candidates));
    let shards = match args.shards {
        Some(shards) => at_least_one(shards as usize),
        None => thread::available_parallelism().unwrap_or(NonZeroUsize::MIN),
    };
    (lanes, shards.min(lanes))
}

/// Has `work` done with rows going to `out`.
fn print<W: Write>(
    args: &CheckArgs,
    list: &List,
    goals: Goals,
    out: W,
    work: impl FnOnce(&mut Check<'_, progress::Beside<W>>) -> io::Result<End>,
) -> io::Result<(End, Counts, Occupation)> {
    let bar = progress::bar(list.len());
    let beside = progress::Beside {
        bar: bar.clone(),
        out,
    };
    let rows = Rows::new(args.format, args.all, goals, beside)?;
    let mut check = Check::new(list, rows, bar);
    let end = work(&mut check)?;
    let (counts, occupation) = check.finish()?;
    Ok((end, counts, occupation))
}

/// Says how it ended, and finds the exit status for it.
fn conclude(
    end: io::Result<(End, Counts, Occupation)>,
    started: Instant,
    err: &mut dyn Write,
) -> Result<u8, Failure> {
    let (end, counts, occupation) = match end {
        Ok(ended) => ended,
        // The reader has what it wanted, as in `| head`.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => return Ok(0),
        Err(error) => return Err(failed("cannot write results to standard output", error)),
    };
    if let End::Unreached(targets) = end {
        return Err(Failure::Failed(format!(
            "nothing was checked, because the target does not answer as it should without a proxy: {targets}"
        )));
    }
    let summary = progress::summary(&counts, started.elapsed());
    let interrupted = if end == End::Interrupted {
        "interrupted; "
    } else {
        ""
    };
    // Without stderr there is nobody to tell.
    let _ = writeln!(err, "proxy-checker: {interrupted}{summary}");
    if let Some(line) = occupation.line() {
        let _ = writeln!(err, "proxy-checker: {line}");
    }
    if let Some(warning) = occupation.warning(counts.of(Verdict::LocalLate)) {
        warn(err, &warning);
    }
    if let Some(hint) = progress::hint(&counts) {
        warn(err, hint);
    }
    match end {
        End::Complete => Ok(0),
        End::Interrupted => Ok(EXIT_INTERRUPTED),
        End::Lost => Err(Failure::Failed(LOST.into())),
        End::Unreached(targets) | End::Gone(targets) => Err(Failure::Failed(format!(
            "the target went away and did not come back: {targets}; what could not be checked is local_target: check it again when the target answers"
        ))),
    }
}

const LOST: &str = "the shards ended before their work did, which is a bug: please report it with the list and the options; the candidates concerned are local_fault";

fn failed(what: &str, error: impl Display) -> Failure {
    Failure::Failed(format!("{what}: {error}"))
}

fn warn(err: &mut dyn Write, text: &str) {
    // Without stderr there is nobody to warn.
    let _ = writeln!(err, "proxy-checker: warning: {text}");
}
