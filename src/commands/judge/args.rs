//! The arguments of `judge`.

use super::limits::Limits;
use crate::config::{JUDGE_SECRET_ENV, listen_address};
use crate::network::Network;
use clap::{Args, value_parser};
use std::net::SocketAddr;

/// Be the target that no proxy can imitate: answer with what was seen, sealed.
///
/// The checker asks it a new random number through every proxy; the answer is sealed with a secret
/// that only the two of them know, and tells which address and which forwarding fields arrived. A
/// target with "judge": true is held against it. It is made to stand on a public host.
#[derive(Args, Clone, Debug)]
#[command(after_help = EXAMPLES)]
pub struct JudgeArgs {
    /// Where it listens: IP:PORT, [IPv6]:PORT or :PORT; port 0 lets the kernel choose
    #[arg(long, default_value = "127.0.0.1:8090", value_name = "ADDR", value_parser = listen_address)]
    pub(super) listen: SocketAddr,
    /// Environment variable that holds the secret, at least 16 bytes
    #[arg(long, default_value = JUDGE_SECRET_ENV, value_name = "NAME")]
    pub(super) secret_env: String,
    /// Answers for one address and minute (IPv6: for one /64), as many of them at once; 0: no limit
    #[arg(long, default_value_t = 120, value_name = "N", value_parser = value_parser!(u32).range(..=1_000_000))]
    pub(super) rate: u32,
    /// Connections at once; when there are more, the oldest gives way
    #[arg(long, default_value_t = 4_096, value_name = "N", value_parser = value_parser!(u32).range(1..=1_000_000))]
    pub(super) connections: u32,
    /// Connections at once from one address (IPv6: from one /64)
    #[arg(long, default_value_t = 256, value_name = "N", value_parser = value_parser!(u32).range(1..=1_000_000))]
    pub(super) connections_per_address: u32,
    /// Reverse proxy before the judge, an address or a range: the last hop of its X-Forwarded-For is
    /// taken for the peer; may be repeated
    #[arg(long = "trusted-proxy", value_name = "CIDR")]
    trusted_proxies: Vec<Network>,
}

const EXAMPLES: &str = "\
Examples:
  export PROXY_CHECKER_JUDGE_SECRET=$(openssl rand -hex 32)
  proxy-checker judge --listen 0.0.0.0:8090
      On a public host, plain HTTP: the seal does what TLS would.
  proxy-checker judge --trusted-proxy 127.0.0.1
      Behind a reverse proxy on the same host.
  curl 'http://127.0.0.1:8090/?nonce=00112233445566778899aabbccddeeff'
      What it says.

The checker needs the same secret and a target with \"judge\": true; see docs/judge.md.

Exit status: 0 SIGTERM or Ctrl-C ended it in good order; 1 it could not start; 2 wrong usage; \
130 a second Ctrl-C ended it at once; 143 a second SIGTERM did.";

impl JudgeArgs {
    /// Whose `X-Forwarded-For` is believed.
    pub(super) fn trusted(&self) -> Box<[Network]> {
        self.trusted_proxies.as_slice().into()
    }

    /// The limits that were asked for.
    pub(super) fn limits(&self) -> Limits {
        Limits {
            rate_per_minute: self.rate,
            connections_max: self.connections as usize,
            connections_per_origin_max: self.connections_per_address as usize,
            ..Limits::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser, Debug)]
    struct Line {
        #[command(flatten)]
        judge: JudgeArgs,
    }

    fn args(line: &str) -> Result<JudgeArgs, clap::error::ErrorKind> {
        let words = std::iter::once("judge").chain(line.split_whitespace());
        let line = Line::try_parse_from(words).map_err(|error| error.kind())?;
        Ok(line.judge)
    }

    #[test]
    fn without_arguments_it_is_for_this_machine_only_and_bounded() {
        let args = args("").unwrap();
        assert_eq!(args.listen.to_string(), "127.0.0.1:8090");
        assert_eq!(args.secret_env, "PROXY_CHECKER_JUDGE_SECRET");
        let limits = args.limits();
        assert_eq!(
            (limits.rate_per_minute, limits.connections_max),
            (120, 4_096)
        );
        assert!(args.trusted().is_empty());
    }

    #[test]
    fn a_bare_port_is_every_address_and_several_proxies_may_be_trusted() {
        let args = args("--listen :80 --rate 0 --trusted-proxy 10.0.0.0/8 --trusted-proxy ::1");
        let args = args.unwrap();
        assert_eq!(args.listen.to_string(), "0.0.0.0:80");
        assert_eq!(args.limits().rate_per_minute, 0);
        let trusted: Vec<String> = args.trusted().iter().map(Network::to_string).collect();
        assert_eq!(trusted, ["10.0.0.0/8", "::1/128"]);
    }

    #[test]
    fn the_documentation_has_every_option_with_its_default() {
        use clap::CommandFactory;
        let page = include_str!("../../../docs/judge.md");
        let command = Line::command();
        let options = command.get_arguments().filter(|a| a.get_id() != "help");
        let mut documented = 0;
        for option in options {
            let name = option.get_long().unwrap();
            let default = option.get_default_values().first();
            let default = default.map_or("none".into(), |d| format!("`{}`", d.display()));
            let row = page
                .lines()
                .find(|l| l.starts_with(&format!("| `--{name} ")));
            assert!(row.is_some_and(|row| row.contains(&default)), "{name}");
            documented += 1;
        }
        assert_eq!(documented, 6);
    }

    #[test]
    fn what_cannot_be_meant_is_wrong_usage() {
        for line in [
            "--listen nonsense",
            "--rate -1",
            "--connections 0",
            "--connections-per-address 0",
            "--trusted-proxy all",
        ] {
            assert!(args(line).is_err(), "{line}");
        }
    }
}
