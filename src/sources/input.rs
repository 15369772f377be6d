//! What a command reads candidates from: a file, standard input or a URL.

use super::address::AddressPolicy;
use super::parse::Parsed;
use crate::config::ProtocolHint;
use std::convert::Infallible;
use std::path::PathBuf;
use std::str::FromStr;

/// Where a command reads candidates from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// `-`.
    Stdin,
    /// A file.
    File(PathBuf),
    /// A URL.
    Web(String),
}

impl FromStr for Input {
    type Err = Infallible;
    fn from_str(text: &str) -> Result<Input, Infallible> {
        Ok(match text {
            "-" => Input::Stdin,
            url if url.contains("://") => Input::Web(url.into()),
            path => Input::File(path.into()),
        })
    }
}

/// Bounds of one input.
#[derive(Clone, Debug, Default)]
pub struct Limits {}

/// Why an input could not be read.
#[derive(Debug, thiserror::Error)]
pub enum InputError {}

/// Reads one input to its end.
pub fn read(
    _input: &Input,
    _hint: ProtocolHint,
    _addresses: AddressPolicy,
    _limits: &Limits,
) -> Result<Parsed, InputError> {
    todo!()
}
