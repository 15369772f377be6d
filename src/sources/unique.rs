//! A set of candidates without copies of the keys.
