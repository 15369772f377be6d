//! Points in time as the API writes them.

use serde::{Serialize, Serializer};
use std::fmt;
use std::time::SystemTime;

/// A time in UTC with milliseconds (RFC 3339). What never was is the first second of year 1, as
/// the old service wrote it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rfc3339(pub(super) Option<SystemTime>);

impl fmt::Display for Rfc3339 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.map(jiff::Timestamp::try_from) {
            Some(Ok(timestamp)) => write!(f, "{timestamp:.3}"),
            Some(Err(_)) | None => f.write_str("0001-01-01T00:00:00Z"),
        }
    }
}

impl Serialize for Rfc3339 {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn times_are_utc_with_milliseconds() {
        let time = SystemTime::UNIX_EPOCH + Duration::from_nanos(1_700_000_000_123_999_999);
        assert_eq!(Rfc3339(Some(time)).to_string(), "2023-11-14T22:13:20.123Z");
        let even = SystemTime::UNIX_EPOCH;
        assert_eq!(Rfc3339(Some(even)).to_string(), "1970-01-01T00:00:00.000Z");
    }

    #[test]
    fn never_is_the_first_second_of_year_1() {
        let far = SystemTime::UNIX_EPOCH + Duration::from_secs(1 << 60);
        for time in [None, Some(far)] {
            assert_eq!(Rfc3339(time).to_string(), "0001-01-01T00:00:00Z");
        }
    }
}
