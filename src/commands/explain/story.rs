//! What is told in the end: every attempt with its entries, masked and escaped, and what they make
//! of the proxy. The names of the fields are the keys of the JSON object.

use super::diary::{Entry, Layer, Speaker, What};
use super::mask::{self, Mask, Shown};
use crate::commands::check::direct::url;
use proxy_shards::conversation::Way;
use proxy_shards::{Ended, Protocol, Target, Timing};
use serde::Serialize;
use std::time::Duration;

/// The whole of it.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Story {
    /// As it was given, without credentials.
    pub(super) proxy: String,
    /// What is dialled.
    pub(super) address: String,
    pub(super) verdict: &'static str,
    /// By which protocols it works.
    pub(super) protocols: Vec<&'static str>,
    /// The targets without a proxy; empty if that was declined.
    pub(super) direct: Vec<Attempt>,
    /// Each protocol against each target.
    pub(super) attempts: Vec<Attempt>,
    /// What else one should know.
    pub(super) notes: Vec<String>,
}

/// One connection and what came of it.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Attempt {
    /// `direct`, or the protocol.
    pub(super) way: &'static str,
    /// Name of the target.
    pub(super) target: String,
    /// Its URL, without the query.
    pub(super) url: String,
    pub(super) address: String,
    pub(super) verdict: &'static str,
    /// Why.
    pub(super) rule: Option<String>,
    pub(super) total_ms: f64,
    pub(super) connect_ms: Option<f64>,
    pub(super) handshake_ms: Option<f64>,
    pub(super) tls_ms: Option<f64>,
    pub(super) first_byte_ms: Option<f64>,
    /// What a judge saw.
    pub(super) exit: Option<String>,
    pub(super) anonymity: Option<&'static str>,
    pub(super) events: Vec<Told>,
}

/// One thing that happened.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Told {
    /// Since the attempt began.
    pub(super) at_ms: f64,
    pub(super) what: &'static str,
    /// How many bytes there were.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) bytes: Option<usize>,
    /// Bytes escaped, or words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) text: Option<String>,
    /// Bytes that are not in the text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) more: Option<usize>,
}

impl Attempt {
    pub(super) fn new(
        way: Way,
        target: &Target,
        address: String,
        ended: &Ended,
        entries: Vec<Entry>,
        mask: &Mask,
    ) -> Attempt {
        let rule = entries.iter().rev().find_map(|entry| match &entry.what {
            What::Rule(rule) => Some(mask.line(rule)),
            _ => None,
        });
        let Timing {
            total_us,
            connect_us,
            handshake_us,
            tls_us,
            first_byte_us,
        } = ended.timing;
        let exit = ended.exit;
        Attempt {
            way: label(way),
            target: target.name.to_string(),
            url: url(target).to_string(),
            address,
            verdict: ended.verdict.label(),
            rule,
            total_ms: ms(total_us),
            connect_ms: part(connect_us),
            handshake_ms: part(handshake_us),
            tls_ms: part(tls_us),
            first_byte_ms: part(first_byte_us),
            exit: exit.map(|exit| exit.ip.to_string()),
            // Without a proxy there is nothing to be anonymous behind.
            anonymity: exit
                .filter(|_| way != Way::Direct)
                .map(|exit| exit.anonymity.label()),
            events: entries.into_iter().map(|e| Told::new(e, mask)).collect(),
        }
    }
}

impl Told {
    fn new(entry: Entry, mask: &Mask) -> Told {
        let told = Told {
            at_ms: span_ms(entry.at),
            what: word(&entry.what),
            bytes: None,
            text: None,
            more: None,
        };
        match entry.what {
            What::Connected | What::Closed => told,
            What::Connecting(text) | What::Tls(text) | What::Failed(text) | What::Rule(text) => {
                Told {
                    text: Some(mask.line(&text)),
                    ..told
                }
            }
            // Nobody reads ciphertext.
            What::Said {
                layer: Layer::Records,
                total,
                ..
            } => Told {
                bytes: Some(total),
                ..told
            },
            What::Said {
                by,
                kept,
                total,
                hidden,
                ..
            } => {
                let Shown { text, more } = match by {
                    Speaker::Us => mask::said(&kept, total, &hidden),
                    Speaker::Peer => mask.heard(&kept, total),
                };
                Told {
                    bytes: Some(total),
                    text: Some(text),
                    more: (more > 0).then_some(more),
                    ..told
                }
            }
        }
    }
}

fn word(what: &What) -> &'static str {
    match what {
        What::Connecting(_) => "connecting",
        What::Connected => "connected",
        What::Said { by, layer, .. } => match (by, layer) {
            (Speaker::Us, Layer::Wire) => "sent",
            (Speaker::Us, Layer::Records) => "sent_tls",
            (Speaker::Us, Layer::Inside) => "sent_inside_tls",
            (Speaker::Peer, Layer::Wire) => "received",
            (Speaker::Peer, Layer::Records) => "received_tls",
            (Speaker::Peer, Layer::Inside) => "received_inside_tls",
        },
        What::Tls(_) => "tls",
        What::Closed => "closed",
        What::Failed(_) => "failed",
        What::Rule(_) => "rule",
    }
}

/// `direct`, or the protocol.
pub(super) fn label(way: Way) -> &'static str {
    match way {
        Way::Direct => "direct",
        Way::Proxy(protocol) => protocol.label(),
    }
}

fn ms(us: u32) -> f64 {
    f64::from(us) / 1000.0
}

fn part(us: u32) -> Option<f64> {
    (us > 0).then(|| ms(us))
}

fn span_ms(span: Duration) -> f64 {
    ms(u32::try_from(span.as_micros()).unwrap_or(u32::MAX))
}

/// The labels of what works.
pub(super) fn labels(protocols: impl Iterator<Item = Protocol>) -> Vec<&'static str> {
    protocols.map(Protocol::label).collect()
}
