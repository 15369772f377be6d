//! Has as many lanes as this host bears, where that is asked for.

use super::Drive;
use crate::commands::check::outside::Outside;
use crate::dispatch::Shards;
use proxy_shards::Record;
use proxy_shards::governor::HOST_ERRORS;
use std::io::Write;

impl<S: Shards, O: Outside, W: Write> Drive<'_, '_, '_, S, O, W> {
    /// Changes the number of lanes, if the governor says so.
    pub(super) fn govern(&mut self) {
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

    /// Whether the probe failed for want of what fewer lanes leave: then it is made again.
    pub(super) fn is_passing(&self, record: &Record) -> bool {
        self.lanes.are_governed() && HOST_ERRORS.contains(&record.verdict)
    }
}
