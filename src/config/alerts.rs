//! Checks `alerts`: what an operator is told of, and where.

use super::Alerts;
use super::Webhook;
use super::problem::{Report, quoted};
use super::raw::{RawAlerts, RawWebhook};
use super::secret::webhook_secret;
use super::serving::Env;
use crate::alerts::{WORDS, Wanted};
use url::Url;

/// Webhooks that there may be.
const WEBHOOKS_MAX: usize = 16;

/// The block, checked; secrets come from `env`.
pub(super) fn alerts(raw: &RawAlerts, env: Env<'_>, report: &mut Report) -> Alerts {
    let source_failures = report.number(
        "alerts.source_failures",
        raw.source_failures,
        RawAlerts::default().source_failures,
        1..=1_000,
    );
    let alive_below = report.number("alerts.alive_below", raw.alive_below, 0, 1..=1_000_000_000);
    if raw.webhooks.len() > WEBHOOKS_MAX {
        let text = format!(
            "there are {}; give at most {WEBHOOKS_MAX}",
            raw.webhooks.len()
        );
        report.problem("alerts.webhooks", text);
    }
    if alive_below > 0 && raw.webhooks.is_empty() {
        let text = "nobody is told, because alerts.webhooks is empty; name a webhook";
        report.warning("alerts.alive_below", text);
    }
    let mut webhooks: Vec<Webhook> = Vec::new();
    for (index, raw) in raw.webhooks.iter().enumerate() {
        let place = format!("alerts.webhooks[{index}]");
        if report.is_misfit(&place) {
            continue;
        }
        let Some(webhook) = webhook(raw, &place, env, report) else {
            continue;
        };
        if webhooks.iter().any(|other| other.url == webhook.url) {
            let text = "is the same as that of a webhook before it; keep one of them";
            report.problem(&format!("{place}.url"), text);
        }
        webhooks.push(webhook);
    }
    Alerts {
        alive_below,
        source_failures: u32::try_from(source_failures).unwrap_or(u32::MAX),
        webhooks,
    }
}

fn webhook(raw: &RawWebhook, place: &str, env: Env<'_>, report: &mut Report) -> Option<Webhook> {
    let url = report.take(&format!("{place}.url"), url(raw.url.trim()).map(Some), None);
    let words: Vec<&str> = raw.events.iter().map(|word| word.trim()).collect();
    for (index, word) in words.iter().enumerate() {
        if !WORDS.contains(word) {
            let text = format!("{} is no event; choose {}", quoted(word), WORDS.join(", "));
            report.problem(&format!("{place}.events[{index}]"), text);
        }
    }
    let secret = match raw.secret_env.as_str() {
        "" => {
            let text = "is empty, so its notices are not signed; name a variable with a secret";
            report.warning(&format!("{place}.secret_env"), text);
            None
        }
        name => {
            let secret = webhook_secret(name, env).map(Some);
            report.take(&format!("{place}.secret_env"), secret, None)
        }
    };
    Some(Webhook {
        url: url?,
        wanted: Wanted::of(&words)?,
        secret,
    })
}

// A URL may hold a token, so no message repeats it.
fn url(text: &str) -> Result<Url, String> {
    const FORMS: &str = "give http://HOST/PATH or https://HOST/PATH";
    if text.is_empty() {
        return Err(format!("is missing; {FORMS}"));
    }
    let url = Url::parse(text).map_err(|error| format!("is not a URL ({error}); {FORMS}"))?;
    match url.scheme() {
        "http" | "https" => Ok(url),
        _ => Err(format!("cannot be posted to; {FORMS}")),
    }
}
