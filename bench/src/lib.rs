//! The farm: mock proxies whose behaviour, and the verdict it must get, is chosen by address; the
//! comparison of a checker's results with that truth; and the harness that measures. None of these
//! shares code with the engine that it measures, but for the page of the judge (`farm/judge.rs`); the
//! engine alone, to be measured and tuned, is in `engine` and `tune`.

pub mod farm;

pub mod truth;

pub mod compare;

pub mod limits;

pub mod harness;

pub mod engine;
pub mod handshakes;
pub mod reference;

pub mod load;
pub mod tune;
