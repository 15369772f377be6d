//! Checks `api.cors_origins`: pages of which origins may read answers.

use super::problem::{Report, quoted};
use std::sync::Arc;
use url::Url;

/// Pages of which origins may read answers in a browser.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Origins {
    /// Of none but the API's own.
    #[default]
    None,
    /// Of every origin.
    Every,
    /// Of these, as browsers write them (RFC 6454, section 6.2).
    Only(Arc<[Box<str>]>),
}

/// The list, checked.
pub(super) fn origins(raw: &[String], report: &mut Report) -> Origins {
    let texts = || raw.iter().map(|text| text.trim());
    if raw.len() == 1 && texts().all(|text| text == "*") {
        return Origins::Every;
    }
    let mut origins = Vec::new();
    for (index, text) in texts().enumerate() {
        match origin(text) {
            Ok(origin) => origins.push(origin),
            Err(wrong) => report.problem(&format!("api.cors_origins[{index}]"), wrong),
        }
    }
    match origins.is_empty() {
        true => Origins::None,
        false => Origins::Only(origins.into()),
    }
}

fn origin(text: &str) -> Result<Box<str>, String> {
    if text == "*" {
        return Err("\"*\" stands for every origin; list it alone".to_owned());
    }
    // What a browser would write otherwise – capitals, a default port, a path – never matches.
    let written = Url::parse(text).map(|url| url.origin().ascii_serialization());
    match written {
        // A pattern would match nothing, and nobody would be told.
        Ok(written) if written == text && !text.contains('*') => Ok(text.into()),
        _ => Err(format!(
            "{} is no origin; give scheme://host or scheme://host:port as a browser writes it, \
             like \"https://app.example\"",
            quoted(text)
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_what_a_browser_writes() {
        for text in [
            "https://app.example",
            "http://localhost:3000",
            "http://[::1]:8080",
        ] {
            assert_eq!(origin(text).as_deref(), Ok(text));
        }
        for text in [
            "",
            "null",
            "*",
            "app.example",
            "https://app.example/",
            "https://App.example",
            "https://app.example:443",
            "https://user@app.example",
            "https://*.example",
            "file:///etc",
            "https://app.example\r\nX: y",
        ] {
            assert!(origin(text).is_err(), "{text}");
        }
    }
}
