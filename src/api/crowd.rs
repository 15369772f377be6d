//! How many connections each address has, so that none has them all.

use super::Settings;
use crate::metrics::Metrics;
use crate::origin::{Origin, is_trusted};
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Shortest time between two lines about connections that were closed at once.
const TELL_EVERY: Duration = Duration::from_secs(60);

/// The connections that are open, by whom they come from. There is an entry only for who has one, so
/// the cap on all of them bounds the table too.
#[derive(Debug)]
pub(super) struct Crowd {
    by_origin: Mutex<HashMap<Origin, usize>>,
    told_at: Mutex<Option<Instant>>,
    metrics: Arc<Metrics>,
}

/// The right of one connection to be open.
#[derive(Debug)]
pub(super) struct Seat {
    crowd: Arc<Crowd>,
    /// `None`: a trusted reverse proxy, behind which there are many.
    origin: Option<Origin>,
}

impl Crowd {
    /// Nobody is there yet.
    pub(super) fn new(metrics: Arc<Metrics>) -> Arc<Crowd> {
        Arc::new(Crowd {
            by_origin: Mutex::default(),
            told_at: Mutex::default(),
            metrics,
        })
    }

    /// A seat for a connection from `peer`; `None`, and counted, if it has as many as it may.
    pub(super) fn seat(self: &Arc<Self>, peer: IpAddr, settings: &Settings) -> Option<Seat> {
        let origin = match is_trusted(peer, &settings.trusted_proxies) {
            true => None,
            false => Some(Origin::of(peer)),
        };
        if let Some(origin) = origin
            && !self.enter(origin, settings.connections_per_ip_max)
        {
            self.metrics.api_connection_refused();
            self.tell(peer, settings.connections_per_ip_max, Instant::now());
            return None;
        }
        self.metrics.api_connection_opened();
        Some(Seat {
            crowd: Arc::clone(self),
            origin,
        })
    }

    /// One line a minute; `api_connections_refused_total` counts them all.
    fn tell(&self, peer: IpAddr, most: usize, now: Instant) -> bool {
        let mut told_at = self.told_at.lock().unwrap_or_else(PoisonError::into_inner);
        let is_due = told_at.is_none_or(|told| now.duration_since(told) >= TELL_EVERY);
        if is_due {
            *told_at = Some(now);
            tracing::warn!(
                client = %peer, most,
                "connections are closed at once, because this address has as many as it may \
                 (api.max_connections_per_ip); a reverse proxy belongs in api.trusted_proxies"
            );
        }
        is_due
    }

    fn enter(&self, origin: Origin, most: usize) -> bool {
        let mut by_origin = self
            .by_origin
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let count = by_origin.get(&origin).copied().unwrap_or(0);
        let enters = count < most;
        if enters {
            by_origin.insert(origin, count + 1);
        }
        enters
    }

    fn leave(&self, origin: Origin) {
        let mut by_origin = self
            .by_origin
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        match by_origin.get_mut(&origin) {
            Some(count) if *count > 1 => *count -= 1,
            _ => {
                by_origin.remove(&origin);
            }
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.crowd.metrics.api_connection_closed();
        if let Some(origin) = self.origin {
            self.crowd.leave(origin);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::testing::settings;

    fn crowd() -> Arc<Crowd> {
        Crowd::new(Arc::new(Metrics::new().unwrap()))
    }

    fn at_most(most: usize) -> Settings {
        Settings {
            connections_per_ip_max: most,
            ..settings()
        }
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn an_address_has_so_many_seats_and_gets_one_back_for_each_that_it_leaves() {
        let (crowd, settings) = (crowd(), at_most(2));
        let seat = |text| crowd.seat(ip(text), &settings);
        let (first, second) = (seat("192.0.2.1"), seat("::ffff:192.0.2.1"));
        assert!(first.is_some() && second.is_some());
        assert!(seat("192.0.2.1").is_none());
        assert!(seat("192.0.2.2").is_some());
        drop(first);
        let third = seat("192.0.2.1");
        assert!(third.is_some() && seat("192.0.2.1").is_none());
        drop((second, third));
        assert!(crowd.by_origin.lock().unwrap().is_empty());
    }

    #[test]
    fn that_an_address_has_too_many_is_said_once_a_minute() {
        let (crowd, start) = (crowd(), Instant::now());
        let tell = |seconds| crowd.tell(ip("192.0.2.1"), 2, start + Duration::from_secs(seconds));
        assert_eq!(
            [0, 1, 59, 60, 61].map(tell),
            [true, false, false, true, false]
        );
    }

    #[test]
    fn a_v6_network_of_64_bits_is_one_address() {
        let (crowd, settings) = (crowd(), at_most(1));
        let seat = |text| crowd.seat(ip(text), &settings);
        let first = seat("2001:db8::1");
        assert!(first.is_some() && seat("2001:db8::ffff:1").is_none());
        assert!(seat("2001:db8:0:1::1").is_some());
    }

    #[test]
    fn trusted_proxies_have_as_many_as_they_like() {
        let crowd = crowd();
        let settings = Settings {
            trusted_proxies: ["10.0.0.0/8".parse().unwrap()].into(),
            ..at_most(1)
        };
        let seats: Vec<_> = (0..100)
            .map(|_| crowd.seat(ip("10.0.0.1"), &settings))
            .collect();
        assert!(seats.iter().all(Option::is_some));
    }

    #[test]
    fn a_lower_cap_holds_for_those_that_come_and_throws_nobody_out() {
        let crowd = crowd();
        let seat = |most| crowd.seat(ip("192.0.2.1"), &at_most(most));
        let mut seats = vec![seat(3), seat(3), seat(3)];
        assert!(seat(1).is_none());
        seats.truncate(1);
        assert!(seat(1).is_none() && seat(2).is_some());
    }
}
