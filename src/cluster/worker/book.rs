//! Which entries this node has, and which of their jobs ended. Pure.
//!
//! A job has a number of its own here, never the same twice: what comes back of an entry that was
//! lost and taken again is told from what comes back of it later.

use super::end::Part;
use crate::cluster::jobs::take::Taken;
use crate::cluster::wire::Id;
use proxy_shards::{Job, Record, Verdict};
use std::collections::{BTreeMap, HashMap};

/// One job that a shard has, or that waits for one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Out {
    entry: Id,
    /// Which time this node has had the entry.
    turn: u64,
    /// The leader's number of the job.
    id: u64,
    place: u8,
    /// When a shard was given it.
    pub(super) began_ms: u64,
}

#[derive(Debug)]
struct Entry {
    turn: u64,
    /// Bits of the jobs that have not ended.
    left: u64,
}

/// The entries and their jobs.
#[derive(Debug, Default)]
pub(super) struct Book {
    entries: HashMap<Id, Entry>,
    out: HashMap<u64, Out>,
    /// What ended since it was last told.
    ended: BTreeMap<Id, Part>,
    numbers: u64,
    turns: u64,
}

impl Book {
    /// Takes an entry in: those of its jobs that were not reported before, under numbers of ours.
    pub(super) fn add(&mut self, taken: Taken) -> Vec<Job> {
        self.turns += 1;
        let turn = self.turns;
        let mut left = 0;
        let mut jobs = Vec::with_capacity(taken.jobs.len());
        for (place, job) in taken.jobs.into_iter().enumerate() {
            if taken.done & 1 << place != 0 {
                continue;
            }
            left |= 1 << place;
            self.numbers += 1;
            let out = Out {
                entry: taken.id,
                turn,
                id: job.id,
                place: place as u8,
                began_ms: 0,
            };
            self.out.insert(self.numbers, out);
            jobs.push(Job {
                id: self.numbers,
                ..job
            });
        }
        // What was told of it before is told of an entry that is not ours any more.
        self.ended.remove(&taken.id);
        if left == 0 {
            // All was reported, and its end was not heard: nothing is left but to say so.
            let nothing = Part {
                id: taken.id,
                bits: taken.done,
                is_last: true,
                records: Vec::new(),
            };
            self.ended.insert(taken.id, nothing);
        } else {
            self.entries.insert(taken.id, Entry { turn, left });
        }
        jobs
    }

    /// A shard is given these.
    pub(super) fn begin(&mut self, jobs: &[Job], now_ms: u64) {
        for job in jobs {
            if let Some(out) = self.out.get_mut(&job.id) {
                out.began_ms = now_ms;
            }
        }
    }

    /// Takes a job back; nothing if it is not out, which a stray record is.
    pub(super) fn back(&mut self, number: u64) -> Option<Out> {
        self.out.remove(&number)
    }

    /// A job ended like this; nothing comes of it if its entry is not ours any more.
    pub(super) fn end(&mut self, out: Out, record: Record) {
        let bit = 1 << out.place;
        let Some(entry) = self.entries.get_mut(&out.entry) else {
            return;
        };
        if entry.turn != out.turn || entry.left & bit == 0 {
            return;
        }
        entry.left &= !bit;
        let is_last = entry.left == 0;
        if is_last {
            self.entries.remove(&out.entry);
        }
        let part = self.ended.entry(out.entry).or_insert_with(|| Part {
            id: out.entry,
            bits: 0,
            is_last,
            records: Vec::new(),
        });
        part.bits |= bit;
        part.is_last = is_last;
        part.records.push(Record {
            id: out.id,
            ..record
        });
    }

    /// It ended without a probe that says anything.
    pub(super) fn end_unprobed(&mut self, out: Out, verdict: Verdict) {
        self.end(out, Record::unprobed(out.id, verdict));
    }

    /// These entries are not ours any more.
    pub(super) fn lose(&mut self, lost: &[Id]) {
        for id in lost {
            self.entries.remove(id);
            self.ended.remove(id);
        }
    }

    /// Nor is any of this token.
    pub(super) fn lose_all_of(&mut self, token: u64) {
        self.entries.retain(|id, _| id.token != token);
        self.ended.retain(|id, _| id.token != token);
    }

    /// Whether there is something to tell.
    pub(super) fn has_ended(&self) -> bool {
        !self.ended.is_empty()
    }

    /// What ended since it was last told, entry by entry in their order.
    pub(super) fn take_ended(&mut self) -> Vec<Part> {
        std::mem::take(&mut self.ended).into_values().collect()
    }

    /// Jobs of ours that have not ended.
    pub(super) fn left(&self) -> u64 {
        let left = self.entries.values().map(|entry| entry.left.count_ones());
        left.map(u64::from).sum()
    }

    /// Every job that a shard has or that waits, whoever has its entry.
    pub(super) fn all_out(&mut self) -> Vec<Out> {
        std::mem::take(&mut self.out).into_values().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proxy_shards::Protocols;

    const ID: Id = Id {
        token: 7,
        number: 1,
    };

    fn taken(done: u64) -> Taken {
        let job = |id| Job {
            id,
            protocols: Protocols::ALL,
            address: "192.0.2.1:80".parse().unwrap(),
            credentials: None,
        };
        Taken {
            id: ID,
            jobs: (100..103).map(job).collect(),
            done,
            policy: 0,
        }
    }

    fn end(book: &mut Book, number: u64) {
        let out = book.back(number).unwrap();
        book.end_unprobed(out, Verdict::Refused);
    }

    #[test]
    fn what_ended_is_told_in_parts_under_the_leaders_numbers() {
        let mut book = Book::default();
        let numbers: Vec<u64> = book.add(taken(0)).iter().map(|job| job.id).collect();
        end(&mut book, numbers[2]);
        let [first] = &book.take_ended()[..] else {
            panic!("one entry");
        };
        assert_eq!(
            (first.bits, first.is_last, first.records[0].id),
            (4, false, 102)
        );
        end(&mut book, numbers[0]);
        end(&mut book, numbers[1]);
        let [rest] = &book.take_ended()[..] else {
            panic!("one entry");
        };
        assert_eq!((rest.bits, rest.is_last, rest.records.len()), (3, true, 2));
        assert_eq!((book.left(), book.has_ended()), (0, false));
        assert_eq!(book.back(numbers[0]), None);
    }

    #[test]
    fn what_another_node_reported_is_not_probed_again() {
        let mut book = Book::default();
        let jobs = book.add(taken(0b101));
        assert_eq!(jobs.len(), 1);
        end(&mut book, jobs[0].id);
        let parts = book.take_ended();
        assert_eq!((parts[0].bits, parts[0].is_last), (0b010, true));
        assert!(book.add(taken(0b111)).is_empty());
        let parts = book.take_ended();
        assert_eq!((parts[0].bits, parts[0].is_last), (0b111, true));
    }

    #[test]
    fn what_comes_back_of_a_lost_entry_is_of_no_use_even_if_it_was_taken_again() {
        let mut book = Book::default();
        let before = book.add(taken(0));
        end(&mut book, before[0].id);
        book.lose(&[ID]);
        end(&mut book, before[1].id);
        assert!(!book.has_ended());
        let again = book.add(taken(0));
        end(&mut book, before[2].id);
        assert!(!book.has_ended());
        end(&mut book, again[2].id);
        assert_eq!(book.take_ended()[0].bits, 4);
        book.lose_all_of(7);
        end(&mut book, again[0].id);
        assert!(!book.has_ended());
    }
}
