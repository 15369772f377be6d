//! Reloads by POST, signal and edit, all at once.
