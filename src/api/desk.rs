//! What the routes work with, and what one of them is called with.

use super::answer::Scale;
use super::client::Client;
use super::etag::Tags;
use super::holder::Holder;
use super::leases::Leases;
use super::limits::Limits;
use super::press::Press;
use super::questions::Questions;
use super::rates::Rates;
use super::routes::openapi::Description;
use super::shelf::Shelf;
use super::tally::Tally;
use super::turns::Turns;
use super::{ApiState, Settings};
use axum::http::request::Parts;
use std::time::{Instant, SystemTime};

/// Shared by all requests.
#[derive(Debug)]
pub(super) struct Desk {
    pub(super) state: ApiState,
    pub(super) questions: Questions,
    pub(super) rates: Rates,
    pub(super) leases: Leases,
    pub(super) scale: Scale,
    pub(super) press: Press,
    pub(super) shelf: Shelf,
    pub(super) tags: Tags,
    pub(super) turns: Turns,
    pub(super) description: Description,
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
            turns: Turns::new(limits.turn_timeout),
            description: Description::default(),
            tally: Tally::new(&state.metrics),
            questions: Questions::new(state.questions.clone(), limits),
            rates: Rates::new(Instant::now()),
            leases: Leases::default(),
            state,
        }
    }

    /// What tells the reports of one client from those of others, and says nothing else about it.
    pub(super) fn voice_of(&self, holder: Holder) -> u64 {
        self.state.voices.of(holder)
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
