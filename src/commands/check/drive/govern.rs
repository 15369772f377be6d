//! Has as many lanes as this host bears, where that is asked for.

use super::Drive;
use crate::commands::check::feed::Again;
use crate::commands::check::outside::Outside;
use crate::dispatch::Shards;
use proxy_shards::governor::HOST_ERRORS;
use proxy_shards::{Record, Verdict};
use std::io::Write;

impl<S: Shards, O: Outside, W: Write> Drive<'_, '_, '_, S, O, W> {
    /// Changes the number of lanes, if the governor says so.
    pub(super) fn govern(&mut self) {
        self.count_lanes();
        if let Some(percent) = self.meter.look() {
            self.lanes.note_cpu(percent);
        }
        let now_ms = self.now_ms();
        let Some(change) = self.lanes.look(self.feed.outstanding(), now_ms) else {
            return;
        };
        self.shards.set_lanes(change.lanes);
        let per_shard = self.shards.lanes_per_shard();
        self.lanes.granted(per_shard);
        self.feed.resize(per_shard);
        if let Some(news) = change.news {
            let (lanes, wanted) = (change.lanes, self.lanes.stat().wanted);
            self.say(&format!("{}; now {lanes} of {wanted}", news.text()));
        }
    }

    /// Why a probe that failed is made again, if it failed for want of what fewer lanes leave.
    pub(super) fn passing(&self, record: &Record) -> Option<Again> {
        match record.verdict {
            _ if !self.lanes.are_governed() => None,
            Verdict::LocalLate => Some(Again::HostLate),
            verdict if HOST_ERRORS.contains(&verdict) => Some(Again::HostShort),
            _ => None,
        }
    }

    /// Counts the lanes that there were since the last time.
    pub(super) fn count_lanes(&mut self) {
        let now = self.outside.now();
        let lanes = self.shards.lanes_per_shard() * self.shards.shards();
        self.check.had(lanes, now.saturating_sub(self.counted));
        self.counted = now;
    }
}
