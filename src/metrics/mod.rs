//! Every metric family in one table, and its rendering as Prometheus text.
