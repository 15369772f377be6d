//! Names for requests and notices that no other run of the service gives: a random part of this
//! process, and a number.

use std::sync::atomic::{AtomicU64, Ordering};

const HEX: &[u8; 16] = b"0123456789abcdef";
/// Digits of the random part.
const PREFIX: usize = 8;
/// Digits of the number.
const NUMBER: usize = 10;
/// Bytes of a name.
const LENGTH: usize = PREFIX + 1 + NUMBER;

/// Gives names, each once.
#[derive(Debug)]
pub(crate) struct Idents {
    prefix: [u8; PREFIX],
    next: AtomicU64,
}

/// A name such as `1f00d3a9-0000000001`: letters, digits and one dash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ident([u8; LENGTH]);

impl Idents {
    /// Names that begin with the lower 32 bits of `random`.
    pub(crate) fn new(random: u64) -> Idents {
        let mut prefix = [0; PREFIX];
        digits(random, &mut prefix);
        Idents {
            prefix,
            next: AtomicU64::new(1),
        }
    }

    /// The next name.
    pub(crate) fn next(&self) -> Ident {
        let mut name = [b'-'; LENGTH];
        name[..PREFIX].copy_from_slice(&self.prefix);
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        digits(number, &mut name[PREFIX + 1..]);
        Ident(name)
    }
}

impl Ident {
    /// As a text.
    pub(crate) fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("made of digits")
    }
}

/// The lower digits of `number`, all that there is room for.
fn digits(number: u64, into: &mut [u8]) {
    let mut left = number;
    for digit in into.iter_mut().rev() {
        *digit = HEX[(left & 15) as usize];
        left >>= 4;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn names_differ_and_begin_with_the_part_of_the_process() {
        let idents = Idents::new(0xffff_ffff_1f00_d3a9);
        assert_eq!(idents.next().as_str(), "1f00d3a9-0000000001");
        let names: BTreeSet<String> = (0..1_000).map(|_| idents.next().as_str().into()).collect();
        assert_eq!(names.len(), 1_000);
        assert!(names.last().unwrap().as_str() > "1f00d3a9-00000003e8");
    }
}
