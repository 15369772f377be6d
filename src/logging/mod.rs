//! One logging set-up: lines as text or as JSON, on standard error or in a file, and nobody waits for
//! either.

mod file;
mod lines;
mod panics;

pub use panics::log_panics;

use crate::config::Logging;
use file::LogFile;
use lines::Lines;
use std::io::{self, IsTerminal};
use std::sync::OnceLock;
use std::time::Duration;
use tracing_subscriber::filter::ParseError;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, Registry, reload};

/// Longest wait for lines on their way at the end of the process: all of it may take five seconds.
const END_WITHIN: Duration = Duration::from_millis(200);

/// Why logging could not be set up; the text names the key.
#[derive(Debug, thiserror::Error)]
pub enum LoggingError {
    /// `logging.level` is neither a level nor a filter.
    #[error(
        "logging.level: {0}; write a level (error, warn, info, debug, trace) or `level,module=level`"
    )]
    Level(#[from] ParseError),
    /// There is no thread for it.
    #[error("the log has no thread of its own: {0}; raise the limit of processes")]
    Thread(#[from] io::Error),
}

/// The set-up that was made.
static SET_UP: OnceLock<SetUp> = OnceLock::new();

struct SetUp {
    filter: reload::Handle<EnvFilter, Registry>,
    lines: Lines,
}

/// Sets logging up for the whole process. The first call decides how lines look; later ones change
/// the level and the file only. Each opens the file anew, so that it may have been moved away.
///
/// # Errors
/// [`LoggingError`]. A file that cannot be written is none: lines go to standard error meanwhile.
pub fn init(logging: &Logging) -> Result<(), LoggingError> {
    let filter = EnvFilter::try_new(&logging.level)?;
    let file = logging.file.clone().map(LogFile::new);
    if let Some(set_up) = SET_UP.get() {
        // An error says that the set-up is gone: the process ends.
        let _ = set_up.filter.reload(filter);
        set_up.lines.go_to(file);
        return Ok(());
    }
    let ansi = file.is_none() && io::stderr().is_terminal();
    let (filter, handle) = reload::Layer::new(filter);
    let lines = Lines::start(file)?;
    let layer = tracing_subscriber::fmt::layer().with_writer(lines.clone());
    let layer = if logging.json {
        layer.json().flatten_event(true).boxed()
    } else {
        layer.with_ansi(ansi).boxed()
    };
    let made = Registry::default().with(filter).with(layer).try_init();
    if made.is_ok() {
        let filter = handle;
        let _ = SET_UP.set(SetUp { filter, lines });
    }
    Ok(())
}

/// Opens the file anew for the lines that come: it may have been moved away.
pub fn reopen() {
    if let Some(set_up) = SET_UP.get() {
        set_up.lines.reopen();
    }
}

/// Lines that were dropped because more came than could be written.
pub fn dropped() -> u64 {
    SET_UP.get().map_or(0, |set_up| set_up.lines.dropped())
}

/// Waits until every line so far is written, for a moment.
pub fn flush() {
    if let Some(set_up) = SET_UP.get() {
        set_up.lines.flush(END_WITHIN);
    }
}

/// Calls [`flush`] when it is dropped, so at the end of the process, however that comes.
#[derive(Debug)]
pub struct FlushAtEnd;

impl Drop for FlushAtEnd {
    fn drop(&mut self) {
        flush();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tracing::level_filters::LevelFilter;

    fn logging(level: &str, json: bool) -> Logging {
        Logging {
            level: level.into(),
            json,
            file: None,
            otlp: None,
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
