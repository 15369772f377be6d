//! How often property tests try: seconds of a debug build in `make test`, minutes in `make test-models`.
//!
//! What fails is made smaller, printed, and its seed kept in `proptest-regressions/`, to be tried first
//! from then on: it belongs into the repository.

use proptest::test_runner::Config;

/// Cases of the long form for each of the short one.
const LONG: u32 = 20;

/// So many cases, or [`LONG`] times as many.
pub(crate) fn cases(short: u32) -> Config {
    let form = std::env::var_os("PROXY_CHECKER_FAULTS");
    let is_long = form.is_some_and(|form| form == "long");
    Config {
        cases: if is_long { short * LONG } else { short },
        ..Config::default()
    }
}
