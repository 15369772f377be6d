//! The nodes as one of them sees them: what `/stat`, the metrics and the page show of a cluster.

use super::NodeStat;
use std::time::SystemTime;

/// A cluster, as this node sees it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClusterStat {
    /// The name of this node.
    pub node: Box<str>,
    /// Whether this node leads.
    pub leads: bool,
    /// The name of the node that leads, if that is known.
    pub leader: Option<Box<str>>,
    /// Every node that is heard, this one included.
    pub nodes: Vec<NodeStat>,
    /// Why the others cannot be heard, if they cannot.
    pub unlinked: Option<Box<str>>,
    /// When `nodes` were as they are told, while the others cannot be heard; `None`: a moment ago.
    pub as_of: Option<SystemTime>,
}

impl ClusterStat {
    /// Log entries that this node has not followed yet, as the nodes were last told of.
    pub fn lag(&self) -> u64 {
        let own = self.nodes.iter().find(|node| node.name == self.node);
        own.map_or(0, |node| node.lag)
    }
}
