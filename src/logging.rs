//! One logging set-up: lines on stderr, as text or as JSON.

use crate::config::Logging;
use std::io::{self, IsTerminal};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::ParseError;

/// Why logging could not be set up; the text names the key.
#[derive(Debug, thiserror::Error)]
#[error(
    "logging.level: {0}; write a level (error, warn, info, debug, trace) or `level,module=level`"
)]
pub struct LoggingError(#[from] ParseError);

/// Sets logging up for the whole process. The first call decides; later ones change nothing.
///
/// # Errors
/// `logging.level` is neither a level nor a filter.
pub fn init(logging: &Logging) -> Result<(), LoggingError> {
    let filter = EnvFilter::try_new(&logging.level)?;
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr);
    // An error says that logging is set up already.
    let _ = if logging.json {
        builder.json().flatten_event(true).try_init()
    } else {
        builder.with_ansi(io::stderr().is_terminal()).try_init()
    };
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn logging(level: &str, json: bool) -> Logging {
        Logging {
            level: level.into(),
            json,
        }
    }

    #[test]
    fn setting_it_up_twice_is_no_error() {
        assert!(init(&logging("error", false)).is_ok());
        assert!(init(&logging("warn,proxy_checker::api=debug", true)).is_ok());
    }

    #[test]
    fn a_filter_that_cannot_be_read_names_its_key() {
        let error = init(&logging("info,=,", false)).unwrap_err().to_string();
        assert!(error.starts_with("logging.level: "), "{error}");
    }
}
