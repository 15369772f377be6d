//! Lists that are too large, too long, endless, compressed to death or led elsewhere.
