//! Fetches a source, with size and time caps.
