//! Accepts connections and answers one request on each, within the limits.

use super::answer::{self, Refusal};
use super::counts::Counts;
use super::limits::Limits;
use super::places::Places;
use super::rate::{ORIGINS_MAX, Rate};
use super::request;
use crate::network::Network;
use crate::origin::{Origin, is_trusted};
use axum::body::Body;
use axum::http::request::Parts;
use axum::http::{Method, Request, Response};
use hyper::body::{Body as _, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use proxy_shards::target::Secret;
use std::convert::Infallible;
use std::future::poll_fn;
use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::net::TcpStream;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{MissedTickBehavior, interval_at, timeout};

/// Makes the page for a nonce, a peer and the forwarding fields that came with it.
pub(super) type Page = fn(&Secret, &str, IpAddr, &[(&str, &[u8])]) -> Vec<u8>;

/// Serves until `shutdown`, then waits for the requests under way within the limits.
pub(super) async fn serve(
    listener: TcpListener,
    judge: Arc<Judge>,
    shutdown: impl Future<Output = ()>,
) -> io::Result<()> {
    listener.set_nonblocking(true)?;
    let listener = tokio::net::TcpListener::from_std(listener)?;
    serve_from(listener, judge, shutdown).await;
    Ok(())
}

/// Where connections come from.
pub(super) trait Door {
    /// The next connection, and who made it.
    async fn accept(&mut self) -> io::Result<(TcpStream, SocketAddr)>;
}

impl Door for tokio::net::TcpListener {
    async fn accept(&mut self) -> io::Result<(TcpStream, SocketAddr)> {
        tokio::net::TcpListener::accept(self).await
    }
}

pub(super) async fn serve_from(
    mut door: impl Door,
    judge: Arc<Judge>,
    shutdown: impl Future<Output = ()>,
) {
    const MINUTE: Duration = Duration::from_secs(60);
    let mut shutdown = pin!(shutdown);
    let mut minutes = interval_at(tokio::time::Instant::now() + MINUTE, MINUTE);
    minutes.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut connections = JoinSet::new();
    let graceful = GracefulShutdown::new();
    loop {
        tokio::select! {
            biased;
            () = &mut shutdown => break,
            _ = minutes.tick() => judge.state().report(),
            Some(ended) = connections.join_next() => {
                if let Err(error) = ended && error.is_panic() {
                    tracing::error!(%error, "a request ended in a panic: this is a bug");
                }
            }
            accepted = door.accept() => match accepted {
                Ok((stream, peer)) => {
                    if judge.admit(stream, peer.ip(), &mut connections, &graceful) {
                        // It gives its descriptor back when it has its turn, which is now.
                        tokio::task::yield_now().await;
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
                Err(error) => judge.pause(&error).await,
            },
        }
    }
    drop(door);
    // What is left after the timeout ends with the set.
    let _ = timeout(judge.limits.shutdown_timeout, graceful.shutdown()).await;
    judge.state().report();
}

/// What all connections share.
pub(super) struct Judge {
    secret: Secret,
    page: Page,
    trusted: Box<[Network]>,
    limits: Limits,
    started: Instant,
    /// Never held over an await, and all of it on one thread.
    state: Mutex<State>,
}

pub(super) struct State {
    rate: Rate,
    places: Places<AbortHandle>,
    pub(super) counts: Counts,
}

impl State {
    /// Ends the connection that has to give way, if there is one.
    fn end(&mut self, connection: Option<AbortHandle>) {
        if let Some(connection) = connection {
            self.counts.gave_way += 1;
            connection.abort();
        }
    }

    fn report(&mut self) {
        self.counts.report(self.places.len());
    }
}

impl Judge {
    pub(super) fn new(
        secret: Secret,
        page: Page,
        trusted: Box<[Network]>,
        limits: Limits,
    ) -> Arc<Judge> {
        let state = State {
            rate: Rate::new(limits.rate_per_minute, ORIGINS_MAX),
            places: Places::new(limits.connections_max, limits.connections_per_origin_max),
            counts: Counts::default(),
        };
        Arc::new(Judge {
            secret,
            page,
            trusted,
            limits,
            started: Instant::now(),
            state: Mutex::new(state),
        })
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        // Nothing in it is left half done by a panic.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a connection in; if there are too many, the oldest gives way. Whether one did.
    fn admit(
        self: &Arc<Self>,
        stream: TcpStream,
        peer: IpAddr,
        connections: &mut JoinSet<()>,
        graceful: &GracefulShutdown,
    ) -> bool {
        // Whom a trusted proxy speaks for is known only from the request.
        let trusted = is_trusted(peer, &self.trusted);
        let origin = (!trusted).then(|| Origin::of(peer));
        let mut state = self.state();
        let gone = state.places.make_room(origin);
        let gave_way = gone.is_some();
        state.end(gone);
        let place = Place {
            number: state.places.next(),
            judge: Arc::clone(self),
        };
        let number = place.number;
        let connection = graceful.watch(Arc::clone(self).connection(stream, peer));
        let connection = connections.spawn(async move {
            let ended = timeout(place.judge.limits.exchange_timeout, connection).await;
            let mut state = place.judge.state();
            match ended {
                Ok(Ok(())) => {}
                Ok(Err(error)) if !error.is_timeout() => state.counts.broken += 1,
                Ok(Err(_)) | Err(_) => state.counts.timed_out += 1,
            }
            drop(state);
            drop(place);
        });
        state.places.enter(number, origin, connection);
        gave_way
    }

    /// After an accept that failed, such as for want of a descriptor: one is given back, and time to
    /// do so.
    async fn pause(&self, error: &io::Error) {
        {
            let mut state = self.state();
            state.counts.not_accepted += 1;
            if state.counts.not_accepted == 1 {
                tracing::error!(%error, "connections cannot be accepted; if descriptors ran out, \
                    raise LimitNOFILE (limits.conf) or lower --connections");
            }
            let oldest = state.places.oldest();
            state.end(oldest);
        }
        tokio::time::sleep(self.limits.accept_pause).await;
    }

    /// Serves one connection, and on it one request.
    fn connection(
        self: Arc<Self>,
        stream: TcpStream,
        peer: IpAddr,
    ) -> impl hyper_util::server::graceful::GracefulConnection<Error = hyper::Error> {
        let mut builder = http1::Builder::new();
        builder
            .timer(TokioTimer::new())
            .header_read_timeout(self.limits.head_timeout)
            .max_header_size(self.limits.head_bytes_max)
            .max_buf_size(self.limits.head_bytes_max)
            .keep_alive(false)
            .half_close(true); // `nc` closes its side after the request and still wants the answer
        builder.serve_connection(
            TokioIo::new(stream),
            service_fn(move |request| {
                let judge = Arc::clone(&self);
                async move { Ok::<_, Infallible>(judge.answer(peer, request).await) }
            }),
        )
    }

    async fn answer(&self, socket: IpAddr, request: Request<Incoming>) -> Response<Body> {
        let (head, body) = request.into_parts();
        let answer = match self.discard(body).await {
            Ok(()) => self.judge(socket, &head, self.started.elapsed()),
            Err(refusal) => Err(refusal),
        };
        let counts = &mut self.state().counts;
        match &answer {
            Ok(_) => counts.answered += 1,
            Err(Refusal::Rate(_)) => counts.limited += 1,
            Err(Refusal::NoHop) => counts.unattributed += 1,
            Err(_) => counts.refused += 1,
        }
        answer::response(answer)
    }

    /// The page for a request that arrived from `socket`, `now` after the start.
    fn judge(&self, socket: IpAddr, head: &Parts, now: Duration) -> Result<Vec<u8>, Refusal> {
        let peer = request::peer(socket, &head.headers, &self.trusted).ok_or(Refusal::NoHop)?;
        let taken = self.state().rate.take(Origin::of(peer.ip), now);
        taken.map_err(Refusal::Rate)?;
        if head.method != Method::GET {
            return Err(Refusal::Method);
        }
        let nonce = request::nonce(head.uri.query()).ok_or(Refusal::Nonce)?;
        let fields = request::fields(&head.headers, peer);
        Ok((self.page)(&self.secret, nonce, peer.ip, &fields))
    }

    /// Reads a body to its end and drops it, so that the answer is not lost to a reset when the peer
    /// still sends. The time of the exchange bounds it.
    async fn discard(&self, mut body: Incoming) -> Result<(), Refusal> {
        let mut read = 0;
        while let Some(frame) = poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
            let frame = frame.map_err(|_| Refusal::BodyBroken)?;
            read += frame.data_ref().map_or(0, |data| data.len());
            if read > self.limits.body_bytes_max {
                return Err(Refusal::BodyTooLarge);
            }
        }
        Ok(())
    }
}

/// A place that a connection has until it ends, however it ends.
struct Place {
    number: u64,
    judge: Arc<Judge>,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.judge.state().places.leave(self.number);
    }
}
