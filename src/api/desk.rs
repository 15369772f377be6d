//! What the routes work with, and what one of them is called with.

use super::client::Client;
use super::limits::Limits;
use super::questions::Questions;
use super::rates::Rates;
use super::{ApiState, Settings};
use axum::http::request::Parts;
use std::time::{Instant, SystemTime};

/// Shared by all requests.
#[derive(Debug)]
pub(super) struct Desk {
    pub(super) state: ApiState,
    pub(super) questions: Questions,
    pub(super) rates: Rates,
}

impl Desk {
    pub(super) fn new(state: ApiState, limits: &Limits) -> Desk {
        Desk {
            questions: Questions::new(state.questions.clone(), limits),
            rates: Rates::new(Instant::now()),
            state,
        }
    }
}

/// One request.
#[derive(Debug)]
pub(super) struct Call<'r> {
    pub(super) head: &'r Parts,
    /// Empty unless the route reads one.
    pub(super) body: &'r [u8],
    pub(super) client: Client,
    pub(super) settings: &'r Settings,
    pub(super) now: SystemTime,
}
