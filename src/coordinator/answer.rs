//! What the ledger has about one proxy, for those who ask.

use super::event::{Known, Now, Question};
use super::state::State;
use crate::ledger::{ANSWERS_MAX, Facts};

impl State {
    /// Answers with what is known of the candidates at the address, and how many there are.
    pub(super) fn answer(&self, question: Question, now: Now) {
        let indexes = self.ledger.find_at(&question.host, question.port);
        let total = match indexes.len() {
            ANSWERS_MAX => self.ledger.count_at(&question.host, question.port),
            all => all,
        };
        let facts = indexes.into_iter().map(|index| self.facts(index, now));
        let facts = facts.collect();
        // Whoever asked may have gone away.
        let _ = question.reply.send(Known { total, facts });
    }

    fn facts(&self, index: u32, now: Now) -> Facts {
        let due = self.schedule.waits_until(index);
        let url = |source: usize| self.origins.all.get(source).map(|o| o.stat.url.clone());
        Facts {
            entry: self.ledger.entry(index),
            next_check_ms: due.map(|due| now.unix_ms + due.saturating_sub(now.clock_ms)),
            voices: self.ledger.voices(index, now.clock_ms),
            held: self.schedule.is_held(index),
            sources: self.ledger.listed_by(index).filter_map(url).collect(),
        }
    }
}
