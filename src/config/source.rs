//! Checks `aggregator`: the sources and when they are fetched.

use super::problem::{Report, quoted};
use super::raw::{RawAggregator, RawSource};
use super::shown::{apart, shown};
use super::{Aggregator, Location, Source};
use crate::network::Network;
use crate::sources::address::AddressPolicy;
use crate::sources::parse::Format;
use proxy_shards::Scheme;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use url::Url;

/// The longest interval or pause, in seconds: 30 days.
pub(super) const PAUSE_SECONDS_MAX: u64 = 2_592_000;

/// The block, checked; relative paths start at `folder`.
pub(super) fn aggregator(raw: &RawAggregator, folder: &Path, report: &mut Report) -> Aggregator {
    let default = RawAggregator::default();
    let interval = report.number(
        "aggregator.interval_seconds",
        raw.interval_seconds,
        default.interval_seconds,
        1..=PAUSE_SECONDS_MAX,
    );
    let source_timeout = report.number(
        "aggregator.source_timeout_ms",
        raw.source_timeout_ms,
        default.source_timeout_ms,
        100..=600_000,
    );
    let source_bytes_max = report.number(
        "aggregator.source_bytes_max",
        raw.source_bytes_max,
        default.source_bytes_max,
        1_024..=1 << 30,
    );
    Aggregator {
        interval: Duration::from_secs(interval),
        sources: sources(&raw.sources, folder, report),
        user_agent: user_agent(&raw.user_agent, &default.user_agent, report),
        addresses: addresses(raw, report),
        source_timeout: Duration::from_millis(source_timeout),
        source_bytes_max,
    }
}

fn addresses(raw: &RawAggregator, report: &mut Report) -> AddressPolicy {
    AddressPolicy {
        allow_private: raw.allow_private,
        allow: networks("aggregator.allow_networks", &raw.allow_networks, report),
        deny: networks("aggregator.deny_networks", &raw.deny_networks, report),
        deny_ports: ports(&raw.deny_ports, report),
    }
}

fn networks(place: &str, texts: &[String], report: &mut Report) -> Arc<[Network]> {
    let mut networks = Vec::new();
    for (index, text) in texts.iter().enumerate() {
        match text.trim().parse::<Network>() {
            Ok(network) => networks.push(network),
            Err(error) => {
                report.problem(
                    &format!("{place}[{index}]"),
                    format!("{} {error}", quoted(text)),
                );
            }
        }
    }
    networks.into()
}

fn ports(numbers: &[u64], report: &mut Report) -> Arc<[u16]> {
    let mut ports = Vec::new();
    for (index, number) in numbers.iter().enumerate() {
        match u16::try_from(*number) {
            Ok(port) if port != 0 => ports.push(port),
            _ => report.problem(
                &format!("aggregator.deny_ports[{index}]"),
                format!("{number} is no port; give 1 to 65535, or an empty list to deny none"),
            ),
        }
    }
    ports.into()
}

fn user_agent(text: &str, default: &str, report: &mut Report) -> Box<str> {
    let sendable = text.len() <= 256 && text.bytes().all(|b| (b' '..=b'~').contains(&b));
    match text.trim() {
        "" => default.into(),
        text if sendable => text.into(),
        text => {
            report.problem(
                "aggregator.user_agent",
                format!(
                    "{} cannot be sent as a header; use at most 256 ASCII characters",
                    quoted(text)
                ),
            );
            default.into()
        }
    }
}

fn sources(raw: &[RawSource], folder: &Path, report: &mut Report) -> Vec<Source> {
    let mut sources: Vec<Source> = Vec::new();
    let mut places: Vec<String> = Vec::new();
    for (index, raw) in raw.iter().enumerate().filter(|(_, raw)| raw.enabled) {
        let place = format!("aggregator.sources[{index}]");
        let Some(source) = source(raw, folder, &place, report) else {
            continue;
        };
        match sources.iter().position(|s| s.location == source.location) {
            Some(first) => report.problem(
                &format!("{place}.url"),
                format!("is the same as {}.url; keep one of them", places[first]),
            ),
            None => {
                let taken = |name: &str| sources.iter().any(|s| *s.url == *name);
                let url = apart(source.url, taken);
                sources.push(Source { url, ..source });
                places.push(place);
            }
        }
    }
    if !raw.iter().any(|raw| raw.enabled) {
        report.warning(
            "aggregator.sources",
            "no source is enabled, so nothing new is found; add one with \"enabled\": true",
        );
    }
    sources
}

fn source(raw: &RawSource, folder: &Path, place: &str, report: &mut Report) -> Option<Source> {
    let hint = hint(&raw.r#type);
    let format = format(&raw.format);
    let location = location(raw.url.trim(), folder);
    if let Err(text) = &hint {
        report.problem(&format!("{place}.type"), text);
    }
    if let Err(text) = &location {
        report.problem(&format!("{place}.url"), text);
    }
    if let Err(text) = &format {
        report.problem(&format!("{place}.format"), text);
    }
    let (hint, format, location) = (hint.ok()?, format.ok()?, location.ok()?);
    Some(Source {
        url: shown(raw.url.trim(), &location),
        location,
        hint,
        format,
    })
}

fn format(word: &str) -> Result<Format, String> {
    match word.trim() {
        "" => Ok(Format::Auto),
        word => word.parse().map_err(|_| {
            format!(
                "{} is no format; choose auto, lines, csv, json or html",
                quoted(word)
            )
        }),
    }
}

fn hint(word: &str) -> Result<Scheme, String> {
    match word.trim() {
        "" => Ok(Scheme::Auto),
        word if word.eq_ignore_ascii_case("auto") => Ok(Scheme::Auto),
        word => match Scheme::from_label(word) {
            Some(scheme) => Ok(scheme),
            None => Err(format!(
                "{} is no protocol; choose http, https, socks4, socks5 or auto",
                quoted(word)
            )),
        },
    }
}

// A URL may hold a password, so no message repeats it.
fn location(text: &str, folder: &Path) -> Result<Location, String> {
    const FORMS: &str = "give http://…, https://…, file:///… or a path";
    if text.is_empty() {
        return Err(format!("is missing; {FORMS}"));
    }
    if !text.contains("://") {
        return Ok(Location::File(folder.join(text)));
    }
    let url = Url::parse(text).map_err(|error| format!("is not a URL ({error}); {FORMS}"))?;
    match url.scheme() {
        "http" | "https" => Ok(Location::Web(url)),
        "file" => url
            .to_file_path()
            .map(Location::File)
            .map_err(|()| "names another machine; a file URL begins with file:///".to_owned()),
        scheme => Err(format!("{scheme}:// cannot be fetched; {FORMS}")),
    }
}
