//! `/history`: the figures of the last hour, a point every ten seconds.

use crate::api::ApiState;
use crate::api::answer::Answer;
use crate::api::time::Rfc3339;
use crate::snapshot::{Point, STEP_SECONDS};
use axum::http::StatusCode;
use serde::Serialize;
use std::time::SystemTime;

/// The oldest point first.
pub(super) fn answer(state: &ApiState, now: SystemTime) -> Answer {
    let points = state.snapshots.load().history_until(now);
    let history = History {
        interval_seconds: STEP_SECONDS,
        points: points.iter().map(Moment::from).collect(),
    };
    Answer::json(StatusCode::OK, &history)
}

#[derive(Serialize)]
struct History {
    interval_seconds: u64,
    points: Vec<Moment>,
}

#[derive(Serialize)]
struct Moment {
    at: Rfc3339,
    alive: u64,
    dead: u64,
    total: u64,
    generation: u64,
    stale: bool,
}

impl From<&Point> for Moment {
    fn from(point: &Point) -> Moment {
        Moment {
            at: Rfc3339(Some(point.at())),
            alive: point.alive,
            dead: point.dead,
            total: point.total,
            generation: point.generation,
            stale: point.stale,
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::api::testing::{Server, proxies, settings_with_keys};
    use crate::snapshot::Stat;
    use serde_json::json;
    use std::time::{Duration, SystemTime};

    #[test]
    fn the_points_of_what_was_published_are_told_the_oldest_first() {
        let server = Server::start();
        let nothing = json!({"interval_seconds": 10, "points": []});
        assert_eq!(server.get("/history").json(), nothing);
        let now = SystemTime::now();
        let stat = |alive| Stat {
            total_alive: alive,
            total_dead: 5,
            total_scraped: 9,
            ..Stat::default()
        };
        let pool = || proxies(&["http://1.1.1.1:80"]);
        server.publish_as(pool(), stat(3), now - Duration::from_secs(40), false);
        server.publish_as(pool(), stat(4), now - Duration::from_secs(20), true);
        let history = server.get("/history").json();
        let points = history["points"].as_array().unwrap();
        let (first, last) = (&points[0], &points[points.len() - 1]);
        assert_eq!(
            (&first["alive"], &first["generation"]),
            (&json!(3), &json!(1))
        );
        assert_eq!((&first["dead"], &first["total"]), (&json!(5), &json!(9)));
        assert_eq!((&last["alive"], &last["stale"]), (&json!(4), &json!(true)));
        let at = |point: &serde_json::Value| point["at"].as_str().unwrap().to_owned();
        assert!(
            at(first) < at(last) && at(first).ends_with("0.000Z"),
            "{points:?}"
        );
    }

    #[test]
    fn it_wants_a_key() {
        let server = Server::start();
        server.configure(settings_with_keys(&["secret"]));
        server
            .get("/history")
            .is_refusal(401, "Invalid or missing API key");
        assert_eq!(
            server
                .ask("GET", "/history", "X-Api-Key: secret\r\n")
                .status,
            200
        );
    }
}
