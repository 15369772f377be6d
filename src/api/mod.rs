//! The HTTP API: serves the snapshot, and nothing else decides anything here.
