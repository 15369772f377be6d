//! What was built: the number of the version, and the commit.

/// The version of the crate.
pub const NUMBER: &str = env!("CARGO_PKG_VERSION");
/// The commit, shortened, or `unknown`: `build.rs` finds it.
pub const COMMIT: &str = env!("PROXY_CHECKER_BUILT_FROM");
/// Both, for people.
pub const LINE: &str = concat!(
    env!("CARGO_PKG_VERSION"),
    " (",
    env!("PROXY_CHECKER_BUILT_FROM"),
    ")"
);
