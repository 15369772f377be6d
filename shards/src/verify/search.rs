//! Looks for bytes in a stream that is not kept: the algorithm of Knuth, Morris and Pratt, whose
//! whole state is one number.

/// The bytes looked for, compiled; at least one.
pub(crate) struct Search {
    pattern: Box<[u8]>,
    /// For each count of matched bytes, less one: how many are matched still if the next is wrong.
    fallback: Box<[u32]>,
}

impl Search {
    /// A search for `pattern`, which is shorter than 4 GiB.
    pub(crate) fn new(pattern: &[u8]) -> Search {
        let mut search = Search {
            pattern: pattern.into(),
            fallback: vec![0; pattern.len()].into(),
        };
        let mut matched = 0;
        for (index, &byte) in pattern.iter().enumerate().skip(1) {
            matched = search.step(matched, byte);
            search.fallback[index] = matched;
        }
        search
    }

    /// The state after `bytes`, from `matched` before them. It begins as 0.
    pub(crate) fn advance(&self, matched: u32, bytes: &[u8]) -> u32 {
        let mut matched = matched;
        for &byte in bytes {
            if self.is_found(matched) {
                break;
            }
            matched = self.step(matched, byte);
        }
        matched
    }

    /// Whether the whole pattern was in the stream.
    pub(crate) fn is_found(&self, matched: u32) -> bool {
        matched as usize >= self.pattern.len()
    }

    fn step(&self, mut matched: u32, byte: u8) -> u32 {
        while matched > 0 && self.pattern[matched as usize] != byte {
            matched = self.fallback[matched as usize - 1];
        }
        matched + u32::from(self.pattern[matched as usize] == byte)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verify::tests::splits;

    fn check(pattern: &str, text: &str) {
        let search = Search::new(pattern.as_bytes());
        for pieces in splits(text.as_bytes()) {
            let matched = pieces
                .iter()
                .fold(0, |matched, piece| search.advance(matched, piece));
            let found = search.is_found(matched);
            assert_eq!(found, text.contains(pattern), "{pattern} in {pieces:?}");
        }
    }

    #[test]
    fn a_pattern_is_found_over_every_seam() {
        check("origin", "this is the origin, no doubt");
        check("origin", "the orig");
        check("aab", "aaaaaab");
        check("abab", "abaabab");
        check("x", "");
    }

    #[test]
    fn a_search_agrees_with_the_standard_library() {
        let seed = fastrand::u64(..);
        let mut random = fastrand::Rng::with_seed(seed);
        for _ in 0..3_000 {
            let mut word = |max| {
                (0..random.usize(1..=max))
                    .map(|_| random.char('a'..='b'))
                    .collect::<String>()
            };
            let (pattern, text) = (word(5), word(24));
            let found = Search::new(pattern.as_bytes());
            let matched = found.advance(0, text.as_bytes());
            assert_eq!(
                found.is_found(matched),
                text.contains(&pattern),
                "seed {seed}: {pattern} in {text}"
            );
        }
    }
}
