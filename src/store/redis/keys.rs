//! The names of what we keep in a Redis.

use crate::config::RedisPlace;

/// The field of the record that holds the chunks together; those of the chunks are their numbers.
pub(super) const META: &str = "meta";

/// The keys under a prefix.
#[derive(Clone, Debug)]
pub(super) struct Keys {
    /// A hash: the image.
    pub(super) ledger: String,
    /// Whose it is.
    pub(super) lock: String,
    /// What the old service left.
    pub(super) snapshot: String,
}

impl Keys {
    pub(super) fn new(prefix: &str) -> Keys {
        Keys {
            ledger: format!("{prefix}:ledger"),
            lock: format!("{prefix}:ledger:lock"),
            snapshot: format!("{prefix}:snapshot"),
        }
    }

    /// Where an image is written before it takes the place of another.
    pub(super) fn beside(&self, token: &str) -> String {
        format!("{}:new:{token}", self.ledger)
    }

    /// For messages: the server without its password, and the key.
    pub(super) fn shown(&self, place: &RedisPlace) -> String {
        format!(
            "{} {}",
            place.url.as_str().trim_end_matches('/'),
            self.ledger
        )
    }
}
