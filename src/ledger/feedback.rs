//! What clients say of proxies that they used: a bounded table beside the rows, which ages.
//!
//! Clients are believed in this only: they decide when a proxy is looked at again, never what it is.
//! What they say is not kept across a restart.

mod bans;

use super::Ledger;
use super::targets::renumbered;
use bans::{Bans, counted_max};
use proxy_shards::{TARGETS_MAX, Targets};
use std::collections::HashMap;

/// How long the word of a client counts, in milliseconds.
pub const FEEDBACK_MS: u64 = 600_000;
/// Clients whose word on one candidate is kept; of more, the latest. No quorum can be larger.
pub const CLIENTS_MAX: usize = 8;
/// Candidates of which words are kept: twice as many, for there are two generations of them.
const CELLS_MAX: usize = 8_192;

/// What a client met with at a proxy. Closed set: the same words in JSON and as a metric label.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Experience {
    /// It served.
    Ok,
    /// It did not.
    Fail,
    /// It served, and the target turned it away.
    Banned,
}

impl Experience {
    /// Every one.
    pub const ALL: [Experience; 3] = [Experience::Ok, Experience::Fail, Experience::Banned];

    /// Its one word.
    pub const fn label(self) -> &'static str {
        match self {
            Experience::Ok => "ok",
            Experience::Fail => "fail",
            Experience::Banned => "banned",
        }
    }

    /// The one that a word stands for.
    pub fn from_label(label: &str) -> Option<Experience> {
        Experience::ALL.into_iter().find(|e| e.label() == label)
    }
}

/// The word of one client on one candidate: its last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Word {
    /// Tells clients apart; what it is made of is not kept.
    pub client: u64,
    /// What it met with.
    pub experience: Experience,
    /// The place of the target, if it named one.
    pub target: Option<usize>,
}

/// How many clients said what of a candidate lately, each by its last word.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Voices {
    /// It served.
    pub ok: u8,
    /// It did not.
    pub fail: u8,
    /// It was turned away somewhere.
    pub banned: u8,
    /// By which target, by its place. A client may name several.
    pub banned_at: [u8; TARGETS_MAX],
}

#[derive(Clone, Copy, Debug)]
struct Note {
    client: u64,
    at_ms: u64,
    experience: Experience,
    /// Where the client was turned away and was not served since.
    banned_at: Targets,
    /// It complains, and the candidate was not looked at again because of it.
    is_open: bool,
}

/// What is kept of one candidate.
#[derive(Clone, Copy, Debug, Default)]
struct Cell([Option<Note>; CLIENTS_MAX]);

impl Cell {
    fn live(&self, now_ms: u64) -> impl Iterator<Item = &Note> {
        let notes = self.0.iter().flatten();
        notes.filter(move |note| note.is_live(now_ms))
    }

    fn take(&mut self, word: Word, now_ms: u64) {
        let by = |note: &Option<Note>| note.is_some_and(|note| note.client == word.client);
        // Its own place, else the one of what is oldest.
        let place = self.0.iter().position(by).unwrap_or_else(|| {
            let age = |place: &usize| self.0[*place].map(|note| note.at_ms); // none is the oldest
            (0..CLIENTS_MAX).min_by_key(age).unwrap_or(0)
        });
        let before = self.0[place].filter(|note| note.client == word.client);
        let before = before.filter(|note| note.is_live(now_ms));
        let banned_at = before.map_or(Targets::NONE, |note| note.banned_at);
        let here = word
            .target
            .map_or(Targets::NONE, |place| Targets::NONE.with(place));
        self.0[place] = Some(Note {
            client: word.client,
            at_ms: now_ms,
            experience: word.experience,
            banned_at: match (word.experience, word.target) {
                (Experience::Banned, _) => banned_at.or(here),
                (Experience::Ok, Some(_)) => banned_at.without(here),
                (Experience::Ok, None) => Targets::NONE,
                (Experience::Fail, _) => banned_at,
            },
            is_open: word.experience != Experience::Ok,
        });
    }

    fn voices(&self, now_ms: u64) -> Voices {
        let mut voices = Voices::default();
        for note in self.live(now_ms) {
            match note.experience {
                Experience::Ok => voices.ok += 1,
                Experience::Fail => voices.fail += 1,
                Experience::Banned => voices.banned += 1,
            }
            note.banned_at
                .iter()
                .for_each(|place| voices.banned_at[place] += 1);
        }
        voices
    }
}

impl Note {
    /// What was said at a time that has not come yet was said before the clock was set back.
    fn is_live(&self, now_ms: u64) -> bool {
        now_ms.abs_diff(self.at_ms) < FEEDBACK_MS
    }
}

/// The cells of the candidates of which something was said lately. Two generations: when the young
/// one is full or old, it replaces the other, so nothing has to be looked through to forget.
#[derive(Debug, Default)]
pub(super) struct Feedback {
    young: HashMap<u32, Cell>,
    old: HashMap<u32, Cell>,
    turned_ms: u64,
    bans: Bans,
}

impl Feedback {
    fn cell(&self, index: u32) -> Option<&Cell> {
        self.young.get(&index).or_else(|| self.old.get(&index))
    }

    fn cell_mut(&mut self, index: u32) -> Option<&mut Cell> {
        match self.young.get_mut(&index) {
            Some(cell) => Some(cell),
            None => self.old.get_mut(&index),
        }
    }

    /// Takes a word while so many proxies are alive.
    fn take(&mut self, index: u32, word: Word, alive: usize, now_ms: u64) {
        let word = self.counted(index, word, alive, now_ms);
        let is_full = self.young.len() >= CELLS_MAX && !self.young.contains_key(&index);
        if is_full || self.turned_ms.abs_diff(now_ms) >= FEEDBACK_MS {
            self.old = std::mem::take(&mut self.young);
            self.turned_ms = now_ms;
        }
        let before = self.old.remove(&index);
        let cell = self.young.entry(index);
        cell.or_insert_with(|| before.unwrap_or_default())
            .take(word, now_ms);
    }

    /// The word as far as it counts: a client that says of very many that a target turns them away
    /// complains of them all the same, but none of the rest is passed over because of that.
    fn counted(&mut self, index: u32, mut word: Word, alive: usize, now_ms: u64) -> Word {
        let client = word.client;
        match (word.experience, word.target) {
            (Experience::Banned, Some(place)) => {
                let most = counted_max(alive);
                if !self.bans.count((client, place), index, most, now_ms) {
                    word.target = None;
                }
            }
            (Experience::Ok, Some(place)) => self.bans.take_back(client, place, index),
            (Experience::Ok, None) => {
                (0..TARGETS_MAX).for_each(|place| self.bans.take_back(client, place, index));
            }
            (Experience::Banned, None) | (Experience::Fail, _) => (),
        }
        word
    }

    /// The index may be given to another candidate.
    pub(super) fn forget(&mut self, index: u32) {
        self.young.remove(&index);
        self.old.remove(&index);
    }

    /// `places` has the old place of each target.
    pub(super) fn renumber(&mut self, places: &[Option<usize>]) {
        self.bans.renumber(places);
        let cells = self.young.values_mut().chain(self.old.values_mut());
        for note in cells.flat_map(|cell| cell.0.iter_mut().flatten()) {
            note.banned_at = renumbered(note.banned_at, places);
        }
    }

    /// Where at least `quorum` clients were turned away lately.
    pub(super) fn banned_at(&self, index: u32, quorum: u8, now_ms: u64) -> Targets {
        let Some(cell) = self.cell(index) else {
            return Targets::NONE;
        };
        let voices = cell.voices(now_ms).banned_at;
        let enough = |place: &usize| voices[*place] >= quorum.max(1);
        let places = (0..TARGETS_MAX).filter(enough);
        places.fold(Targets::NONE, |set, place| set.with(place))
    }
}

impl Ledger {
    /// So many clients must say the same before anything follows from it.
    pub fn set_quorum(&mut self, quorum: u8) {
        self.quorum = quorum;
    }

    /// So late is it by the clock by which words age. It must be one that nobody sets: by the host's,
    /// a correction of the time would end every word at once, or keep it for as long as that was.
    pub fn pass(&mut self, clock_ms: u64) {
        self.clock_ms = self.clock_ms.max(clock_ms);
    }

    /// Takes the word of a client on the candidate `index` at `clock_ms`. It changes nothing of what
    /// the candidate is.
    pub fn hear(&mut self, index: u32, word: Word, clock_ms: u64) {
        self.feedback.take(index, word, self.alive.len(), clock_ms);
        self.pass(clock_ms);
    }

    /// Whether enough clients complain of the candidate since it was last looked at because of that.
    pub fn is_complained_of(&self, index: u32, clock_ms: u64) -> bool {
        let cell = self.feedback.cell(index);
        let open = cell.map_or(0, |cell| cell.live(clock_ms).filter(|n| n.is_open).count());
        open >= usize::from(self.quorum.max(1))
    }

    /// The candidate is looked at again: the complaints of until now have had their effect.
    pub fn close_complaints(&mut self, index: u32) {
        if let Some(cell) = self.feedback.cell_mut(index) {
            let notes = cell.0.iter_mut().flatten();
            notes.for_each(|note| note.is_open = false);
        }
    }

    /// How many clients said what of the candidate lately.
    pub fn voices(&self, index: u32, clock_ms: u64) -> Voices {
        let cell = self.feedback.cell(index);
        cell.map_or(Voices::default(), |cell| cell.voices(clock_ms))
    }

    /// The targets that turn the candidate away, as enough clients said lately.
    pub fn banned_at(&self, index: u32) -> Targets {
        (self.feedback).banned_at(index, self.quorum, self.clock_ms)
    }
}

#[cfg(test)]
mod model;
#[cfg(test)]
mod tests;
