//! Keeps the ledger and the schedule, feeds the shards, publishes snapshots.
