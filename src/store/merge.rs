//! Two images into one: unknown candidates are added, of known ones the newer check wins.

use super::{Asked, Entries, Image};
use crate::ledger::{Entry, moved, renumbered};
use proxy_shards::works::TARGETS_MAX;
use proxy_shards::{Candidate, Protocol};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::collections::hash_map::Entry as Slot;

/// What became of the entries that were to be taken in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Merged {
    /// Candidates that were unknown.
    pub added: u64,
    /// Known ones whose last check was older.
    pub updated: u64,
    /// Known ones whose last check was as new or newer.
    pub kept: u64,
    /// Those that the configuration does not allow to be dialled; only a running service looks.
    pub refused: u64,
}

/// Where the newest check of a candidate is from.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Ours,
    Theirs,
}

/// Merges `theirs` into `ours`. Targets of theirs that ours does not know are known afterwards, as
/// far as there is room for their names.
pub fn merge(ours: &Image, theirs: &Image) -> (Image, Merged) {
    let mut merged = Merged::default();
    let mut newest: HashMap<Candidate, (u64, Side)> = HashMap::new();
    for entry in ours.entries.iter() {
        newest.insert(entry.candidate, (entry.checked_at_ms, Side::Ours));
    }
    for entry in theirs.entries.iter() {
        let at_ms = entry.checked_at_ms;
        match newest.entry(entry.candidate) {
            Slot::Vacant(slot) => {
                slot.insert((at_ms, Side::Theirs));
                merged.added += 1;
            }
            Slot::Occupied(mut slot) if slot.get().0 < at_ms => {
                merged.updated += u64::from(slot.get().1 == Side::Ours);
                slot.insert((at_ms, Side::Theirs));
            }
            Slot::Occupied(_) => merged.kept += 1,
        }
    }
    // What was checked in our sweep counts as swept at the next start, if it was asked the same.
    let is_foreign = |&(at_ms, side): &(u64, Side)| {
        let is_swept = at_ms >= ours.asked.since_ms;
        side == Side::Theirs && is_swept && theirs.asked.policy != ours.asked.policy
    };
    let asked = match (ours.entries.is_empty(), newest.values().any(is_foreign)) {
        (true, _) => theirs.asked,
        // Everything is asked once more.
        (false, true) => Asked::default(),
        (false, false) => ours.asked,
    };
    let names = names(ours, theirs);
    let mut take = |image: &Image, side| -> Vec<Entry> {
        let places = match image.targets == names {
            // Bits without a name are kept too.
            true => (0..TARGETS_MAX).map(Some).collect(),
            false => places(&image.targets, &names),
        };
        let mut taken = Vec::new();
        for mut entry in image.entries.iter() {
            let newest_is_here = newest.get(&entry.candidate) == Some(&(entry.checked_at_ms, side));
            // Taken out, so that what a file says twice is there once.
            if newest_is_here && newest.remove(&entry.candidate).is_some() {
                renumber(&mut entry, &places);
                taken.push(entry);
            }
        }
        taken
    };
    let entries: Entries = take(ours, Side::Ours)
        .into_iter()
        .chain(take(theirs, Side::Theirs))
        .collect();
    let image = Image {
        saved_at_ms: ours.saved_at_ms.max(theirs.saved_at_ms),
        asked,
        targets: names,
        entries,
    };
    (image, merged)
}

/// The targets of both: ours in their places, and theirs behind them.
fn names(ours: &Image, theirs: &Image) -> Vec<Box<str>> {
    if ours.entries.is_empty() {
        return theirs.targets.clone();
    }
    let mut names = ours.targets.clone();
    for name in &theirs.targets {
        if names.len() < TARGETS_MAX && !names.contains(name) {
            names.push(name.clone());
        }
    }
    names
}

/// For each of `new`, the place that it had among `old`. If the old names are not known and there is
/// one target, it is that one; of several, nothing is known.
pub(crate) fn places(old: &[Box<str>], new: &[Box<str>]) -> Vec<Option<usize>> {
    match (old, new) {
        ([], [_]) => vec![Some(0)],
        (old, new) => moved(old, new),
    }
}

/// The bits of an entry by the new places of its targets.
pub(crate) fn renumber(entry: &mut Entry, places: &[Option<usize>]) {
    for protocol in Protocol::ALL {
        let reached = renumbered(entry.works.by(protocol), places);
        entry.works.set(protocol, reached);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::contract::random_image;
    use proxy_shards::Targets;

    fn image(targets: &[&str], entries: &[(&str, u64, u8)]) -> Image {
        let entry = |&(url, at_ms, bits): &(&str, u64, u8)| {
            let mut entry = Entry::new(url.parse().unwrap());
            entry.checked_at_ms = at_ms;
            entry.works.set(Protocol::Http, Targets::from_bits(bits));
            entry
        };
        Image {
            saved_at_ms: 1,
            asked: Asked::default(),
            targets: targets.iter().map(|&name| name.into()).collect(),
            entries: entries.iter().map(entry).collect(),
        }
    }

    fn known(image: &Image) -> Vec<(String, u64, u8)> {
        let known = image.entries.iter().map(|entry| {
            let bits = entry.works.by(Protocol::Http).bits();
            (entry.candidate.url().to_string(), entry.checked_at_ms, bits)
        });
        known.collect()
    }

    #[test]
    fn unknown_ones_are_added_and_the_newer_check_wins() {
        let (a, b, c, d) = (
            "http://1.1.1.1:1",
            "http://2.2.2.2:2",
            "http://3.3.3.3:3",
            "http://4.4.4.4:4",
        );
        let ours = image(&["shop"], &[(a, 5, 1), (b, 5, 1), (c, 5, 1)]);
        let theirs = image(
            &["news", "shop"],
            &[(a, 6, 1), (b, 4, 1), (c, 5, 1), (d, 0, 3)],
        );
        let (image, merged) = merge(&ours, &theirs);
        let expected = [(b, 5, 0b01), (c, 5, 0b01), (a, 6, 0b10), (d, 0, 0b11)];
        let expected = expected.map(|(url, at, bits)| (url.to_owned(), at, bits));
        assert_eq!(known(&image), expected);
        assert_eq!(image.targets, ["shop", "news"].map(Box::from));
        let counts = (merged.added, merged.updated, merged.kept);
        assert_eq!(counts, (1, 1, 2));
    }

    #[test]
    fn what_a_file_says_twice_is_there_once_as_it_was_last() {
        let a = "http://1.1.1.1:1";
        let theirs = image(&[], &[(a, 5, 0), (a, 7, 0), (a, 7, 0), (a, 6, 0)]);
        let (image, merged) = merge(&Image::default(), &theirs);
        assert_eq!(known(&image), [(a.to_owned(), 7, 0)]);
        assert_eq!((merged.added, merged.updated, merged.kept), (1, 0, 2));
    }

    #[test]
    fn into_nothing_everything_comes_as_it_is() {
        let theirs = random_image(&mut fastrand::Rng::with_seed(1), 2_000);
        let (image, merged) = merge(&Image::default(), &theirs);
        assert!(image == theirs);
        assert_eq!(merged.added, 2_000);
    }

    #[test]
    fn one_target_without_a_name_is_the_one_that_has_one() {
        let a = "http://1.1.1.1:1";
        let ours = image(&[], &[(a, 5, 1)]);
        let (image, _) = merge(&ours, &image(&["shop"], &[("http://2.2.2.2:2", 5, 1)]));
        assert_eq!(known(&image)[0], (a.to_owned(), 5, 1));
        assert_eq!(image.targets, ["shop"].map(Box::from));
    }

    #[test]
    fn checks_that_answer_another_question_make_everything_due_unless_they_are_older() {
        let asked = |policy| Asked {
            policy,
            since_ms: 100,
            over_ms: 200,
        };
        let of = |asked, entries: &[(&str, u64, u8)]| Image {
            asked,
            ..image(&["shop"], entries)
        };
        let ours = of(asked(7), &[("http://1.1.1.1:1", 150, 1)]);
        let merged = |policy, at_ms| {
            let theirs = of(asked(policy), &[("http://2.2.2.2:2", at_ms, 1)]);
            merge(&ours, &theirs).0.asked
        };
        assert_eq!(merged(7, 150), asked(7));
        assert_eq!(merged(8, 99), asked(7), "it is due at the start as it is");
        assert_eq!(merged(8, 100), Asked::default());
        assert_eq!(merged(0, 150), Asked::default());
        let kept = of(asked(8), &[("http://1.1.1.1:1", 140, 1)]);
        assert_eq!(merge(&ours, &kept).0.asked, asked(7), "nothing came in");
    }
}
