//! Corrupt, half-written and drastic configurations while the service runs.
