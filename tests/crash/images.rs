//! Images that carry one number in every entry, so that a mixture of two is known for one.

use proxy_checker::ledger::Entry;
use proxy_checker::store::{Asked, Image};

/// Entries of most images: one batch of sled's.
const SMALL: u32 = 2_000;
/// Entries of every fifth: more than one batch.
const LARGE: u32 = 45_000;

/// Whether image `number` is a large one.
pub(crate) fn is_large(number: u32) -> bool {
    number.is_multiple_of(5)
}

fn size(number: u32) -> u32 {
    match is_large(number) {
        true => LARGE,
        false => SMALL,
    }
}

/// Image `number`, at least 1.
pub(crate) fn image(number: u32) -> Image {
    let entry = |n: u32| {
        let [_, b, c, d] = n.to_be_bytes();
        let mut entry = Entry::new(format!("http://9.{b}.{c}.{d}:80").parse().unwrap());
        entry.failures = number;
        entry
    };
    Image {
        saved_at_ms: number.into(),
        asked: Asked {
            since_ms: number.into(),
            ..Asked::default()
        },
        targets: vec![format!("t{number}").into()],
        entries: (0..size(number)).map(entry).collect(),
    }
}

/// The number of an image; 0 of an empty one.
///
/// # Panics
/// It is a mixture.
pub(crate) fn number(image: &Image) -> u32 {
    if *image == Image::default() {
        return 0;
    }
    let number = u32::try_from(image.saved_at_ms).unwrap();
    assert_eq!(image.targets, [format!("t{number}").into_boxed_str()]);
    assert_eq!(image.entries.len(), size(number) as usize);
    let mixed = image.entries.iter().find(|e| e.failures != number);
    assert!(mixed.is_none(), "image {number} has {mixed:?}");
    number
}

#[test]
fn a_mixture_is_known() {
    let good = image(7);
    assert_eq!((number(&good), number(&Image::default())), (7, 0));
    let mut entries: Vec<Entry> = good.entries.iter().collect();
    entries[1_500].failures = 6;
    let mixed = Image {
        entries: entries.into(),
        ..good
    };
    assert!(std::panic::catch_unwind(|| number(&mixed)).is_err());
}
