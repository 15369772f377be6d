//! Where a configuration comes from: a file, a text, or what is built in.

use super::problem::{ConfigError, Problem, Report, Warning};
use super::raw::RawConfig;
use super::serving::Env;
use super::{Config, check, json, serving, shape};
use crate::regular::{self, ReadError};
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::path::Path;

/// Longest file that is read, in bytes. As JSON it takes some forty times as much memory for a moment.
pub(crate) const FILE_BYTES_MAX: u64 = 4 << 20;

/// The example that is delivered with the program, and what it does without a file.
pub const EXAMPLE: &str = include_str!("../../config.example.json");

impl Config {
    /// Reads and checks the file at `path`; `env` gives the environment variables that it names.
    pub fn load(path: &Path, env: Env<'_>) -> Result<(Config, Vec<Warning>), ConfigError> {
        let (config, report) = loaded(path, env);
        finish(config, report, path.display().to_string())
    }

    /// What is wrong with the file at `path`, and what is odd about it, though more may be wrong.
    pub fn examine(path: &Path, env: Env<'_>) -> (Vec<Problem>, Vec<Warning>) {
        let (_, report) = loaded(path, env);
        report.into_parts()
    }

    /// Only where the API listens by the file at `path`. Nothing else of it needs to be right, nor the
    /// secrets to be there that it names.
    pub fn api_addr(path: &Path) -> Result<SocketAddr, ConfigError> {
        let mut report = Report::default();
        let raw = read(path, &mut report).and_then(|text| raw(&text, &mut report));
        let addr = raw.map(|raw| {
            let elsewhere = std::mem::take(&mut report.problems);
            let of_it = elsewhere
                .into_iter()
                .filter(|p| "api.addr".starts_with(&p.place));
            report.problems.extend(of_it);
            serving::addr(&raw.api, &mut report)
        });
        let addr = addr.filter(|_| report.problems.is_empty());
        finish(addr, report, path.display().to_string()).map(|(addr, _)| addr)
    }

    /// Checks `text` as the content of the file `name`; relative paths start at its folder.
    pub fn from_json(
        text: &str,
        name: &str,
        env: Env<'_>,
    ) -> Result<(Config, Vec<Warning>), ConfigError> {
        let folder = Path::new(name).parent().unwrap_or(Path::new(""));
        let mut report = Report::default();
        let config = from_text(text, folder, env, &mut report);
        finish(config, report, name.to_owned())
    }

    /// What holds without a file: the example, but for this machine only, so without keys and
    /// limits, and logged as text.
    pub fn embedded() -> Config {
        let mut report = Report::default();
        let mut raw = raw(EXAMPLE, &mut report).unwrap_or_default();
        raw.api.enable_api_key_auth = false;
        raw.api.enable_ip_rate_limit = false;
        raw.metrics.require_key = false;
        raw.logging.format = "text".to_owned();
        check::config(&raw, Path::new(""), &|_| None, &mut report)
            .expect("config.example.json is valid: a test holds it")
    }
}

fn loaded(path: &Path, env: Env<'_>) -> (Option<Config>, Report) {
    let folder = path.parent().unwrap_or(Path::new(""));
    let mut report = Report::default();
    let text = read(path, &mut report);
    let config = text.and_then(|text| from_text(&text, folder, env, &mut report));
    (config, report)
}

fn finish<T>(
    checked: Option<T>,
    report: Report,
    file: String,
) -> Result<(T, Vec<Warning>), ConfigError> {
    let (problems, warnings) = report.into_parts();
    checked
        .map(|checked| (checked, warnings))
        .ok_or(ConfigError { file, problems })
}

fn from_text(text: &str, folder: &Path, env: Env<'_>, report: &mut Report) -> Option<Config> {
    let raw = raw(text, report)?;
    check::config(&raw, folder, env, report)
}

/// The text in raw form; keys that do not fit have their default, and are reported.
fn raw(text: &str, report: &mut Report) -> Option<RawConfig> {
    let value = json::parse(text, report)?;
    let template = serde_json::to_value(RawConfig::template())
        .expect("a struct of numbers, texts and lists is JSON");
    let fitted = shape::fit(value, &template, report);
    match serde_json::from_value(fitted) {
        Ok(raw) => Some(raw),
        Err(error) => {
            report.problem("", error.to_string());
            None
        }
    }
}

/// The text of the file; why there is none is reported.
fn read(path: &Path, report: &mut Report) -> Option<String> {
    let bytes = match regular::read(path, FILE_BYTES_MAX) {
        Ok(bytes) => bytes,
        Err(error) => {
            report.problem("", format!("{error}; {}", remedy(&error)));
            return None;
        }
    };
    match String::from_utf8(bytes) {
        Ok(text) => Some(text),
        Err(error) => {
            let good = error.utf8_error().valid_up_to();
            let place = line_and_column(&error.as_bytes()[..good]);
            report.problem(&place, "is not UTF-8; save it as UTF-8");
            None
        }
    }
}

fn remedy(error: &ReadError) -> &'static str {
    match error {
        ReadError::System(error) => match error.kind() {
            ErrorKind::PermissionDenied => "let the user that the service runs as read it",
            ErrorKind::NotFound => "copy config.example.json there",
            _ => "put a file there that can be read, such as a copy of config.example.json",
        },
        ReadError::NotAFile(_) => "put the configuration itself there, or name another file",
        ReadError::TooLong(_) => "is it the right file?",
    }
}

/// The place behind these bytes, as the JSON parser counts: lines from 1, columns in bytes.
fn line_and_column(before: &[u8]) -> String {
    let line = 1 + before.iter().filter(|&&byte| byte == b'\n').count();
    let begin = before.iter().rposition(|&byte| byte == b'\n');
    let column = before.len() - begin.map_or(0, |at| at + 1) + 1;
    format!("line {line}, column {column}")
}

#[cfg(test)]
mod properties;
