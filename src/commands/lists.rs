//! What `check` and `parse` read, and how: the same options mean the same in both.

use super::status::Failure;
use crate::network::Network;
use crate::sources::address::AddressPolicy;
use crate::sources::input::{Input, protocol_hint};
use crate::sources::parse::{Format, Reading, Skip, Skipped};
use proxy_shards::Scheme;
use std::io::{self, IsTerminal};
use std::sync::Arc;

/// Which addresses are taken.
#[derive(clap::Args, Clone, Debug, Default)]
pub struct AddressArgs {
    /// Take addresses that are not public (loopback, private …)
    #[arg(long)]
    pub allow_private: bool,
    /// Take these addresses though they are not public; may be repeated
    #[arg(long, value_name = "CIDR")]
    allow_network: Vec<Network>,
    /// Drop these addresses, allowed or not; may be repeated
    #[arg(long, value_name = "CIDR")]
    deny_network: Vec<Network>,
    /// Drop proxies at this port, in place of 25; may be repeated, 0 denies none
    #[arg(long, value_name = "PORT")]
    deny_port: Vec<u16>,
}

impl AddressArgs {
    /// Which addresses may be dialled, where nothing else says so.
    pub fn policy(&self) -> AddressPolicy {
        self.over(&AddressPolicy::default())
    }

    /// Which addresses may be dialled: each option that was given takes the place of what `file`
    /// says of the same thing.
    pub fn over(&self, file: &AddressPolicy) -> AddressPolicy {
        AddressPolicy {
            allow_private: self.allow_private || file.allow_private,
            allow: given(&self.allow_network, &file.allow),
            deny: given(&self.deny_network, &file.deny),
            deny_ports: given(&self.deny_port, &file.deny_ports),
        }
    }
}

/// The values of an option, or what holds without it.
fn given<T: Copy>(option: &[T], otherwise: &Arc<[T]>) -> Arc<[T]> {
    match option {
        [] => Arc::clone(otherwise),
        given => given.into(),
    }
}

/// Which option takes what was skipped for its address, if one does.
pub(super) fn remedy(skipped: &Skipped, addresses: &AddressPolicy) -> Option<&'static str> {
    let any = |skip: Skip| skipped[skip as usize] > 0;
    match addresses.allow_private {
        false if any(Skip::NotPublic) => {
            Some("--allow-private takes addresses that are not public")
        }
        true if any(Skip::NotPublic) => Some(
            "--allow-private takes no metadata addresses, and nothing that --deny-network names: --allow-network takes the former",
        ),
        _ if any(Skip::DeniedPort) => {
            Some("--deny-port names the ports that are dropped, in place of 25; 0 drops none")
        }
        _ => None,
    }
}

/// The lists to read.
#[derive(clap::Args, Clone, Debug)]
pub struct ListArgs {
    /// Protocol of lines that name none: http, https, socks4, socks5, or auto, where each is tried, the
    /// usual one of the port first
    #[arg(long, short, value_name = "PROTOCOL", default_value = "auto", value_parser = protocol_hint)]
    pub protocol: Scheme,
    /// Form of the lists: auto, lines, csv, json or html
    #[arg(long, value_name = "FORMAT", default_value = "auto")]
    pub list_format: Format,
    /// Which addresses are kept.
    #[command(flatten)]
    pub addresses: AddressArgs,
    /// Lists to read: files, http or https URLs, or - for the standard input, which is also read if
    /// none is named
    #[arg(value_name = "INPUT")]
    inputs: Vec<Input>,
}

impl ListArgs {
    /// The inputs; standard input if none is named, unless a person would have to type it.
    ///
    /// # Errors
    /// If there is nothing to read.
    pub fn inputs(&self) -> Result<Vec<Input>, Failure> {
        match &self.inputs[..] {
            [] if io::stdin().is_terminal() => Err(Failure::Usage(
                "nothing to read: name a file or a URL, or pipe a list into standard input".into(),
            )),
            [] => Ok(vec![Input::Stdin]),
            named => Ok(named.to_vec()),
        }
    }

    /// How the lists are read, where these addresses may be dialled.
    pub fn reading(&self, addresses: AddressPolicy) -> Reading {
        Reading {
            hint: self.protocol,
            format: self.list_format,
            addresses,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;
    use std::net::IpAddr;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        lists: ListArgs,
    }

    fn lists(arguments: &str) -> ListArgs {
        let line = Line::try_parse_from(arguments.split(' '));
        line.unwrap_or_else(|error| panic!("{error}")).lists
    }

    #[test]
    fn what_may_be_dialled_is_said_by_repeated_options() {
        let ip = |text: &str| -> IpAddr { text.parse().unwrap() };
        let policy = lists(
            "parse --allow-network 10.0.0.0/8 --allow-network 192.168.1.1 \
            --deny-network 10.1.0.0/16 --deny-port 8080 --deny-port 8081 list.txt",
        )
        .addresses
        .policy();
        for (address, expected) in [
            ("10.2.0.1", true),
            ("192.168.1.1", true),
            ("10.1.0.1", false),
            ("172.16.0.1", false),
        ] {
            assert_eq!(policy.allows(ip(address)), expected, "{address}");
        }
        for (port, expected) in [(25, true), (8080, false), (8081, false)] {
            assert_eq!(policy.allows_port(port), expected, "{port}");
        }
    }

    #[test]
    fn an_option_that_was_given_is_not_the_remedy() {
        let check = |options: &str, skip: Skip, expected: Option<&str>| {
            let mut skipped = Skipped::default();
            skipped[skip as usize] = 1;
            let addresses = lists(options).addresses.policy();
            let remedy = remedy(&skipped, &addresses).and_then(|text| text.split(' ').next());
            assert_eq!(remedy, expected, "{options} {skip:?}");
        };
        check("parse a.txt", Skip::NotPublic, Some("--allow-private"));
        let private = "parse --allow-private a.txt";
        let mut skipped = Skipped::default();
        skipped[Skip::NotPublic as usize] = 1;
        let text = remedy(&skipped, &lists(private).addresses.policy()).unwrap();
        assert!(text.contains("--allow-network"), "{text}");
        check("parse a.txt", Skip::DeniedPort, Some("--deny-port"));
        check("parse a.txt", Skip::BadPort, None);
    }

    #[test]
    fn an_option_takes_the_place_of_what_a_file_says_of_the_same_thing() {
        let file = AddressPolicy {
            allow_private: true,
            deny: ["10.1.0.0/16".parse().unwrap()].into(),
            deny_ports: [8080].into(),
            ..AddressPolicy::default()
        };
        assert_eq!(lists("check a.txt").addresses.over(&file), file);
        let options = "check --deny-network 10.2.0.0/16 a.txt";
        let policy = lists(options).addresses.over(&file);
        let allows = |ip: &str| policy.allows(ip.parse().unwrap());
        assert!(allows("10.1.0.1") && !allows("10.2.0.1"));
        assert!(!policy.allows_port(8080) && policy.allows_port(25));
    }

    #[test]
    fn without_options_the_defaults_hold() {
        let read = |options: &str| {
            let lists = lists(options);
            lists.reading(lists.addresses.policy())
        };
        let reading = read("parse list.txt");
        assert_eq!(reading.addresses, AddressPolicy::default());
        assert_eq!(reading.format, Format::Auto);
        let all_ports = read("parse --deny-port 0 --list-format JSON list.txt");
        assert!(all_ports.addresses.allows_port(25));
        assert_eq!(all_ports.format, Format::Json);
    }
}
