//! CLOCK_REALTIME jumps: no timeouts, no frozen schedule, sane ages.
