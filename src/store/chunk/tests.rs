//! Chunks and their meta record, and damage to them.

use super::*;
use crate::store::contract::random_entries;
use crate::store::entries::Entries;
use proxy_shards::{Protocol, Targets, Verdict};

fn packed(entries: &[Entry]) -> Vec<Vec<u8>> {
    let entries: Entries = entries.iter().cloned().collect();
    entries.chunks().map(<[u8]>::to_vec).collect()
}

fn image(targets: &[&str]) -> Image {
    Image {
        saved_at_ms: 1,
        asked: Asked {
            policy: 2,
            since_ms: 3,
            over_ms: 4,
        },
        targets: targets.iter().map(|&name| name.into()).collect(),
        ..Image::default()
    }
}

fn unpacked(chunks: &[Vec<u8>]) -> Vec<Entry> {
    let mut entries = Vec::new();
    for chunk in chunks {
        unpack(chunk, |entry| entries.push(entry)).unwrap();
    }
    entries
}

#[test]
fn packed_entries_come_back() {
    let entries = random_entries(&mut fastrand::Rng::with_seed(1), 3_000);
    assert_eq!(unpacked(&packed(&entries)), entries);
}

#[test]
fn a_check_of_one_candidate_changes_one_chunk() {
    let mut entries = random_entries(&mut fastrand::Rng::with_seed(2), 3_000);
    let before = packed(&entries);
    let entry = &mut entries[1_500];
    (entry.verdict, entry.checked_at_ms, entry.failures) = (None, 1, 9);
    let after = packed(&entries);
    let pairs = before.iter().zip(&after);
    let changed = pairs.filter(|(b, a)| Mark::of(b) != Mark::of(a)).count();
    assert_eq!((changed, before.len()), (1, after.len()));
}

#[test]
fn no_flipped_bit_goes_unnoticed() {
    let entries = random_entries(&mut fastrand::Rng::with_seed(3), 20);
    let chunk = packed(&entries).remove(0);
    let meta = Meta::of(&image(&["shop"]), &[Mark::of(&chunk)]).encode();
    for bit in 0..chunk.len() * 8 {
        let mut bytes = chunk.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        assert!(unpack(&bytes, drop).is_err(), "{bit}");
    }
    for bit in 0..meta.len() * 8 {
        let mut bytes = meta.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        assert!(Meta::decode(&bytes).is_err(), "{bit}");
    }
}

#[test]
fn bytes_with_a_right_crc_and_a_wrong_content_are_refused() {
    let mut random = fastrand::Rng::with_seed(4);
    for _ in 0..2_000 {
        let noise: Vec<u8> = (0..random.usize(..200)).map(|_| random.u8(..)).collect();
        let bytes = sealed([&[random.u8(1..=META_FORMAT)][..], &noise].concat());
        let _ = unpack(&bytes, drop);
        let _ = Meta::decode(&bytes);
    }
    for format in [FORMAT_FIRST, FORMAT] {
        let many = sealed(vec![format, 0xff, 0xff]);
        assert!(unpack(&many, drop).is_err());
    }
}

#[test]
fn a_newer_format_is_named() {
    let error = unpack(&sealed(vec![9, 0, 0]), drop).unwrap_err();
    assert!(error.contains("format 9"), "{error}");
}

#[test]
fn chunks_of_the_first_format_are_read() {
    let chunk = sealed(
        [
            &[1, 1, 0][..],
            &[3, 4, 1, 2, 3, 4, 0x38, 0x04, 0],
            &[1, 5, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0],
            &[2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        ]
        .concat(),
    );
    let mut entry = Entry::new("socks5://1.2.3.4:1080".parse().unwrap());
    entry.verdict = Some(Verdict::Alive);
    entry.works.set(Protocol::Socks5, Targets::first(1));
    entry.timing.total_us = 5;
    (entry.checked_at_ms, entry.alive_at_ms) = (2, 2);
    assert_eq!(unpacked(&[chunk]), [entry]);
}

#[test]
fn marks_tell_chunks_apart_and_their_order_counts() {
    let entries = random_entries(&mut fastrand::Rng::with_seed(5), 1_000);
    let marks: Vec<Mark> = packed(&entries).iter().map(|c| Mark::of(c)).collect();
    let swapped: Vec<Mark> = marks.iter().rev().copied().collect();
    assert!(marks.len() > 2 && marks[0].crc != marks[1].crc);
    assert_ne!(
        Meta::of(&image(&[]), &marks),
        Meta::of(&image(&[]), &swapped)
    );
}

#[test]
fn a_meta_record_says_what_the_bits_stand_for_or_that_it_does_not_know() {
    let meta = Meta::of(&image(&["shop", "mail"]), &[]);
    assert_eq!(Meta::decode(&meta.encode()), Ok(meta));
    let unknown = Meta::of(&image(&[]), &[]);
    assert_eq!(Meta::decode(&unknown.encode()), Ok(unknown));
}

#[test]
fn a_meta_record_of_an_older_format_does_not_say_what_was_asked() {
    let names = [1, 4, b's', b'h', b'o', b'p'];
    for (format, names) in [(1, &[][..]), (2, &[][..]), (2, &names[..])] {
        let mut expected = Meta::of(&image(&["shop"][..usize::from(!names.is_empty())]), &[]);
        expected.asked = Asked::default();
        let old = [&[format][..], &1u64.to_le_bytes(), &[0; 16], names].concat();
        assert_eq!(Meta::decode(&sealed(old)), Ok(expected));
    }
}
