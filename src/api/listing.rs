//! Proxies as a body: lines of addresses, lines of URLs, or JSON.

use super::answer::{JSON, TEXT};
use super::query;
use super::refusal::Refusal;
use super::routes::lease::Granted;
use super::time::Rfc3339;
use crate::snapshot::{Proxy, Snapshot, Stat};
use axum::http::HeaderMap;
use axum::http::header::ACCEPT;
use proxy_shards::Targets;
use serde::{Serialize, Serializer};
use std::fmt::Display;
use std::io::{self, Write};
use std::net::IpAddr;

/// Rows that are written at once: a fraction of a millisecond.
const PIECE_ROWS: usize = 500;

/// How proxies are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Form {
    /// `host:port` lines.
    Addresses,
    /// `scheme://user:pass@host:port` lines.
    Urls,
    /// The JSON of the old service.
    Json,
}

impl Form {
    /// `format` is taken at its word, in any case; without one `Accept` decides, whose media types may be
    /// in any case too (RFC 9110, section 8.3.1). `text` is `txt`, as old clients write it.
    pub(super) fn read(query: Option<&str>, headers: &HeaderMap) -> Result<Form, Refusal> {
        let accepts_json = || {
            headers.get_all(ACCEPT).iter().any(|value| {
                let name = b"application/json";
                let mut parts = value.as_bytes().windows(name.len());
                parts.any(|part| part.eq_ignore_ascii_case(name))
            })
        };
        let Some(wanted) = query::value(query, "format") else {
            return Ok(match accepts_json() {
                true => Form::Json,
                false => Form::Addresses,
            });
        };
        match wanted.to_ascii_lowercase().as_str() {
            "url" => Ok(Form::Urls),
            "json" => Ok(Form::Json),
            "txt" | "text" => Ok(Form::Addresses),
            _ => Err(Refusal::Format),
        }
    }

    /// Its media type.
    pub(super) fn content_type(self) -> &'static str {
        match self {
            Form::Addresses | Form::Urls => TEXT,
            Form::Json => JSON,
        }
    }

    /// Bytes that one proxy usually takes.
    fn bytes_each(self) -> usize {
        match self {
            Form::Addresses => 24,
            Form::Urls => 48,
            Form::Json => 176,
        }
    }

    /// `proxies`, which were picked from `snapshot`, as a body.
    pub(super) fn write(
        self,
        proxies: &[&Proxy],
        snapshot: &Snapshot,
        lease: Option<Granted>,
    ) -> Vec<u8> {
        let mut body = Vec::with_capacity(64 + proxies.len() * self.bytes_each());
        // A `Vec` takes every byte, so there is no error to pass on.
        let written = match self {
            Form::Addresses => write_lines(&mut body, proxies, |p| p.candidate.address()),
            Form::Urls => write_lines(&mut body, proxies, |p| p.candidate.url_by(p.protocol)),
            Form::Json => {
                let all = snapshot.pool.proxies().len();
                let listing = Listing {
                    alive: all,
                    proxies: Rows(proxies, &snapshot.stat),
                    total: all,
                    lease,
                };
                serde_json::to_writer(&mut body, &listing).map_err(io::Error::from)
            }
        };
        debug_assert!(written.is_ok());
        // What is too much would be kept for as long as the body is.
        body.shrink_to_fit();
        body
    }

    /// The same in pieces, between which other requests have their turn.
    pub(super) async fn write_in_turns(
        self,
        proxies: &[&Proxy],
        snapshot: &Snapshot,
        lease: Option<Granted>,
    ) -> Vec<u8> {
        if proxies.len() <= PIECE_ROWS {
            return self.write(proxies, snapshot, lease);
        }
        // Around the rows stands what stands around none.
        let frame = self.write(&[], snapshot, lease);
        let opening = frame.iter().position(|&byte| byte == b'[');
        let (before, behind) = frame.split_at(opening.map_or(0, |at| at + 1));
        let mut body = Vec::with_capacity(frame.len() + proxies.len() * self.bytes_each());
        body.extend_from_slice(before);
        for (nth, piece) in proxies.chunks(PIECE_ROWS).enumerate() {
            match self {
                Form::Addresses | Form::Urls => body.extend(self.write(piece, snapshot, None)),
                Form::Json => {
                    if nth > 0 {
                        body.push(b',');
                    }
                    let rows = serde_json::to_vec(&Rows(piece, &snapshot.stat));
                    let rows = rows.expect("our own types have a JSON form");
                    body.extend_from_slice(&rows[1..rows.len() - 1]);
                }
            }
            tokio::task::yield_now().await;
        }
        body.extend_from_slice(behind);
        body.shrink_to_fit();
        body
    }
}

fn write_lines<'p, D: Display>(
    body: &mut Vec<u8>,
    proxies: &[&'p Proxy],
    text: impl Fn(&'p Proxy) -> D,
) -> io::Result<()> {
    proxies
        .iter()
        .try_for_each(|proxy| writeln!(body, "{}", text(proxy)))
}

#[derive(Serialize)]
struct Listing<'p> {
    alive: usize,
    proxies: Rows<'p>,
    total: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    lease: Option<Granted>,
}

struct Rows<'p>(&'p [&'p Proxy], &'p Stat);

impl Serialize for Rows<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(|proxy| Row {
            address: Shown(proxy.candidate.address()),
            protocol: proxy.protocol.label(),
            alive: true,
            latency_ms: proxy.latency_ms,
            last_check: Rfc3339(Some(proxy.last_check)),
            targets: Names(proxy.targets, self.1),
            exit: proxy.exit.map(|exit| exit.ip),
            anonymity: proxy.exit.map(|exit| exit.anonymity.label()),
        }))
    }
}

/// The names of targets, without a list of them in memory.
pub(super) struct Names<'p>(pub(super) Targets, pub(super) &'p Stat);

impl Serialize for Names<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let known = self.1.targets.iter().enumerate();
        let reached = known.filter(|(place, _)| self.0.contains(*place));
        serializer.collect_seq(reached.map(|(_, target)| &*target.name))
    }
}

#[derive(Serialize)]
#[serde(bound = "A: Display")]
struct Row<'p, A> {
    address: Shown<A>,
    protocol: &'static str,
    alive: bool,
    latency_ms: u32,
    last_check: Rfc3339,
    targets: Names<'p>,
    #[serde(skip_serializing_if = "Option::is_none")]
    exit: Option<IpAddr>,
    #[serde(skip_serializing_if = "Option::is_none")]
    anonymity: Option<&'static str>,
}

/// Written through its `Display`, escaped by the serializer.
struct Shown<D>(D);

impl<D: Display> Serialize for Shown<D> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}
