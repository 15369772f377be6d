//! What an earlier process knew: taken in, and gone on with.

use super::event::{Now, unix};
use super::state::{Route, State};
use crate::store::Image;

impl State {
    /// Goes on where the image was made, if it is the same that is asked.
    pub(super) fn restore(&mut self, image: &Image, now: Now, route: Route<'_>) {
        // 0: nobody knows since when.
        let is_known = image.asked.since_ms != 0;
        let goes_on = is_known && image.asked.policy == self.asked.policy;
        if goes_on {
            self.asked = image.asked;
            self.sweep.started = Some(unix(image.asked.since_ms));
            self.sweep.finished = (image.asked.over_ms != 0).then(|| unix(image.asked.over_ms));
        }
        for entry in image.entries.iter() {
            if !self.may_dial(&entry.candidate) {
                continue;
            }
            let is_swept = goes_on && entry.verdict.is_some_and(|v| !v.is_local());
            let is_swept = is_swept && entry.checked_at_ms >= image.asked.since_ms;
            let Some(index) = self.ledger.restore(entry) else {
                continue;
            };
            match is_swept {
                true => self.begin_swept(index, now, route),
                false => self.begin(index, self.sweep.finished.is_none(), now, route),
            }
            self.publisher.note_pool();
        }
        let policy = self.config.checker.policy.clone();
        self.ledger.aim_restored(&image.targets, &policy);
    }

    /// A candidate that had its turn in the sweep before the process began. Where the clock went back
    /// since then, it was checked just now.
    fn begin_swept(&mut self, index: u32, now: Now, route: Route<'_>) {
        let queue = self.queue(index, route);
        let standing = self.ledger.standing(index);
        let age_ms = now.unix_ms.saturating_sub(self.ledger.checked_at_ms(index));
        (self.schedule).add_swept(index, queue, standing, age_ms, now.clock_ms);
    }
}
