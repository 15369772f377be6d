//! The tuning bench: which knobs there are, which settings are tried, what the figures advise.
//! The scenario itself is `commands/tune.rs`; all here is pure.

pub mod knob;
pub mod settings;

pub mod grid;

pub mod advice;
