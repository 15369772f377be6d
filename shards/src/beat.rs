//! Signs of life: asked of a thread by its mail, answered when it reads that mail.

#[cfg(loom)]
use loom::sync::atomic::AtomicU64;
use std::sync::Arc;
#[cfg(not(loom))]
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;

/// Where the answers of one thread are seen.
#[derive(Clone, Debug, Default)]
pub struct Sign(Arc<AtomicU64>);

impl Sign {
    /// The question of this number.
    pub fn beat(&self, number: u64) -> Beat {
        Beat {
            sign: self.clone(),
            number,
        }
    }

    /// The highest number that was answered; 0 before the first.
    pub fn last(&self) -> u64 {
        self.0.load(Ordering::Acquire)
    }
}

/// A question whether a thread still does what it is told.
#[derive(Debug)]
pub struct Beat {
    sign: Sign,
    number: u64,
}

impl Beat {
    /// It does.
    pub fn answer(self) {
        self.sign.0.fetch_max(self.number, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_highest_answer_counts_whatever_their_order() {
        let sign = Sign::default();
        let (first, second) = (sign.beat(1), sign.beat(2));
        assert_eq!(sign.last(), 0);
        second.answer();
        first.answer();
        assert_eq!(sign.last(), 2);
    }
}
