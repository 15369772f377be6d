//! `judge`: the target that a proxy cannot imitate. Answers a nonce with what it saw of the request,
//! sealed. `docs/judge.md` is for the person who runs it.

mod answer;
mod args;
mod counts;
mod limits;
mod places;
mod rate;
mod request;
mod server;

#[cfg(any(test, fuzzing))]
pub(crate) mod fuzz;
#[cfg(test)]
mod tests;

pub use args::JudgeArgs;

use crate::commands::status::Failure;
use crate::config::Logging;
use crate::shutdown::{self, Order};
use crate::{config, logging};
use limits::Limits;
use proxy_shards::preflight;
use server::Judge;
use std::fmt::Display;
use std::io::Write;
use std::net::TcpListener;
use std::sync::Arc;
use tokio::sync::oneshot;

/// Descriptors that are not connections: the listener, the runtime, the log.
const DESCRIPTORS_KEPT: usize = 32;

/// Serves until SIGTERM or SIGINT, and then says 0.
///
/// # Errors
/// What keeps it from starting.
pub fn run(args: &JudgeArgs, err: &mut dyn Write) -> Result<u8, Failure> {
    let env = |name: &str| std::env::var(name).ok();
    let secret = config::judge_secret(&args.secret_env, &env)
        .map_err(|text| Failure::Failed(format!("--secret-env: {text}")))?;
    let _flush = logging::FlushAtEnd;
    logging::init(&Logging {
        level: "info".into(),
        json: false,
        file: None,
        otlp: None,
    })
    .map_err(|e| failed("cannot log", e))?;
    let limits = Limits {
        connections_max: bearable(args.connections as usize, err),
        ..args.limits()
    };
    let listener = TcpListener::bind(args.listen).map_err(|error| {
        let what = format!("cannot listen on {}", args.listen);
        failed(&what, format!("{error}; choose another one with --listen"))
    })?;
    let address = listener.local_addr().unwrap_or(args.listen);
    let (stop, stopped) = oneshot::channel::<()>();
    let mut stop = Some(stop);
    let _signals = shutdown::listen(move |order| match order {
        Order::Exit(status) => {
            logging::flush();
            std::process::exit(status)
        }
        Order::Stop => drop(stop.take()),
        // There is no configuration to be read again.
        Order::Reload => {}
    })
    .map_err(|e| failed("cannot watch for signals", e))?;
    // Whoever reads this line may send signals, so it comes after the handlers. Without stderr there
    // is nobody to tell.
    let _ = writeln!(
        err,
        "proxy-checker: the judge answers on http://{address}/?nonce=…"
    );
    let judge = Judge::new(secret, proxy_shards::judge::page, args.trusted(), limits);
    serve(listener, judge, async {
        // Dropping the sender is the signal.
        let _ = stopped.await;
    })?;
    Ok(0)
}

fn serve(
    listener: TcpListener,
    judge: Arc<Judge>,
    shutdown: impl Future<Output = ()>,
) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .enable_time()
        .build()
        .map_err(|e| failed("cannot start", e))?;
    let served = runtime.block_on(server::serve(listener, judge, shutdown));
    served.map_err(|e| failed("cannot listen", e))
}

/// As many connections as there are descriptors for.
fn bearable(connections: usize, err: &mut dyn Write) -> usize {
    let soft = usize::try_from(preflight::raise_nofile().soft).unwrap_or(usize::MAX);
    let bearable = soft.saturating_sub(DESCRIPTORS_KEPT).max(1);
    if bearable < connections {
        // Without stderr there is nobody to warn.
        let _ = writeln!(
            err,
            "proxy-checker: warning: {bearable} connections at once instead of {connections}: raise the limit of open files (ulimit -n, LimitNOFILE)"
        );
    }
    connections.min(bearable)
}

fn failed(what: &str, error: impl Display) -> Failure {
    Failure::Failed(format!("{what}: {error}"))
}
