//! What a configuration file says of checks: its `checker` block, and which addresses are dialled.

use super::Env;
use crate::commands::status::Failure;
use crate::config::{Checker, Config};
use crate::sources::address::AddressPolicy;
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// Longest configuration file that is read, in bytes.
const CONFIG_BYTES_MAX: u64 = 16 << 20;

/// Of the keys of `aggregator` those that a check goes by, too.
const OF_AGGREGATOR: [&str; 5] = [
    "user_agent",
    "allow_private",
    "allow_networks",
    "deny_networks",
    "deny_ports",
];

/// What a file says of checks.
#[derive(Debug)]
pub(super) struct Checking {
    pub(super) checker: Checker,
    /// Which addresses may be dialled.
    pub(super) addresses: AddressPolicy,
    /// What is odd about these blocks.
    pub(super) warnings: Vec<String>,
}

/// The `checker` block of the file, and what else of it is about checks. The rest of the file is the
/// service's: a check needs neither its keys nor its store.
pub(super) fn checking(path: &Path, env: Env<'_>) -> Result<Checking, Failure> {
    let name = path.display().to_string();
    let failed = |error: &dyn std::fmt::Display| Failure::Failed(format!("--config {error}"));
    let mut text = String::new();
    File::open(path)
        .and_then(|file| file.take(CONFIG_BYTES_MAX).read_to_string(&mut text))
        .map_err(|e| failed(&format!("{name}: {e}; name a readable configuration file")))?;
    let (config, warnings) =
        Config::from_json(&only_of_checks(text), &name, env).map_err(|e| failed(&e))?;
    let is_of_checks = |place: &str| {
        let key = place.strip_prefix("aggregator.").unwrap_or_default();
        place.starts_with("checker") || OF_AGGREGATOR.iter().any(|of| key.starts_with(of))
    };
    let warnings = warnings.iter().filter(|w| is_of_checks(&w.place));
    Ok(Checking {
        warnings: warnings.map(|w| format!("{name}: {w}")).collect(),
        checker: config.checker,
        addresses: config.aggregator.addresses,
    })
}

/// The same file without what a check has no use for; as it is, if it is no JSON object, so that the
/// reader of configurations says why.
fn only_of_checks(text: String) -> String {
    let Ok(serde_json::Value::Object(mut blocks)) = serde_json::from_str(&text) else {
        return text;
    };
    blocks.retain(|key, _| key == "checker" || key == "aggregator");
    if let Some(serde_json::Value::Object(aggregator)) = blocks.get_mut("aggregator") {
        aggregator.retain(|key, _| OF_AGGREGATOR.contains(&&**key));
    }
    serde_json::Value::Object(blocks).to_string()
}
