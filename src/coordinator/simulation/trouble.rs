//! What goes wrong around a coordinator: clocks that are set, shards that panic, stall or repeat themselves.

use super::{Event, Report, Simulation};
use proxy_shards::Tally;
use std::cmp::Reverse;

/// How long a shard that panicked takes to begin again, in milliseconds.
const RESTART_MS: u64 = 100;

impl Simulation {
    /// The host's clock is set by so many milliseconds; the one that never goes back goes on.
    pub(crate) fn step_clock(&mut self, by_ms: i64) {
        self.epoch_ms = self.epoch_ms.saturating_add_signed(by_ms);
    }

    /// The executor of a shard panics: what is under way is made again.
    pub(crate) fn panic(&mut self, shard: usize) {
        let now_ms = self.now_ms;
        let again = |end: u64| if end > now_ms { end + RESTART_MS } else { end };
        let shard = &mut self.shards[shard];
        let lanes = shard
            .lanes
            .drain()
            .map(|Reverse((end, id))| Reverse((again(end), id)));
        shard.lanes = lanes.collect::<Vec<_>>().into();
        shard
            .ended
            .iter_mut()
            .for_each(|(end, _)| *end = again(*end));
        shard
            .controls
            .iter_mut()
            .for_each(|(end, _)| *end = again(*end));
    }

    /// No shard says anything for so long.
    pub(crate) fn stall(&mut self, ms: u64) {
        self.report_ms = self.report_ms.max(self.now_ms + ms);
    }

    /// A shard says once more what was said last.
    pub(crate) fn say_again(&mut self) {
        let Some((shard, records)) = self.said.clone() else {
            return;
        };
        let busy = &self.shards[shard];
        let report = Report {
            shard,
            records,
            controls: Vec::new(),
            tally: Tally::default(),
            in_flight: busy.lanes.len(),
            queued: busy.queue.len(),
            lag_us: 0,
            restarts: 0,
        };
        self.tell(Event::Report(report));
    }

    /// Each candidate waits, is out or is held: exactly one of these. Names are not looked up here.
    pub(crate) fn assert_each_is_in_one_place(&self) {
        let state = &self.state;
        for index in state.ledger.indexes() {
            let places = [
                state.schedule.waits_until(index).is_some(),
                self.out.contains(&index),
                state.schedule.is_held(index),
            ];
            let count = places.iter().filter(|is_there| **is_there).count();
            assert_eq!(count, 1, "{index} at {} ms: {places:?}", self.now_ms);
        }
        assert_eq!(self.out.len(), state.dispatch.outstanding());
    }

    /// Whether its job is out.
    pub(crate) fn is_out(&self, index: u32) -> bool {
        self.out.contains(&index)
    }
}
