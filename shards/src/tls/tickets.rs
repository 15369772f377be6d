//! Sessions with one target that can be resumed (RFC 8446, section 2.2), which spares us most of the
//! work of a handshake: no certificate is sent again, and none is verified.
//!
//! An interceptor gains nothing by it. A ticket is kept only of a session whose other end is known to
//! be the target: because its certificate was verified in that session's handshake, for that target's
//! name and by that policy's roots, or because it was resumed from such a session – who takes up a
//! ticket proves that it holds the secret of that session, which only the target does. Whoever does
//! not hold it can only ignore the ticket: the handshake is then a full one, with a certificate that
//! is verified. What a proxy sees of a ticket is its name, not its secret, however often it passes by.
//!
//! From a full handshake to a ticket that is offered there are [`TICKET_SECONDS_MAX`] at most, however
//! many sessions lie between, and its certificate was verified by then or, with the same bytes, a few
//! minutes before (`chains.rs`); what the target says of a ticket's life counts too, and the
//! seven days of RFC 8446, section 4.6.1. There is one store per target and plan, so that no session is resumed
//! for another name or under other roots; a plan belongs to a shard, so the lanes of a shard share it
//! and no other shard sees it. No early data is sent, and sessions of TLS 1.2, whose tickets go in the
//! clear, are not kept. Each ticket is offered once, as rustls wants it: a resumed session gives the
//! next ones, so a target that gives a ticket with each handshake has all but the first resumed.

use rustls::NamedGroup;
use rustls::client::{ClientSessionStore, Tls12ClientSessionValue, Tls13ClientSessionValue};
use rustls::pki_types::{ServerName, UnixTime};
use rustls::time_provider::TimeProvider;
use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex};

/// Most tickets that are kept of one target. Each takes about 1 KiB, and as much as the certificates
/// of its session: rustls keeps a copy with every one.
const TICKETS_MAX: usize = 64;

/// Longest time from a verified certificate to the last ticket that is offered because of it, in
/// seconds.
pub(super) const TICKET_SECONDS_MAX: u64 = 600;

/// Why the other end of a session is known to be the target.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Origin {
    /// It is not known yet.
    Unknown,
    /// Its certificate was verified in this session's handshake.
    Verified,
    /// It was verified then, and this session is resumed from that one.
    Resumed(UnixTime),
}

/// Tickets of one target. rustls asks that a store can be shared between threads, and so there is a
/// lock; only one shard ever takes it, and does not wait for it.
#[derive(Debug)]
pub(super) struct Tickets {
    clock: Arc<dyn TimeProvider>,
    shelf: Mutex<Shelf>,
}

struct Shelf {
    /// With the time at which a certificate was last verified for each, the newest ticket first.
    kept: VecDeque<(Tls13ClientSessionValue, UnixTime)>,
    /// Of which session the tickets are that come now.
    coming: Origin,
    /// The time that belongs to the last ticket that was taken, until it is asked for.
    taken: Option<UnixTime>,
}

impl fmt::Debug for Shelf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Shelf({} tickets)", self.kept.len())
    }
}

impl Tickets {
    /// None yet; their age goes by `clock`.
    pub(super) fn new(clock: Arc<dyn TimeProvider>) -> Tickets {
        Tickets {
            clock,
            shelf: Mutex::new(Shelf {
                kept: VecDeque::new(),
                coming: Origin::Unknown,
                taken: None,
            }),
        }
    }

    /// If a ticket was taken since this was last asked: when the certificate behind it was verified.
    pub(super) fn taken(&self) -> Option<UnixTime> {
        self.shelf.try_lock().ok()?.taken.take()
    }

    /// Says of which session the tickets are that come until this is said again.
    pub(super) fn come_from(&self, origin: Origin) {
        if let Ok(mut shelf) = self.shelf.try_lock() {
            shelf.coming = origin;
        }
    }
}

/// Whether what was verified at `since` is too old at `now`, or is not yet.
fn is_stale(since: UnixTime, now: UnixTime) -> bool {
    let age = now.as_secs().checked_sub(since.as_secs());
    age.is_none_or(|age| age > TICKET_SECONDS_MAX)
}

impl ClientSessionStore for Tickets {
    fn insert_tls13_ticket(&self, _: ServerName<'static>, ticket: Tls13ClientSessionValue) {
        let (Some(now), Ok(mut shelf)) = (self.clock.current_time(), self.shelf.try_lock()) else {
            return;
        };
        let since = match shelf.coming {
            Origin::Unknown => return,
            Origin::Verified => now,
            Origin::Resumed(at) => at,
        };
        shelf.kept.truncate(TICKETS_MAX - 1);
        shelf.kept.push_front((ticket, since));
    }

    fn take_tls13_ticket(&self, _: &ServerName<'static>) -> Option<Tls13ClientSessionValue> {
        let mut shelf = self.shelf.try_lock().ok()?;
        let now = self.clock.current_time()?;
        shelf.kept.retain(|&(_, since)| !is_stale(since, now));
        let (ticket, since) = shelf.kept.pop_front()?;
        shelf.taken = Some(since);
        Some(ticket)
    }

    // A hint is set before the certificate is verified: one proxy would choose for all others.
    fn set_kx_hint(&self, _: ServerName<'static>, _: NamedGroup) {}

    fn kx_hint(&self, _: &ServerName<'_>) -> Option<NamedGroup> {
        None
    }

    fn set_tls12_session(&self, _: ServerName<'static>, _: Tls12ClientSessionValue) {}

    fn tls12_session(&self, _: &ServerName<'_>) -> Option<Tls12ClientSessionValue> {
        None
    }

    fn remove_tls12_session(&self, _: &ServerName<'static>) {}
}
