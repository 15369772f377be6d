//! The figures of the last hour, a point every ten seconds: pure.
//!
//! What is published holds until something else is. So nobody has to wake up for a point: whoever
//! looks, the coordinator when it publishes or a reader, fills in the moments that have passed.

use super::Snapshot;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// Time between two points, in seconds.
pub const STEP_SECONDS: u64 = 10;
/// Points that are kept: an hour of them.
pub const POINTS_MAX: usize = 360;

/// The figures at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Point {
    /// Seconds since the Unix epoch, a multiple of [`STEP_SECONDS`].
    pub at_seconds: u64,
    /// Candidates whose last verdict was alive.
    pub alive: u64,
    /// Candidates whose last verdict was anything else that is theirs.
    pub dead: u64,
    /// Unique candidates known.
    pub total: u64,
    /// The snapshot that was published.
    pub generation: u64,
    /// Whether that was held as the last good one.
    pub stale: bool,
}

impl Point {
    /// When it was.
    pub fn at(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(self.at_seconds)
    }
}

fn unix_seconds(at: SystemTime) -> u64 {
    let since = at.duration_since(SystemTime::UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs())
}

impl Snapshot {
    /// The points of the hour before `now`, the oldest first, if this is still what is published
    /// then. A clock that was set back leaves no point in the future.
    pub fn history_until(&self, now: SystemTime) -> Arc<[Point]> {
        let now_step = unix_seconds(now) / STEP_SECONDS;
        let published_step = unix_seconds(self.published) / STEP_SECONDS;
        let oldest_step = (now_step + 1).saturating_sub(POINTS_MAX as u64);
        let first_step = (published_step + 1).max(oldest_step);
        let was_set_back = now_step < published_step;
        // Before the first publication nothing is known.
        let is_whole = self.generation == 0 || first_step > now_step;
        if is_whole && !was_set_back {
            return Arc::clone(&self.history);
        }
        let is_within =
            |point: &&Point| (oldest_step..=now_step).contains(&(point.at_seconds / STEP_SECONDS));
        let kept = self.history.iter().filter(is_within).copied();
        let passed = (first_step..=now_step).map(|step| self.point(step));
        kept.chain(passed).collect()
    }

    fn point(&self, step: u64) -> Point {
        Point {
            at_seconds: step * STEP_SECONDS,
            alive: self.stat.total_alive,
            dead: self.stat.total_dead,
            total: self.stat.total_scraped,
            generation: self.generation,
            stale: self.stale,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::snapshot::{Pool, Published, Stat};

    fn at(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000 + seconds)
    }

    fn publish(published: &Published, alive: u64, seconds: u64) {
        let stat = Stat {
            total_alive: alive,
            ..Stat::default()
        };
        let pool = Arc::new(Pool::default());
        published.publish(pool, Arc::new(stat), at(seconds), false);
    }

    /// Seconds since the start, and how many were alive.
    fn seen(published: &Published, seconds: u64) -> Vec<(u64, u64)> {
        let points = published.load().history_until(at(seconds));
        let told = |point: &Point| (point.at_seconds - 1_700_000_000, point.alive);
        points.iter().map(told).collect()
    }

    #[test]
    fn each_point_has_what_was_published_at_its_moment() {
        let published = Published::empty(at(0));
        assert!(seen(&published, 500).is_empty(), "nothing is known yet");
        publish(&published, 1, 501);
        publish(&published, 2, 502);
        assert!(seen(&published, 509).is_empty());
        assert_eq!(seen(&published, 510), [(510, 2)]);
        publish(&published, 3, 519);
        publish(&published, 4, 540);
        let expected = [(510, 2), (520, 3), (530, 3), (540, 3)];
        assert_eq!(seen(&published, 541), expected);
        assert_eq!(seen(&published, 550)[4..], [(550, 4)]);
        assert_eq!(published.load().history_until(at(550))[4].generation, 4);
    }

    #[test]
    fn an_hour_is_kept_however_long_nothing_was_published() {
        let published = Published::empty(at(0));
        publish(&published, 1, 0);
        publish(&published, 2, 3_590);
        assert_eq!(seen(&published, 3_590).len(), 359);
        let full = seen(&published, 3_610);
        assert_eq!((full.len(), full[0], full[359]), (360, (20, 1), (3_610, 2)));
        let later = seen(&published, 1_000_000_000);
        assert_eq!(later.len(), POINTS_MAX);
        assert!(later.iter().all(|(_, alive)| *alive == 2));
    }

    #[test]
    fn points_in_the_future_are_dropped_when_the_clock_is_set_back() {
        let published = Published::empty(at(0));
        publish(&published, 1, 100);
        publish(&published, 2, 155);
        publish(&published, 3, 121);
        assert_eq!(seen(&published, 121), [(110, 1), (120, 1)]);
        assert_eq!(seen(&published, 130), [(110, 1), (120, 1), (130, 3)]);
    }

    #[test]
    fn nothing_is_copied_before_a_step_has_passed() {
        let published = Published::empty(at(0));
        publish(&published, 1, 1);
        publish(&published, 2, 25);
        publish(&published, 3, 26);
        let snapshot = published.load();
        assert!(Arc::ptr_eq(
            &snapshot.history,
            &snapshot.history_until(at(29))
        ));
        assert_eq!(snapshot.history.len(), 2);
    }
}
