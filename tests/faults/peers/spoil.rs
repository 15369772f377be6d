//! What becomes of a real answer on its way: 1 to 8 bytes of it changed, cut out, doubled or put in
//! between, or its end cut off. Pure.

use std::ops::RangeInclusive;

/// How many bytes are spoiled.
const LENGTHS: RangeInclusive<usize> = 1..=8;

/// What is done to the bytes at a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Deed {
    /// Each of them is another one.
    Change,
    /// They are left out.
    CutOut,
    /// They come twice.
    Double,
    /// As many others come before them.
    Insert,
    /// They do not come, nor does anything behind them.
    CutOff,
}

/// One way to spoil a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Spoil {
    pub(crate) deed: Deed,
    /// The first byte that is concerned, from 0.
    pub(crate) at: usize,
    /// How many.
    pub(crate) length: usize,
    /// Of the bytes that are made up.
    pub(crate) seed: u64,
}

impl Spoil {
    /// Somewhere in the first `within` bytes.
    pub(crate) fn somewhere(random: &mut fastrand::Rng, within: usize) -> Spoil {
        use Deed::{Change, CutOff, CutOut, Double, Insert};
        Spoil {
            deed: random
                .choice([Change, CutOut, Double, Insert, CutOff])
                .unwrap(),
            at: random.usize(..within),
            length: random.usize(LENGTHS),
            seed: random.u64(..),
        }
    }
}

/// A stream that is being spoiled; it comes in pieces of any size.
#[derive(Debug)]
pub(crate) struct Spoiler {
    spoil: Spoil,
    random: fastrand::Rng,
    /// Bytes that came so far.
    position: usize,
    /// Those that are to come once more.
    twice: Vec<u8>,
}

impl Spoiler {
    pub(crate) fn new(spoil: Spoil) -> Spoiler {
        Spoiler {
            spoil,
            random: fastrand::Rng::with_seed(spoil.seed),
            position: 0,
            twice: Vec::new(),
        }
    }

    /// What goes on of these.
    pub(crate) fn pass(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut passed = Vec::with_capacity(bytes.len() + self.spoil.length);
        for &byte in bytes {
            self.pass_one(byte, &mut passed);
            self.position += 1;
        }
        passed
    }

    /// Whether nothing goes on any more.
    pub(crate) fn has_cut_off(&self) -> bool {
        self.spoil.deed == Deed::CutOff && self.position > self.spoil.at
    }

    fn pass_one(&mut self, byte: u8, passed: &mut Vec<u8>) {
        let Spoil { at, length, .. } = self.spoil;
        let within = (at..at + length).contains(&self.position);
        match self.spoil.deed {
            Deed::CutOff if self.position >= at => return,
            Deed::CutOut if within => return,
            Deed::Change if within => {
                passed.push(byte ^ self.random.u8(1..));
                return;
            }
            Deed::Insert if self.position == at => {
                passed.extend(std::iter::repeat_with(|| self.random.u8(..)).take(length));
            }
            Deed::Double if within => self.twice.push(byte),
            _ => {}
        }
        passed.push(byte);
        if self.position + 1 == at + length {
            passed.append(&mut self.twice);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STREAM: &[u8] = b"0123456789";

    /// The stream, spoiled, in pieces of each size: always the same.
    fn spoiled(deed: Deed, at: usize, length: usize) -> String {
        let seed = 7;
        let spoil = Spoil {
            deed,
            at,
            length,
            seed,
        };
        let mut passed = (1..=STREAM.len()).map(|size| {
            let mut spoiler = Spoiler::new(spoil);
            let pieces = STREAM.chunks(size).map(|piece| spoiler.pass(piece));
            pieces.collect::<Vec<_>>().concat()
        });
        let first = passed.next().unwrap();
        assert!(passed.all(|other| other == first), "{spoil:?}");
        String::from_utf8_lossy(&first).into_owned()
    }

    #[test]
    fn each_deed_does_what_it_says_wherever_the_stream_is_cut() {
        assert_eq!(spoiled(Deed::CutOut, 2, 3), "0156789");
        assert_eq!(spoiled(Deed::Double, 2, 3), "0123423456789");
        assert_eq!(spoiled(Deed::CutOff, 2, 3), "01");
        assert_eq!(spoiled(Deed::CutOut, 8, 8), "01234567");
        assert_eq!(spoiled(Deed::Change, 20, 8), "0123456789");
        let inserted = Spoiler::new(Spoil {
            deed: Deed::Insert,
            at: 2,
            length: 3,
            seed: 7,
        })
        .pass(STREAM);
        assert_eq!(
            (&inserted[..2], &inserted[5..]),
            (&STREAM[..2], &STREAM[2..])
        );
    }

    #[test]
    fn every_byte_that_is_changed_is_another_one() {
        for seed in 0..100 {
            let spoil = Spoil {
                deed: Deed::Change,
                at: 0,
                length: 8,
                seed,
            };
            let passed = Spoiler::new(spoil).pass(STREAM);
            let same = |(a, b): (&u8, &u8)| a == b;
            assert_eq!(
                passed.iter().zip(STREAM).filter(|&pair| same(pair)).count(),
                2
            );
        }
    }
}
