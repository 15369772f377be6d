//! Peers that drip, stay silent or never end: bounded time, bounded bytes.
