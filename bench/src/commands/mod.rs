//! The subcommands, one file each.

pub(crate) mod api;
pub(crate) mod bound;
pub(crate) mod compare;
pub(crate) mod engine;
pub(crate) mod farm;
pub(crate) mod first;
pub(crate) mod freshness;
pub(crate) mod handshakes;
pub(crate) mod plain_tls;
pub(crate) mod reference;
pub(crate) mod sessions;
pub(crate) mod shards;
pub(crate) mod soak;
pub(crate) mod sweep;
pub(crate) mod tune;

mod probing;
mod steered;

use std::error::Error;
use std::fs::File;
use std::path::Path;
use std::process::ExitCode;

/// How a subcommand ends: an exit code, or an error that names the place.
pub(crate) type Done = Result<ExitCode, Box<dyn Error>>;

/// The same error with the file's name before it.
fn at(path: &Path) -> impl FnOnce(std::io::Error) -> std::io::Error {
    move |error| std::io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

fn open(path: &Path) -> std::io::Result<File> {
    File::open(path).map_err(at(path))
}
