//! `/openapi.json`: the description of the API for programs, as this service is configured.

use crate::api::Settings;
use crate::api::answer::{Answer, JSON};
use crate::api::coding::Fixed;
use crate::api::desk::{Call, Desk};
use serde_json::{Map, Value};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

/// OpenAPI 3.1, with the metrics at `/metrics` and a key asked for.
static DESCRIPTION: LazyLock<Value> = LazyLock::new(|| {
    serde_json::from_str(include_str!("../openapi.json")).expect("a test reads the same text")
});

/// The text as it is sent, made once for each configuration.
#[derive(Debug, Default)]
pub(in crate::api) struct Description(Mutex<Option<(Arc<Settings>, Fixed)>>);

impl Description {
    fn of(&self, settings: &Settings) -> Fixed {
        let mut made = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match &*made {
            Some((of, text)) if **of == *settings => text.clone(),
            _ => {
                let text = serde_json::to_vec(&described(settings));
                let text = Fixed::new(text.expect("JSON has a JSON form"));
                *made = Some((Arc::new(settings.clone()), text.clone()));
                text
            }
        }
    }
}

/// The description, true of this service.
pub(super) fn answer(call: &Call<'_>, desk: &Desk) -> Answer {
    let text = desk.description.of(call.settings);
    text.answer(JSON, &call.head.headers)
}

/// What differs from one service to the next: its version, where the metrics are and whether they
/// want a key, and whether the rest does.
fn described(settings: &Settings) -> Value {
    let mut page = DESCRIPTION.clone();
    page["info"]["version"] = env!("CARGO_PKG_VERSION").into();
    if let Some(paths) = page["paths"].as_object_mut() {
        place_metrics(paths, settings);
    }
    if settings.keys.is_none() {
        // Without it no operation asks for one: those that may be closed name none of their own.
        page.as_object_mut().map(|page| page.remove("security"));
    }
    page
}

fn place_metrics(paths: &mut Map<String, Value>, settings: &Settings) {
    let Some(mut metrics) = paths.remove("/metrics") else {
        return;
    };
    if !settings.metrics.enabled {
        return;
    }
    if settings.metrics.require_key {
        let get = metrics["get"].as_object_mut();
        get.map(|get| get.remove("security"));
    }
    paths.insert(settings.metrics.endpoint.to_string(), metrics);
}

#[cfg(test)]
mod tests;
