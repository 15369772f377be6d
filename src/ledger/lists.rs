//! Which source lists which candidate.

use super::Ledger;
use super::row::{IMPORTED, UNCLAIMED, UNLISTED};

/// The last good list of each source, as sorted indexes.
#[derive(Debug, Default)]
pub(super) struct Lists {
    /// `None`: nothing delivered yet.
    by_source: Vec<Option<Vec<u32>>>,
}

impl Lists {
    pub(super) fn new(sources: usize) -> Lists {
        Lists {
            by_source: vec![None; sources],
        }
    }

    /// Whether every source has delivered a good list.
    pub(super) fn all_known(&self) -> bool {
        self.by_source.iter().all(Option::is_some)
    }

    /// The first source that lists `index`, or [`UNLISTED`].
    fn first_of(&self, index: u32) -> u16 {
        let lists = |list: &Option<Vec<u32>>| {
            let list = list.as_deref().unwrap_or_default();
            list.binary_search(&index).is_ok()
        };
        let first = self.by_source.iter().position(lists);
        first.map_or(UNLISTED, |source| source as u16)
    }
}

impl Ledger {
    /// Whether `source` has delivered a good list.
    pub fn is_list_known(&self, source: u16) -> bool {
        let list = self.lists.by_source.get(usize::from(source));
        matches!(list, Some(Some(_)))
    }

    /// The sources that list `index`, by their places.
    pub fn listed_by(&self, index: u32) -> impl Iterator<Item = usize> + '_ {
        let lists = self.lists.by_source.iter().enumerate();
        lists.filter_map(move |(source, list)| {
            let listed = list.as_deref()?.binary_search(&index).is_ok();
            listed.then_some(source)
        })
    }

    /// Replaces the list of `source` by `indexes`, which it admitted before. Those that stood on
    /// the old one only are then listed by the next source that has them, or by none.
    pub fn set_list(&mut self, source: u16, mut indexes: Vec<u32>) {
        indexes.sort_unstable();
        indexes.dedup();
        indexes.shrink_to_fit();
        let place = &mut self.lists.by_source[usize::from(source)];
        let old = place.take().unwrap_or_default();
        let gone = missing(&old, &indexes);
        for &index in &indexes {
            let row = self.row_mut(index);
            row.source = row.source.min(source);
        }
        self.lists.by_source[usize::from(source)] = Some(indexes);
        for index in gone {
            if self.row(index).source == source {
                self.row_mut(index).source = self.lists.first_of(index);
            }
        }
    }

    /// The sources are others now, or in another order: `kept[new]` is the place that the source
    /// had before, if it had one. Candidates that `allowed` does not let through leave every list,
    /// and those of them that were restored are not waited for.
    pub fn reorder_sources(
        &mut self,
        kept: &[Option<usize>],
        allowed: impl Fn(&proxy_shards::Candidate) -> bool,
    ) {
        let mut old = std::mem::take(&mut self.lists.by_source);
        let mut lists: Vec<Option<Vec<u32>>> = kept
            .iter()
            .map(|place| place.and_then(|place| old.get_mut(place)?.take()))
            .collect();
        let is_over = |&index: &u32| !allowed(&self.candidate(index));
        let restored = self
            .indexes()
            .filter(|&i| matches!(self.row(i).source, UNCLAIMED | IMPORTED));
        for index in restored.filter(is_over).collect::<Vec<u32>>() {
            self.row_mut(index).source = UNLISTED;
        }
        for (_, row) in &mut self.rows {
            if row.source < IMPORTED {
                row.source = UNLISTED;
            }
        }
        for (source, list) in lists.iter_mut().enumerate().rev() {
            let Some(list) = list else { continue };
            list.retain(|&index| allowed(&self.candidate(index)));
            for &index in list.iter() {
                self.row_mut(index).source = source as u16;
            }
        }
        self.lists.by_source = lists;
    }
}

/// What is in `old` and not in `new`; both are sorted.
fn missing(old: &[u32], new: &[u32]) -> Vec<u32> {
    let mut new = new.iter().copied().peekable();
    let mut is_gone = |index: &u32| {
        while new.next_if(|n| n < index).is_some() {}
        new.peek() != Some(index)
    };
    let mut gone = Vec::new();
    gone.extend(old.iter().copied().filter(|index| is_gone(index)));
    gone
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_is_what_only_the_old_list_has() {
        assert_eq!(missing(&[1, 3, 5, 9], &[0, 3, 4, 9, 12]), [1, 5]);
        assert_eq!(missing(&[1, 2], &[]), [1, 2]);
        assert!(missing(&[], &[1]).is_empty());
    }
}
