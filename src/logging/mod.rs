//! One logging set-up: lines on stderr, as text or as JSON.

use crate::config::Logging;
use std::io::{self, IsTerminal};
use std::sync::OnceLock;
use tracing_subscriber::filter::ParseError;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, Registry, reload};

/// Why logging could not be set up; the text names the key.
#[derive(Debug, thiserror::Error)]
#[error(
    "logging.level: {0}; write a level (error, warn, info, debug, trace) or `level,module=level`"
)]
pub struct LoggingError(#[from] ParseError);

/// The filter of the set-up that was made.
static FILTER: OnceLock<reload::Handle<EnvFilter, Registry>> = OnceLock::new();

/// Sets logging up for the whole process. The first call decides how lines look; later ones change
/// the level only.
///
/// # Errors
/// `logging.level` is neither a level nor a filter.
pub fn init(logging: &Logging) -> Result<(), LoggingError> {
    let filter = EnvFilter::try_new(&logging.level)?;
    if let Some(handle) = FILTER.get() {
        // An error says that the set-up is gone: the process ends.
        let _ = handle.reload(filter);
        return Ok(());
    }
    let (filter, handle) = reload::Layer::new(filter);
    let lines = tracing_subscriber::fmt::layer().with_writer(io::stderr);
    let lines = if logging.json {
        lines.json().flatten_event(true).boxed()
    } else {
        lines.with_ansi(io::stderr().is_terminal()).boxed()
    };
    if Registry::default()
        .with(filter)
        .with(lines)
        .try_init()
        .is_ok()
    {
        let _ = FILTER.set(handle);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use tracing::level_filters::LevelFilter;

    fn logging(level: &str, json: bool) -> Logging {
        Logging {
            level: level.into(),
            json,
        }
    }

    #[test]
    fn setting_it_up_again_changes_the_level_and_is_no_error() {
        assert!(init(&logging("error", false)).is_ok());
        assert_eq!(LevelFilter::current(), LevelFilter::ERROR);
        assert!(init(&logging("warn,proxy_checker::api=debug", true)).is_ok());
        assert_eq!(LevelFilter::current(), LevelFilter::DEBUG);
        assert!(init(&logging("error", false)).is_ok());
    }

    #[test]
    fn a_filter_that_cannot_be_read_names_its_key() {
        let error = init(&logging("info,=,", false)).unwrap_err().to_string();
        assert!(error.starts_with("logging.level: "), "{error}");
    }
}
