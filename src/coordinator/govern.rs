//! Has the governor look, and passes on what it decides.

use super::event::{Action, Now};
use super::state::State;
use crate::lanes::News;

impl State {
    /// As many lanes as this host bears, if they are governed.
    pub(super) fn govern(&mut self, now: Now, actions: &mut Vec<Action>) {
        let demand = self.dispatch.outstanding();
        let Some(change) = self.lanes.look(demand, now.clock_ms) else {
            return;
        };
        actions.push(Action::Lanes(change.lanes));
        self.publisher.note_figures();
        let (lanes, wanted) = (change.lanes, self.lanes.stat().wanted);
        match change.news {
            None => {}
            Some(news @ News::Recovered) => tracing::info!(lanes, "{}", news.text()),
            Some(news) => tracing::warn!(lanes, wanted, "{}", news.text()),
        }
    }

    /// The lanes of each shard are others now.
    pub fn set_lanes(&mut self, lanes_per_shard: usize) {
        let batch_size = self.config.checker.batch_size;
        self.lanes.granted(lanes_per_shard);
        self.dispatch.resize(lanes_per_shard, batch_size);
        self.publisher.note_figures();
    }
}
