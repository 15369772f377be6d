//! The `checker` block of a configuration file.

use super::Env;
use crate::commands::status::Failure;
use crate::config::{Checker, Config};
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// Longest configuration file that is read, in bytes.
const CONFIG_BYTES_MAX: u64 = 16 << 20;

/// The `checker` block of the file, and what is odd about it. The rest of the file is the service's:
/// a check needs neither its keys nor its store.
pub(super) fn checker_block(path: &Path, env: Env<'_>) -> Result<(Checker, Vec<String>), Failure> {
    let name = path.display().to_string();
    let failed = |error: &dyn std::fmt::Display| Failure::Failed(format!("--config {error}"));
    let mut text = String::new();
    File::open(path)
        .and_then(|file| file.take(CONFIG_BYTES_MAX).read_to_string(&mut text))
        .map_err(|e| failed(&format!("{name}: {e}; name a readable configuration file")))?;
    let (config, warnings) =
        Config::from_json(&only_checker(text), &name, env).map_err(|e| failed(&e))?;
    let of_checker = warnings.iter().filter(|w| w.place.starts_with("checker"));
    let warnings = of_checker.map(|w| format!("{name}: {w}")).collect();
    Ok((config.checker, warnings))
}

/// The same file without the blocks that a check has no use for; as it is, if it is no JSON object,
/// so that the reader of configurations says why.
fn only_checker(text: String) -> String {
    let Ok(serde_json::Value::Object(mut blocks)) = serde_json::from_str(&text) else {
        return text;
    };
    let user_agent = blocks
        .get("aggregator")
        .and_then(|block| block.get("user_agent").cloned());
    blocks.retain(|key, _| key == "checker");
    if let Some(user_agent) = user_agent {
        let block = serde_json::json!({ "user_agent": user_agent });
        blocks.insert("aggregator".into(), block);
    }
    serde_json::Value::Object(blocks).to_string()
}
