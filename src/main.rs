//! The proxy-checker binary.
fn main() {}
