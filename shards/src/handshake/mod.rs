//! What is said to a proxy before the target's answer: one protocol, one file. Each is sans-io: no
//! socket, no clock.

pub(crate) mod connect;
pub(crate) mod http;
pub(crate) mod socks4;
pub(crate) mod socks5;

use crate::rule::Rule;
use std::rc::Rc;

/// What a handshake makes of the bytes that it was given.
#[cfg_attr(test, derive(Debug))]
pub(crate) enum Progress {
    /// Send these bytes, then receive.
    Ask(Rc<[u8]>),
    /// Receive more.
    Recv,
    /// The proxy has opened the way to the target, and nothing else was received.
    Open,
    /// The probe is over.
    Ended(Rule),
}

/// Bytes that nobody asked for yet.
pub(crate) const SPOKE_FIRST: Rule =
    Rule::garbled("bytes came before they were asked for: that is no tunnel to the target");

impl Progress {
    /// The way is open, with `rest` received behind the reply. The far end of a tunnel speaks when
    /// it is asked, and we have not asked yet: whatever `rest` is, it is no answer of the target.
    pub(crate) fn open(rest: &[u8]) -> Progress {
        match rest {
            [] => Progress::Open,
            _ => Progress::Ended(SPOKE_FIRST),
        }
    }

    /// The next question, with `rest` received behind the reply that led to it.
    pub(crate) fn ask(question: &Rc<[u8]>, rest: &[u8]) -> Progress {
        match rest {
            [] => Progress::Ask(Rc::clone(question)),
            _ => Progress::Ended(SPOKE_FIRST),
        }
    }
}

/// What a test sees of a [`Progress`].
#[cfg(test)]
#[derive(Debug, PartialEq)]
pub(crate) enum Seen {
    Ask(Rc<[u8]>),
    Recv,
    Open,
    Ended(crate::Verdict),
}

#[cfg(test)]
impl From<Progress> for Seen {
    fn from(progress: Progress) -> Seen {
        match progress {
            Progress::Ask(question) => Seen::Ask(question),
            Progress::Recv => Seen::Recv,
            Progress::Open => Seen::Open,
            Progress::Ended(rule) => Seen::Ended(rule.verdict()),
        }
    }
}
