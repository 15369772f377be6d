//! What may be in the way of a start because something runs already: the service itself, or another
//! program at its address or in its store.

use super::finding::{Finding, State};
use crate::commands::health::{ask, reachable};
use crate::store::Holder;
use std::io::ErrorKind;
use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

/// Whoever listens there answers within this time, or is not the service.
const ANSWER_WITHIN: Duration = Duration::from_secs(2);
const NAME: &str = "address";

/// Whether the API could listen at `at`, and whether a service answers there.
pub(super) fn address(at: SocketAddr) -> (Finding, bool) {
    let error = match TcpListener::bind(at) {
        Ok(_) => return (Finding::ok(NAME, format!("{at} is free")), false),
        Err(error) => error,
    };
    let lives = error.kind() == ErrorKind::AddrInUse
        && ask(reachable(at), "/health", ANSWER_WITHIN)
            .is_ok_and(|(status, body)| status == 200 && body == "ok");
    if lives {
        let found = format!("{at}: a service runs there and answers");
        return (Finding::ok(NAME, found), true);
    }
    let (found, remedy) = match error.kind() {
        ErrorKind::AddrInUse => (
            format!("{at} is taken, and what listens there does not answer as the service does"),
            "see with `ss -ltnp` what that is: this service, overloaded or stopped, needs time; for another \
             program set api.addr to a free port",
        ),
        ErrorKind::AddrNotAvailable => (
            format!("{at} is no address of this host"),
            "set api.addr to one of this host's, or to :PORT for all of them",
        ),
        ErrorKind::PermissionDenied => (
            format!("{at} may not be listened on by this user"),
            "set api.addr to a port from 1024 on, or give the unit CAP_NET_BIND_SERVICE",
        ),
        _ => (format!("{at}: {error}"), "set api.addr to another address"),
    };
    (Finding::bad(NAME, found, remedy), false)
}

/// A store that a process has open: the running service, or one that is in its way; `place` is what was
/// found where the store is.
pub(super) fn store(holder: &Holder, lives: bool, place: Finding) -> Finding {
    let found = format!("{} is in use by {holder}", holder.path.display());
    match lives {
        true if place.state != State::Ok => place,
        true => Finding::ok("store", format!("{found}, while the service runs")),
        false => Finding::bad(
            "store",
            found,
            "if it is this service, overloaded or stopped, it needs time; else end that process, or set \
             storage.path to another place",
        ),
    }
}
