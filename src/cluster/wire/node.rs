//! What a node says of itself, as JSON: nodes of other versions read what they know of it.

use crate::cluster::NodeStat;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
#[serde(default)]
#[derive(Default)]
struct Said {
    lanes: u64,
    in_flight: u64,
    taken: u64,
    lag: u64,
    idle_because: Option<Box<str>>,
    version: Box<str>,
    known: u64,
    process: u64,
}

/// What `stat` says of this node, how much it knows, and which process it is; its name, whether it leads and its silence are
/// known otherwise.
pub(crate) fn pack(stat: &NodeStat, known: u64, process: u64) -> String {
    let said = Said {
        lanes: stat.lanes,
        in_flight: stat.in_flight,
        taken: stat.taken,
        lag: stat.lag,
        idle_because: stat.idle_because.clone(),
        version: stat.version.clone(),
        known,
        process,
    };
    serde_json::to_string(&said).unwrap_or_default()
}

/// How much a node says that it knows: to decide who may lead, and shown to nobody.
pub(crate) fn known(text: &[u8]) -> u64 {
    serde_json::from_slice(text).map_or(0, |said: Said| said.known)
}

/// Which process said this; `None` if it is not readable, and 0 if an older version said it.
pub(crate) fn process(text: &[u8]) -> Option<u64> {
    let said: Option<Said> = serde_json::from_slice(text).ok();
    said.map(|said| said.process)
}

/// What the node of this name said of itself; zeros where that is not readable.
pub(crate) fn unpack(name: &str, silent_ms: u64, leads: bool, text: &[u8]) -> NodeStat {
    let said: Said = serde_json::from_slice(text).unwrap_or_default();
    NodeStat {
        name: name.into(),
        leads,
        lanes: said.lanes,
        in_flight: said.in_flight,
        taken: said.taken,
        silent_ms,
        lag: said.lag,
        idle_because: said.idle_because,
        version: said.version,
    }
}
