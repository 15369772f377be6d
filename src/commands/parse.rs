//! `parse`.

use crate::config::ProtocolHint;
use crate::sources::input::Input;
use std::io::Write;
use std::process::ExitCode;

/// What to parse.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where the lists are.
    pub inputs: Vec<Input>,
    /// The protocol of lines without a scheme.
    pub hint: ProtocolHint,
    /// Whether addresses that are not public are kept.
    pub allow_private: bool,
}

/// Prints the candidates.
pub fn run(_options: &Options, _out: &mut dyn Write, _err: &mut dyn Write) -> ExitCode {
    todo!()
}
