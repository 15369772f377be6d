//! `proxy-bench`: the farm of mock proxies, the comparison of a checker's results with it, and the
//! harness, a scenario a subcommand.

mod commands;

use clap::Parser;
use std::io::Write;
use std::process::ExitCode;

/// A farm of mock proxies for proxy-checker, and what judges it.
#[derive(Debug, Parser)]
#[command(version)]
enum Command {
    Farm(commands::farm::Options),
    Compare(commands::compare::Options),
    Sweep(commands::sweep::Options),
    Reference(commands::reference::Options),
    Handshakes(commands::handshakes::Options),
    Sessions(commands::sessions::Options),
    PlainTls(commands::plain_tls::Options),
    HoldSessions(commands::sessions::HoldOptions),
    Tune(commands::tune::Options),
    Shards(commands::shards::Options),
    // What `tune` and `shards` measure: of no use by itself.
    #[command(hide = true)]
    Engine(commands::engine::Options),
    Bound(commands::bound::Options),
    First(commands::first::Options),
    Freshness(commands::freshness::Options),
    Api(commands::api::Options),
    Soak(commands::soak::Options),
}

fn main() -> ExitCode {
    let done = match Command::parse() {
        Command::Farm(options) => commands::farm::run(&options),
        Command::Compare(options) => commands::compare::run(&options),
        Command::Sweep(options) => commands::sweep::run(&options),
        Command::Reference(options) => commands::reference::run(&options),
        Command::Handshakes(options) => commands::handshakes::run(&options),
        Command::Sessions(options) => commands::sessions::run(&options),
        Command::PlainTls(options) => commands::plain_tls::run(&options),
        Command::HoldSessions(options) => commands::sessions::hold(&options),
        Command::Tune(options) => commands::tune::run(&options),
        Command::Shards(options) => commands::shards::run(&options),
        Command::Engine(options) => commands::engine::run(&options),
        Command::Bound(options) => commands::bound::run(&options),
        Command::First(options) => commands::first::run(&options),
        Command::Freshness(options) => commands::freshness::run(&options),
        Command::Api(options) => commands::api::run(&options),
        Command::Soak(options) => commands::soak::run(&options),
    };
    done.unwrap_or_else(|error| {
        writeln!(std::io::stderr(), "proxy-bench: {error}").ok();
        ExitCode::from(2)
    })
}
