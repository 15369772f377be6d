//! The status page in a real browser, over the real service: `make test-page`.

mod browser;
mod driver;
mod figures;
mod looks;
mod proxies;
mod service;
#[path = "../support/mod.rs"]
mod support;
mod trust;
