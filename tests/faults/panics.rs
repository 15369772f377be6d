//! A probe that panics: its shard goes on, its job is finished once.
