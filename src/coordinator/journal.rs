//! What the other nodes of a cluster are to be told: who was judged since they were told last, and
//! who was forgotten. A node alone keeps no journal.

use super::event::{Action, Now};
use super::state::State;
use crate::cluster::Logged;
use crate::ledger::Ledger;
use proxy_shards::Candidate;

/// Lines that are told together. With more, they are told before the next publication: so many are
/// kept at most, but for one report.
pub(super) const LINES_MAX: usize = 1_024;

/// It was not said yet by which source a candidate is listed.
const UNSAID: u16 = u16::MAX;
/// It was said that none lists it. There are fewer sources than that.
const NONE: u16 = u16::MAX - 1;

/// What the other nodes do not know yet.
#[derive(Debug, Default)]
pub(super) struct Journal {
    judged: Vec<u32>,
    forgotten: Vec<Candidate>,
    /// By index: the source that was last said to list it first.
    sources: Vec<u16>,
}

impl Journal {
    /// There is a new verdict on a candidate.
    pub(super) fn judged(&mut self, index: u32) {
        self.judged.push(index);
    }

    /// A candidate is known no longer.
    pub(super) fn forgotten(&mut self, index: u32, candidate: Candidate) {
        self.say(index, UNSAID);
        self.forgotten.push(candidate);
    }

    /// Whether what is kept has to be told.
    pub(super) fn is_full(&self) -> bool {
        self.judged.len() + self.forgotten.len() >= LINES_MAX
    }

    /// Of everything that is alive it is to be said again which source lists it.
    fn unsay(&mut self) {
        self.sources.clear();
    }

    /// The alive whose source is another one than was said.
    fn note_sources(&mut self, ledger: &Ledger) {
        for index in ledger.alive_indexes() {
            let said = self.sources.get(index as usize).copied();
            if said.unwrap_or(UNSAID) != ledger.first_source(index).unwrap_or(NONE) {
                self.judged.push(index);
            }
        }
    }

    fn say(&mut self, index: u32, source: u16) {
        let place = index as usize;
        if self.sources.len() <= place {
            self.sources.resize(place + 1, UNSAID);
        }
        self.sources[place] = source;
    }

    /// Everything that is not told yet: first who is gone, for an address that came back since is
    /// among the others.
    fn take(&mut self, ledger: &Ledger) -> Vec<Logged> {
        let mut judged = std::mem::take(&mut self.judged);
        judged.sort_unstable();
        judged.dedup();
        let gone = std::mem::take(&mut self.forgotten).into_iter();
        let mut lines: Vec<Logged> = gone.map(Logged::Forgotten).collect();
        for index in judged {
            if !ledger.is_known(index) || ledger.verdict(index).is_none() {
                continue;
            }
            let source = ledger.first_source(index);
            self.say(index, source.unwrap_or(NONE));
            let entry = Box::new(ledger.entry(index));
            lines.push(Logged::Judged { entry, source });
        }
        lines
    }
}

impl State {
    /// Says to the other nodes what they do not know yet.
    pub(super) fn tell_nodes(&mut self, actions: &mut Vec<Action>) {
        let Some(journal) = &mut self.journal else {
            return;
        };
        if self.publisher.is_all_changed() {
            journal.note_sources(&self.ledger);
        }
        let mut lines = journal.take(&self.ledger);
        while !lines.is_empty() {
            let rest = lines.split_off(lines.len().min(LINES_MAX));
            actions.push(Action::Log(std::mem::replace(&mut lines, rest)));
        }
    }

    /// Everything that is known is to be saved. That says neither which source lists what nor what was
    /// published: both are said again, so that who begins there serves what all others do.
    pub(super) fn save_now(&mut self, now: Now, actions: &mut Vec<Action>) {
        actions.push(Action::Save(self.image(now)));
        let Some(journal) = &mut self.journal else {
            return;
        };
        self.saves.checkpoint_began();
        journal.unsay();
        self.publisher.note_pool();
        self.tell_nodes(actions);
        actions.push(self.publication(now));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proxy_shards::{Record, Targets, Verdict};

    fn told(lines: &[Logged]) -> Vec<String> {
        let line = |line: &Logged| match line {
            Logged::Judged { entry, source } => format!("{} {source:?}", entry.candidate.url()),
            Logged::Forgotten(candidate) => format!("gone {}", candidate.url()),
            Logged::Published(_) => "published".to_owned(),
        };
        lines.iter().map(line).collect()
    }

    #[test]
    fn who_was_judged_is_told_once_with_its_source_and_again_when_that_changes() {
        let (mut journal, mut ledger) = (Journal::default(), Ledger::new(2));
        let index = ledger
            .admit("http://9.9.9.9:80".parse().unwrap(), 1)
            .unwrap();
        journal.judged(index);
        assert!(told(&journal.take(&ledger)).is_empty(), "no verdict yet");
        ledger.apply(
            index,
            &Record::unprobed(0, Verdict::Alive),
            Targets::first(1),
            1,
        );
        journal.judged(index);
        journal.judged(index);
        assert_eq!(told(&journal.take(&ledger)), ["http://9.9.9.9:80 Some(1)"]);
        journal.note_sources(&ledger);
        assert!(told(&journal.take(&ledger)).is_empty(), "that was said");
        ledger.set_list(0, vec![index]);
        journal.note_sources(&ledger);
        assert_eq!(told(&journal.take(&ledger)), ["http://9.9.9.9:80 Some(0)"]);
        journal.unsay();
        journal.note_sources(&ledger);
        assert_eq!(told(&journal.take(&ledger)), ["http://9.9.9.9:80 Some(0)"]);
    }

    #[test]
    fn who_was_forgotten_and_came_back_is_told_of_as_it_is_now() {
        let (mut journal, mut ledger) = (Journal::default(), Ledger::new(1));
        let candidate: Candidate = "http://9.9.9.9:80".parse().unwrap();
        let index = ledger.admit(candidate.clone(), 0).unwrap();
        ledger.set_list(0, vec![index]);
        ledger.set_list(0, Vec::new());
        ledger.forget(index);
        journal.judged(index);
        journal.forgotten(index, candidate.clone());
        assert_eq!(told(&journal.take(&ledger)), ["gone http://9.9.9.9:80"]);
        journal.forgotten(index, candidate.clone());
        let index = ledger.admit(candidate, 0).unwrap();
        ledger.apply(
            index,
            &Record::unprobed(0, Verdict::Refused),
            Targets::first(1),
            1,
        );
        journal.judged(index);
        let lines = ["gone http://9.9.9.9:80", "http://9.9.9.9:80 Some(0)"];
        assert_eq!(told(&journal.take(&ledger)), lines);
    }
}
