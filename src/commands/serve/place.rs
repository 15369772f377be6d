//! Where the configuration comes from: the file that is named, `config.json`, or built in.

use crate::config::{Config, ConfigError, Warning};
use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// The file that is read if none is named and it is there.
const USUAL: &str = "config.json";

/// The environment of this process.
pub(super) fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// Where the configuration comes from, decided once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// This file.
    File(PathBuf),
    /// Nowhere: the defaults that are built in.
    BuiltIn,
}

impl Place {
    pub(super) fn find(named: Option<&Path>) -> Place {
        Place::find_in(Path::new(""), named)
    }

    fn find_in(folder: &Path, named: Option<&Path>) -> Place {
        let usual = folder.join(USUAL);
        match named {
            Some(path) => Place::File(path.to_owned()),
            None if usual.exists() => Place::File(usual),
            None => Place::BuiltIn,
        }
    }

    /// The file, if it is one.
    pub(super) fn file(&self) -> Option<&Path> {
        match self {
            Place::File(path) => Some(path),
            Place::BuiltIn => None,
        }
    }

    /// What it is called in messages.
    pub(super) fn name(&self) -> String {
        match self {
            Place::File(path) => path.display().to_string(),
            Place::BuiltIn => "built-in defaults".to_owned(),
        }
    }

    /// Reads and validates.
    pub(super) fn load(&self) -> Result<(Config, Vec<Warning>), ConfigError> {
        self.load_with(&environment)
    }

    /// The same with another environment.
    pub(super) fn load_with(
        &self,
        env: &dyn Fn(&str) -> Option<String>,
    ) -> Result<(Config, Vec<Warning>), ConfigError> {
        match self {
            Place::File(path) => Config::load(path, env),
            Place::BuiltIn => Ok((Config::embedded(), Vec::new())),
        }
    }

    /// Reads where the API listens, and nothing else.
    pub(super) fn api_addr(&self) -> Result<SocketAddr, ConfigError> {
        match self {
            Place::File(path) => Config::api_addr(path),
            Place::BuiltIn => Ok(Config::embedded().api.addr),
        }
    }

    /// Says in the log where the configuration is from.
    pub(super) fn announce(&self, config: &Config) {
        let sources = config.aggregator.sources.len();
        match self {
            Place::File(path) => {
                tracing::info!(file = %path.display(), sources, "configuration read");
            }
            Place::BuiltIn => tracing::info!(
                sources,
                "there is no {USUAL} here: running with built-in defaults, for this machine only; \
                 copy config.example.json to {USUAL} to change them"
            ),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::File(path) => path.display().fmt(f),
            Place::BuiltIn => f.write_str("built-in defaults"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_named_file_goes_before_the_usual_one_and_that_before_what_is_built_in() {
        let folder = tempfile::tempdir().unwrap();
        let usual = folder.path().join(USUAL);
        let named = PathBuf::from("elsewhere.json");
        assert_eq!(Place::find_in(folder.path(), None), Place::BuiltIn);
        std::fs::write(&usual, "{}").unwrap();
        assert_eq!(Place::find_in(folder.path(), None), Place::File(usual));
        let found = Place::find_in(folder.path(), Some(&named));
        assert_eq!(found, Place::File(named));
    }

    #[test]
    fn a_named_file_that_is_not_there_is_an_error_that_names_it() {
        let place = Place::find(Some(Path::new("/nowhere/config.json")));
        let error = place.load().unwrap_err().to_string();
        assert!(error.contains("/nowhere/config.json"), "{error}");
    }
}
