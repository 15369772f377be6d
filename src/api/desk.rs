//! What the routes work with, and what one of them is called with.

use super::answer::Scale;
use super::client::Client;
use super::etag::Tags;
use super::limits::Limits;
use super::press::Press;
use super::questions::Questions;
use super::shelf::Shelf;
use super::tally::Tally;
use super::{ApiState, Settings};
use axum::http::request::Parts;
use std::time::SystemTime;

/// Shared by all requests.
#[derive(Debug)]
pub(super) struct Desk {
    pub(super) state: ApiState,
    pub(super) questions: Questions,
    pub(super) scale: Scale,
    pub(super) press: Press,
    pub(super) shelf: Shelf,
    pub(super) tags: Tags,
    pub(super) tally: Tally,
}

impl Desk {
    pub(super) fn new(state: ApiState, limits: &Limits) -> Desk {
        let (scale, press) = (Scale::new(limits.answer_bytes_max), Press::new());
        Desk {
            shelf: Shelf::new(press.clone(), scale.clone()),
            scale,
            press,
            tags: Tags::default(),
            tally: Tally::new(&state.metrics),
            questions: Questions::new(state.questions.clone(), limits),
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
