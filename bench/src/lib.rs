//! The farm: mock proxies whose behaviour, and the verdict it must get, is chosen by address; the
//! comparison of a checker's results with that truth; and the harness that measures. Shares no code with the engine it measures, but
//! for the page of the judge (`farm/judge.rs`).

pub mod farm;

pub mod truth;

pub mod compare;

pub mod limits;

pub mod harness;

pub mod load;
