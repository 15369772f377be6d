//! The worst of the last minute or so: reports come every few milliseconds, and whoever reads the
//! metrics comes seldom. Pure.

/// What is older than twice this is forgotten, in milliseconds.
const HALF_MS: u64 = 30_000;

/// A maximum that wears off.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Lately {
    now: u32,
    before: u32,
    since_ms: u64,
}

impl Lately {
    /// Takes `value` in, and gives the worst of the last half to whole minute.
    pub(super) fn worst(&mut self, value: u32, now_ms: u64) -> u32 {
        let passed = now_ms.saturating_sub(self.since_ms);
        if passed >= HALF_MS {
            self.before = if passed < 2 * HALF_MS { self.now } else { 0 };
            (self.now, self.since_ms) = (0, now_ms);
        }
        self.now = self.now.max(value);
        self.now.max(self.before)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_is_kept_for_half_a_minute_and_gone_after_a_whole_one() {
        let mut lately = Lately::default();
        let worst = |lately: &mut Lately, value, at_ms| lately.worst(value, at_ms);
        assert_eq!(worst(&mut lately, 500, 100), 500);
        assert_eq!(worst(&mut lately, 0, 110), 500);
        assert_eq!(worst(&mut lately, 7, 30_000), 500);
        assert_eq!(worst(&mut lately, 0, 59_999), 500);
        assert_eq!(worst(&mut lately, 0, 60_000), 7);
        assert_eq!(worst(&mut lately, 1, 200_000), 1);
    }
}
