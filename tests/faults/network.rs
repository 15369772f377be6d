//! No route, no names, and targets that are down, slow or lie.
