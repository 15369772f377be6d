//! One connection of one thread: made when it is needed, made again with growing pauses when it
//! fails, and never waiting for ever.

use super::hub::Inner;
use crate::config::RedisPlace;
use crate::redis_link;
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};
use redis::{Connection, ErrorKind, RedisError, ServerErrorKind};
use std::convert::Infallible;
use std::time::Duration;

/// First pause after a failure.
const PAUSE_MIN: Duration = Duration::from_millis(20);

/// Which thread a connection belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Who {
    Lease,
    Jobs,
    Log,
    Follow,
    Reports,
    Nodes,
    Take,
    Tell,
}

impl Who {
    pub(crate) const COUNT: usize = Who::Tell as usize + 1;
}

/// Tells a thread that the bus stops: when the sender is gone.
#[derive(Clone, Debug)]
pub(crate) struct Stop(pub(crate) Receiver<Infallible>);

impl Stop {
    /// Waits for so long; `true` as soon as the bus stops.
    pub(crate) fn wait(&self, time: Duration) -> bool {
        match self.0.recv_timeout(time) {
            Ok(never) => match never {},
            Err(RecvTimeoutError::Timeout) => false,
            Err(RecvTimeoutError::Disconnected) => true,
        }
    }

    /// Whether the bus stops.
    pub(crate) fn is_now(&self) -> bool {
        self.wait(Duration::ZERO)
    }
}

/// The connection.
pub(crate) struct Line {
    who: Who,
    place: RedisPlace,
    /// Longest time to connect, and to get an answer.
    patience: Duration,
    /// Time that an answer is waited for on purpose, on top of it.
    block: Duration,
    pause_max: Duration,
    pause: Duration,
    connection: Option<Connection>,
    /// Why it is down, as was said last.
    said: Option<Box<str>>,
    hub: Sender<Inner>,
    stop: Stop,
}

impl Line {
    /// Not connected yet. Commands may wait for `block` on purpose.
    pub(crate) fn new(
        who: Who,
        place: &RedisPlace,
        (patience, block): (Duration, Duration),
        hub: Sender<Inner>,
        stop: Stop,
    ) -> Line {
        Line {
            who,
            place: place.clone(),
            patience,
            block,
            pause_max: patience.min(Duration::from_secs(1)).max(PAUSE_MIN),
            pause: PAUSE_MIN,
            connection: None,
            said: None,
            hub,
            stop,
        }
    }

    /// Asks something. Whatever fails but what Redis itself answers ends the connection: nobody knows
    /// what would come over it next.
    pub(crate) fn ask<T>(
        &mut self,
        ask: impl FnOnce(&mut Connection) -> Result<T, RedisError>,
    ) -> Result<T, RedisError> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => self.connect().inspect_err(|error| self.failed(error))?,
        };
        match ask(&mut connection) {
            Ok(answer) => {
                self.connection = Some(connection);
                self.rested();
                Ok(answer)
            }
            Err(error) => {
                if is_answer(&error) {
                    self.connection = Some(connection);
                }
                if !lacks_group(&error) {
                    self.failed(&error);
                }
                Err(error)
            }
        }
    }

    fn connect(&self) -> Result<Connection, RedisError> {
        let connection = redis_link::connect(&self.place, self.patience)?;
        connection.set_read_timeout(Some(self.patience + self.block))?;
        Ok(connection)
    }

    /// Waits after a failure, each time longer; `true` as soon as the bus stops.
    pub(crate) fn rest(&mut self) -> bool {
        let pause = self.pause;
        self.pause = (pause * 2).min(self.pause_max);
        self.stop.wait(pause)
    }

    /// Nothing is asked for now, or what failed is not wanted any more: there is nothing to complain
    /// of.
    pub(crate) fn rested(&mut self) {
        self.pause = PAUSE_MIN;
        if self.said.take().is_some() {
            self.tell(None);
        }
    }

    fn failed(&mut self, error: &RedisError) {
        let why = explained(&self.place, error);
        // Another reason is news, too: the server went away, and asks for a password when it is back.
        if self.said.as_ref() != Some(&why) {
            self.said = Some(why.clone());
            self.tell(Some(why));
        }
    }

    fn tell(&self, why: Option<Box<str>>) {
        // The hub is gone when the bus stops.
        let _ = self.hub.send(Inner::Link(self.who, why));
    }
}

/// Whether Redis answered, if only to refuse.
fn is_answer(error: &RedisError) -> bool {
    matches!(error.kind(), ErrorKind::Server(_) | ErrorKind::Extension)
}

/// Whether the group of the workers is not there: Redis was flushed, or nobody has led yet.
pub(crate) fn lacks_group(error: &RedisError) -> bool {
    error.code() == Some("NOGROUP")
}

/// Why a Redis cannot be used, and what to do about it.
pub(crate) fn explained(place: &RedisPlace, error: &RedisError) -> Box<str> {
    let remedy = match (error.kind(), error.code()) {
        (ErrorKind::AuthenticationFailed, _) | (_, Some("NOAUTH" | "WRONGPASS")) => {
            "give the user and password of this Redis"
        }
        (_, Some("OOM")) => "raise maxmemory of this Redis, and let nothing be evicted",
        (ErrorKind::Server(ServerErrorKind::ReadOnly), _) => {
            "it is a replica: name the primary, which may be written"
        }
        (ErrorKind::Server(ServerErrorKind::BusyLoading), _) => {
            "it is reading its data: it answers when it has"
        }
        (ErrorKind::Server(ServerErrorKind::NoPerm), _) => {
            "its access list forbids this: allow the user all commands on the keys of the prefix"
        }
        _ if error.is_timeout() => {
            "it does not answer in time: see how busy it is, and the network"
        }
        _ if error.is_io_error() => "see that it runs and can be reached",
        _ => "see its log",
    };
    format!("{}: {error}; {remedy}", place.url).into()
}
