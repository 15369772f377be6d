//! A panic is a line of the log like every other, wherever the log goes: what died is found where one looks.

use super::lines::THREAD;
use std::any::Any;
use std::backtrace::{Backtrace, BacktraceStatus};
use std::panic;
use std::thread;
use tracing::Level;

/// Of what a panic says, so many bytes are logged.
const WORDS_BYTES_MAX: usize = 2_048;

/// Has every panic of this process logged, and written at once: it may be the last line. Where nothing
/// is logged, it is said on standard error as before.
pub fn log_panics() {
    let before = panic::take_hook();
    panic::set_hook(Box::new(move |panic| {
        let thread = thread::current();
        let thread = thread.name().unwrap_or("unnamed");
        // The thread that writes lines has nobody to write its own.
        if thread == THREAD || !tracing::enabled!(Level::ERROR) {
            return before(panic);
        }
        let place = panic.location().map(ToString::to_string);
        let place = place.as_deref().unwrap_or("unknown");
        let words = words(panic.payload());
        // Only if RUST_BACKTRACE asks for one.
        let trace = Backtrace::capture();
        let trace = (trace.status() == BacktraceStatus::Captured).then(|| trace.to_string());
        let trace = trace.as_deref();
        tracing::error!(
            thread,
            place,
            words,
            trace,
            "a thread panicked, which is a bug"
        );
        super::flush();
    }));
}

/// The first of what it says: it may hold all that a peer said.
fn words(payload: &(dyn Any + Send)) -> &str {
    let text = payload.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| payload.downcast_ref::<&str>().copied());
    let text = text.unwrap_or("no words");
    &text[..text.floor_char_boundary(WORDS_BYTES_MAX)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{LogPlace, Logging};
    use std::env;
    use std::fs;
    use std::path::Path;
    use std::process::Command;

    const FILE: &str = "TEST_OF_PANICS_LOGS_TO";

    #[test]
    fn what_a_panic_says_has_an_end() {
        let said = "\u{e9}".repeat(WORDS_BYTES_MAX);
        let logged = words(&said);
        assert_eq!(logged.len(), WORDS_BYTES_MAX);
        assert!(said.starts_with(logged));
        assert_eq!(words(&"short"), "short");
    }

    /// A process of its own: what is done when a thread panics is one thing for all threads.
    fn victim(file: &str) {
        let logging = Logging {
            level: "info".into(),
            json: true,
            file: Some(LogPlace {
                path: file.into(),
                bytes_max: 1 << 20,
                keep: 1,
            }),
            otlp: None,
        };
        crate::logging::init(&logging).unwrap();
        log_panics();
        let shard = thread::Builder::new().name("shard-7".into());
        let shard = shard.spawn(|| panic!("slot {} is \u{1b} gone", 5)).unwrap();
        assert!(shard.join().is_err());
        // As when a second panic meets the first: nothing is written after that.
        std::process::abort();
    }

    fn last_words(file: &Path) -> String {
        let name = "logging::panics::tests::a_panic_is_in_the_log_file_though_the_process_aborts";
        let child = Command::new(env::current_exe().unwrap())
            .args(["--exact", name, "--nocapture"])
            .env(FILE, file)
            .env_remove("RUST_BACKTRACE")
            .output()
            .unwrap();
        assert!(!child.status.success());
        let said = String::from_utf8_lossy(&child.stderr).into_owned();
        fs::read_to_string(file).unwrap_or_else(|error| panic!("{error}: {said}"))
    }

    #[test]
    fn a_panic_is_in_the_log_file_though_the_process_aborts() {
        if let Ok(file) = env::var(FILE) {
            return victim(&file);
        }
        let folder = tempfile::tempdir().unwrap();
        let log = last_words(&folder.path().join("log"));
        let lines: Vec<serde_json::Value> = log
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        assert_eq!(lines.len(), 1, "{log}");
        let line = &lines[0];
        assert_eq!(
            (&line["level"], &line["thread"]),
            (&"ERROR".into(), &"shard-7".into())
        );
        assert_eq!(line["words"], "slot 5 is \u{1b} gone");
        assert!(
            line["place"].as_str().unwrap().contains("panics.rs:"),
            "{line}"
        );
        assert!(line.get("trace").is_none(), "{line}");
    }
}
