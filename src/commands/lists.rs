//! What `check` and `parse` read, and how: the same options mean the same in both.

use super::status::Failure;
use crate::sources::address::AddressPolicy;
use crate::sources::input::{Input, protocol_hint};
use proxy_shards::Scheme;
use std::io::{self, IsTerminal};

/// The lists to read.
#[derive(clap::Args, Clone, Debug)]
pub struct ListArgs {
    /// Protocol of lines that name none: http, https, socks4, socks5, or auto, where each is tried, the
    /// usual one of the port first
    #[arg(long, short, value_name = "PROTOCOL", default_value = "auto", value_parser = protocol_hint)]
    pub protocol: Scheme,
    /// Keep addresses that are not public (loopback, private, link-local …)
    #[arg(long)]
    pub allow_private: bool,
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

    /// Which addresses are kept.
    pub fn addresses(&self) -> AddressPolicy {
        AddressPolicy {
            allow_private: self.allow_private,
        }
    }
}
