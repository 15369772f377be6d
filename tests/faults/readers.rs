//! Readers of a snapshot that is swapped without pause.
