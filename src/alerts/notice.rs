//! One notice: its JSON, and the signature by which a receiver knows that it is ours.

use super::lookout::Change;
use super::{Alarm, Turn};
use crate::config::WebhookSecret;
use crate::snapshot::Stale;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::json;
use sha2::Sha256;
use std::fmt::Write;
use std::sync::Arc;
use std::time::SystemTime;

/// The body that every webhook gets for this change.
pub(super) fn body(change: &Change, id: &str, node: &str, at: SystemTime) -> Arc<str> {
    let at = jiff::Timestamp::try_from(at).unwrap_or_default();
    let notice = json!({
        "id": id,
        "event": change.alarm.label(),
        "state": change.turn.label(),
        "at": format!("{at:.3}"),
        "node": node,
        "text": text(change, node),
        "details": change.details,
    });
    notice.to_string().into()
}

/// The same in one line for people.
fn text(change: &Change, node: &str) -> String {
    let details = &change.details;
    match (change.alarm, change.turn) {
        (Alarm::AliveBelow, Turn::Firing) => format!(
            "{node}: only {} proxies are alive, fewer than {}",
            details["alive"], details["alive_below"]
        ),
        (Alarm::AliveBelow, Turn::Resolved) => {
            format!("{node}: {} proxies are alive again", details["alive"])
        }
        (Alarm::JudgeDown, Turn::Firing) if details["stale_reason"] == Stale::Cluster.label() => {
            format!(
                "{node}: the other nodes cannot be heard, or none leads; the last snapshot is served"
            )
        }
        (Alarm::JudgeDown, Turn::Firing) => format!(
            "{node}: a target does not answer as it should, or nothing is alive though it does"
        ),
        (Alarm::JudgeDown, Turn::Resolved) => {
            format!("{node}: the targets answer and the snapshot is fresh again")
        }
        (Alarm::SourceDead, Turn::Firing) => format!(
            "{node}: {} failed {} times in a row",
            change.subject, details["failures"]
        ),
        (Alarm::SourceDead, Turn::Resolved) => {
            format!("{node}: {} fails no longer", change.subject)
        }
        (Alarm::StoreFailing, Turn::Firing) => format!("{node}: what is known was not saved"),
        (Alarm::StoreFailing, Turn::Resolved) => format!("{node}: what is known is saved again"),
    }
}

/// The value of `X-Signature-256`: HMAC-SHA256 (RFC 2104) over `timestamp.body`, in hexadecimal.
pub(super) fn signature(secret: &WebhookSecret, timestamp: u64, body: &str) -> String {
    let mut mac =
        Hmac::<Sha256>::new_from_slice(secret.bytes()).expect("a key of any length will do");
    mac.update(format!("{timestamp}.").as_bytes());
    mac.update(body.as_bytes());
    let mut text = "sha256=".to_owned();
    for byte in mac.finalize().into_bytes() {
        // Writing to a string does not fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signature_is_that_of_other_programs() {
        // printf 1700000000.{} | openssl dgst -sha256 -hmac 0123456789abcdef
        let secret = WebhookSecret::new("0123456789abcdef").unwrap();
        assert_eq!(
            signature(&secret, 1_700_000_000, "{}"),
            "sha256=e4f8e2ecae2295b2ddb2f0b5584c8275e226c0ebe9b3b819e70156bb67122e3e"
        );
    }

    #[test]
    fn a_node_that_is_cut_off_does_not_blame_the_targets() {
        let text_of = |stale: Stale| {
            let change = Change {
                alarm: Alarm::JudgeDown,
                turn: Turn::Firing,
                subject: "".into(),
                details: json!({"stale_reason": stale.label(), "targets": []}),
            };
            text(&change, "n")
        };
        assert!(text_of(Stale::Cluster).contains("the other nodes"));
        for stale in [Stale::Control, Stale::NothingAlive] {
            assert!(text_of(stale).contains("target"), "{stale:?}");
        }
    }

    #[test]
    fn a_notice_says_what_when_and_where() {
        let change = Change {
            alarm: Alarm::AliveBelow,
            turn: Turn::Firing,
            subject: "".into(),
            details: json!({"alive": 3, "alive_below": 5}),
        };
        let body: serde_json::Value =
            serde_json::from_str(&body(&change, "ab-1", "node-7", SystemTime::UNIX_EPOCH)).unwrap();
        let expected = json!({
            "id": "ab-1", "event": "alive_below", "state": "firing",
            "at": "1970-01-01T00:00:00.000Z", "node": "node-7",
            "text": "node-7: only 3 proxies are alive, fewer than 5",
            "details": {"alive": 3, "alive_below": 5},
        });
        assert_eq!(body, expected);
    }
}
