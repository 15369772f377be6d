//! The parts of an entry as JSON: the same in the file of the `file` store and in an export.

use crate::ledger::Check;
use proxy_shards::{Anonymity, Exit, Timing, Verdict};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::net::IpAddr;

/// Borrowed when written, owned when read.
pub(super) type Label = Cow<'static, str>;

/// A check: second of the Unix epoch, microseconds of the probe, verdict.
pub(super) type CheckLine = (u32, u32, Label);

/// [`Timing`], in microseconds.
#[derive(Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Parts {
    total: u32,
    connect: u32,
    handshake: u32,
    tls: u32,
    first_byte: u32,
}

impl From<Timing> for Parts {
    fn from(timing: Timing) -> Parts {
        Parts {
            total: timing.total_us,
            connect: timing.connect_us,
            handshake: timing.handshake_us,
            tls: timing.tls_us,
            first_byte: timing.first_byte_us,
        }
    }
}

impl From<Parts> for Timing {
    fn from(parts: Parts) -> Timing {
        Timing {
            total_us: parts.total,
            connect_us: parts.connect,
            handshake_us: parts.handshake,
            tls_us: parts.tls,
            first_byte_us: parts.first_byte,
        }
    }
}

/// What a judge saw.
#[derive(Serialize, Deserialize)]
pub(super) struct ExitLine {
    ip: IpAddr,
    anonymity: Label,
}

impl From<Exit> for ExitLine {
    fn from(exit: Exit) -> ExitLine {
        ExitLine {
            ip: exit.ip,
            anonymity: exit.anonymity.label().into(),
        }
    }
}

impl ExitLine {
    /// The same; `None` if there is no such anonymity.
    pub(super) fn exit(&self) -> Option<Exit> {
        let anonymity = Anonymity::from_label(&self.anonymity)?;
        Some(Exit {
            ip: self.ip,
            anonymity,
        })
    }
}

/// A check as it is written.
pub(super) fn check_line(check: &Check) -> CheckLine {
    (check.at_s, check.total_us, check.verdict.label().into())
}

/// A check as it was read; `None` if there is no such verdict.
pub(super) fn check((at_s, total_us, label): &CheckLine) -> Option<Check> {
    Some(Check {
        at_s: *at_s,
        total_us: *total_us,
        verdict: Verdict::from_label(label)?,
    })
}

/// For `skip_serializing_if`: what is not there is read as the default.
pub(super) fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}
