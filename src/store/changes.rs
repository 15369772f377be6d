//! What of an image a store does not hold yet: one rule for every store that keeps chunks.

use super::Image;
use super::chunk::Mark;

/// Most chunks that count as few: a megabyte.
pub(super) const FEW_CHUNKS: usize = 128;

/// How an image differs from the one that is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Changes {
    /// The marks of all its chunks.
    pub(super) marks: Vec<Mark>,
    /// The numbers of the chunks that are to be written, rising.
    pub(super) new: Vec<u32>,
}

impl Changes {
    /// `known` are the marks of the chunks that are stored, as far as they are known.
    pub(super) fn since(known: &[Mark], image: &Image) -> Changes {
        let marks: Vec<Mark> = image.entries.chunks().map(Mark::of).collect();
        let is_new = |number: &u32| known.get(*number as usize) != marks.get(*number as usize);
        let new = (0..marks.len() as u32).filter(is_new).collect();
        Changes { marks, new }
    }

    /// How many chunks the image has; those from this number on are surplus.
    pub(super) fn count(&self) -> u32 {
        self.marks.len() as u32
    }

    /// Whether it is more than fits into one piece of work.
    pub(super) fn are_many(&self) -> bool {
        self.new.len() > FEW_CHUNKS
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::contract::{change, random_image};
    use fastrand::Rng;

    #[test]
    fn only_what_differs_is_new_and_all_of_it_if_nothing_is_known() {
        let before = random_image(&mut Rng::with_seed(1), 3_000);
        let all = Changes::since(&[], &before);
        assert!(all.count() > 20 && all.new.len() == all.marks.len());
        let same = Changes::since(&all.marks, &before);
        assert!(same.new.is_empty() && same.marks == all.marks);
        let mut after = before.clone();
        change(&mut after, |entries| entries[0].failures ^= 1);
        assert_eq!(Changes::since(&all.marks, &after).new, [0]);
    }

    #[test]
    fn a_smaller_image_writes_no_more_than_its_new_end() {
        let before = random_image(&mut Rng::with_seed(2), 3_000);
        let known = Changes::since(&[], &before).marks;
        let mut after = before.clone();
        change(&mut after, |entries| entries.truncate(1_000));
        let changes = Changes::since(&known, &after);
        assert_eq!(changes.new, [changes.count() - 1]);
        assert!((changes.count() as usize) < known.len() && !changes.are_many());
    }
}
