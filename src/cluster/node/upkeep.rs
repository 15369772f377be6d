//! What is due by time, and what is shown of the nodes.

use super::deeds::Deed;
use super::{LEASES_SILENT, Node, Role};
use crate::cluster::ClusterStat;
use crate::coordinator::Now;
use crate::snapshot::Stale;
use std::sync::Arc;
use std::time::SystemTime;

/// Lines of the log, at least, before a checkpoint is made ahead of its time; with a larger ledger, as
/// many as that has candidates: so the log is never much longer than what it leads to.
const LINES_MIN: usize = 65_536;

impl Node {
    /// What is due by time: a sign of life, a save, that nothing was heard for too long.
    pub(super) fn tend(&mut self, now: Now, deeds: &mut Vec<Deed>) {
        let silent_ms = now.clock_ms.saturating_sub(self.published_ms);
        let lease_ms = self.lease_ms();
        match &mut self.role {
            Some(Role::Leads(state)) if !self.stopping => {
                let mut actions = Vec::new();
                if silent_ms >= lease_ms {
                    actions = state.publish_anyway(now);
                }
                let is_long = self.lines >= state.known().max(LINES_MIN);
                if is_long {
                    state.save_early(now, &mut actions);
                }
                self.act(actions, now, deeds);
            }
            Some(Role::Leads(_)) | None => {}
            Some(Role::Follows(replica)) => {
                let due = replica.save_due_at(&self.config);
                if !self.stopping && due.is_some_and(|due| due <= now.clock_ms) {
                    deeds.push(Deed::Save(replica.image(now)));
                }
                let is_silent = silent_ms > LEASES_SILENT * lease_ms || self.unlinked.is_some();
                if is_silent && !self.is_stale && self.generation > 0 {
                    self.is_stale = true;
                    deeds.push(Deed::Stale(Stale::Cluster, now.unix_ms));
                }
            }
        }
        self.show(deeds);
    }

    /// Shows how the nodes fare, if that is news.
    pub(super) fn show(&mut self, deeds: &mut Vec<Deed>) {
        // Who led when the others were last heard may not do so any more.
        let known = self.leads() || self.unlinked.is_none();
        let leader = self.leader.as_ref().filter(|_| known);
        let stat = ClusterStat {
            node: self.cluster.node.clone(),
            leads: self.leads(),
            leader: leader.cloned(),
            nodes: self.nodes.clone(),
            unlinked: self.unlinked.clone(),
            as_of: self.unlinked.is_some().then(|| self.as_of()),
        };
        if self.shown.as_deref() != Some(&stat) {
            let stat = Arc::new(stat);
            self.shown = Some(stat.clone());
            deeds.push(Deed::Show(stat));
        }
    }

    /// When the nodes were as they are known.
    fn as_of(&self) -> SystemTime {
        let as_of = Now {
            clock_ms: 0,
            unix_ms: self.as_of_ms,
        };
        as_of.system()
    }
}
