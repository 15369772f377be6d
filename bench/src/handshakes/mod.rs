//! What TLS costs: the plain checker that the engine is held against, and handshakes in memory, where
//! there is nothing but the cryptography.
//!
//! `plain.rs` is rustls over blocking sockets, as one would write it first. In memory (`alone.rs`) the
//! client is either rustls or the engine's conversation (`client.rs`), the server is rustls
//! (`server.rs`), and only the client's CPU time counts. `sessions.rs` holds many such clients at one
//! stage, so that their memory can be seen.

pub mod alone;
pub mod client;
pub mod plain;
pub mod server;
pub mod sessions;

/// Why something in memory did not go as it must.
pub type Error = Box<dyn std::error::Error>;
