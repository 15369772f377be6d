//! `serve`.

use std::fmt;
use std::path::Path;

/// Runs the service.
pub fn run(_config: Option<&Path>) -> Result<(), fmt::Error> {
    todo!()
}
