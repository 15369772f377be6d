//! What the clients, dashboards and configuration files of the old service rely on, line by line,
//! against the real binary.
//!
//! The faults of the old service that must not come back, and the tests that hold them:
//!
//! | fault | held by |
//! |---|---|
//! | 1. a verdict was given to the wrong proxy | `tests/truth.rs`, where each of thousands at once has a truth of its own; `end_to_end.rs`: `every_alive_proxy_is_served_and_none_of_the_others` |
//! | 2. any status was alive, the body unread, TLS unverified | `tests/truth.rs`: own pages, redirections, tampering and interception in every protocol; here `faults.rs`: `a_login_page_is_not_an_alive_proxy` |
//! | 3. a failed target emptied the pool | here `faults.rs`: `a_target_that_fails_does_not_empty_the_pool`; `coordinator/tests/outage.rs` |
//! | 4. reloads piled up and did not read the configuration | `io/reloads.rs`: `one_runs_one_waits_and_more_are_merged_into_it`; `end_to_end.rs`: `a_reload_takes_a_changed_list_and_a_changed_configuration`; here `faults.rs`: `reloads_are_merged` |
//! | 5. the alive gauge was never set | here `metrics.rs`: `the_gauges_are_the_figures_of_stat` |
//! | 6. health checks with HEAD got 404 | here `http.rs`: `health_is_ok_to_get_and_head_without_a_key` |
//! | 7. lists: one proxy a line, 64 KiB a line, scheme and credentials dropped, nonsense taken, private addresses dialled | here `faults.rs`: `a_list_is_read_whole_and_nonsense_is_not`, `private_addresses_are_not_dialled`; `sources/parse` |
//! | 8. proxies were served only after a whole sweep | `end_to_end.rs`: `the_first_alive_proxy_is_served_while_the_sweep_goes_on` |
//! | 9. latency was measured over pooled connections | here `faults.rs`: `every_check_has_a_connection_of_its_own` |
//! | 10. retries slept while holding a slot, for refusals too | `shards/src/jobs/tests.rs`: `a_refusal_is_never_retried`, `a_paused_job_is_not_ready_before_its_time`, `a_job_with_more_to_ask_waits_behind_all_others_and_holds_no_lane` |

#[path = "../support/mod.rs"]
mod support;

#[path = "../support/redis.rs"]
mod redis_server;

mod stage;

mod configuration;
mod documentation;
mod faults;
mod http;
mod listing;
mod metrics;
mod stat;
mod stored;
