//! Accepts connections and serves HTTP/1 on them, within the limits.

use super::ApiState;
use super::answer::{Answer, Response};
use super::client::Client;
use super::coding;
use super::cors;
use super::crowd::{Crowd, Seat};
use super::desk::{Call, Desk};
use super::forwarded;
use super::host;
use super::limits::Limits;
use super::patience::Patient;
use super::refusal::Refusal;
use super::refused::{Refusals, Refused};
use super::request_id::{self, X_REQUEST_ID};
use super::routes::{self, Endpoint};
use super::slots::{Slot, Slots};
use super::stamp;
use crate::ident::Idents;
use crate::traces;
use axum::http::Request;
use hyper::body::{Body, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioTimer;
use hyper_util::server::graceful::GracefulShutdown;
use std::convert::Infallible;
use std::future::poll_fn;
use std::io;
use std::net::{IpAddr, TcpListener};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::timeout;

/// Serves until `shutdown`, then waits for the requests under way within the limits.
pub(super) async fn serve(
    listener: TcpListener,
    state: ApiState,
    limits: Limits,
    shutdown: impl Future<Output = ()>,
) -> io::Result<()> {
    listener.set_nonblocking(true)?;
    let listener = tokio::net::TcpListener::from_std(listener)?;
    // Bound it was long before; only now it is answered.
    tracing::info!(address = %listener.local_addr()?, "the API listens");
    let server = Server::new(state, limits);
    let desk = Arc::clone(&server);
    tokio::select! {
        () = serve_from(listener, server, shutdown) => {}
        () = desk.desk.shelf.tidy(&desk.desk.state.snapshots) => {}
        () = desk.refusals.tell() => {}
    }
    Ok(())
}

/// Where connections come from.
trait Door {
    /// The next connection.
    async fn accept(&mut self) -> io::Result<(TcpStream, IpAddr)>;
}

impl Door for tokio::net::TcpListener {
    async fn accept(&mut self) -> io::Result<(TcpStream, IpAddr)> {
        let (stream, peer) = tokio::net::TcpListener::accept(self).await?;
        Ok((stream, peer.ip()))
    }
}

async fn serve_from(mut door: impl Door, server: Arc<Server>, shutdown: impl Future<Output = ()>) {
    let mut shutdown = pin!(shutdown);
    let mut complaints = Complaints::default();
    let mut connections = JoinSet::new();
    let graceful = GracefulShutdown::new();
    loop {
        let admitted = tokio::select! {
            biased;
            () = &mut shutdown => break,
            Some(ended) = connections.join_next() => {
                if let Err(error) = ended {
                    tracing::error!(%error, "a request ended in a panic: this is a bug");
                }
                continue;
            }
            admitted = server.admit(&mut door, &mut complaints) => admitted,
        };
        if let Some((stream, peer, place)) = admitted {
            // Without it a small answer may wait for the acknowledgement of the one before.
            let _ = stream.set_nodelay(true);
            let connection = graceful.watch(Arc::clone(&server).connection(stream, peer));
            connections.spawn(async move {
                if let Err(error) = connection.await {
                    tracing::debug!(%error, "connection ended early");
                }
                drop(place);
            });
        }
    }
    drop(door);
    // What is left after the timeout ends with the set.
    let _ = timeout(server.limits.shutdown_timeout, graceful.shutdown()).await;
}

/// What all connections share.
#[derive(Debug)]
struct Server {
    desk: Desk,
    limits: Limits,
    slots: Slots,
    crowd: Arc<Crowd>,
    refusals: Refusals,
    idents: Idents,
}

impl Server {
    fn new(state: ApiState, limits: Limits) -> Arc<Server> {
        Arc::new(Server {
            slots: Slots::new(limits.connections_max),
            crowd: Crowd::new(Arc::clone(&state.metrics)),
            desk: Desk::new(state, &limits),
            refusals: Refusals::default(),
            idents: Idents::new(fastrand::u64(..)),
            limits,
        })
    }

    /// The next connection, once there is a slot for it. `None` after one whose address has too many,
    /// which is closed at once; and after a failure, such as no descriptor left, and a pause in which
    /// one may become free.
    async fn admit(
        &self,
        door: &mut impl Door,
        complaints: &mut Complaints,
    ) -> Option<(TcpStream, IpAddr, (Slot, Seat))> {
        let percent = self.desk.state.settings.borrow().descriptors_percent;
        self.slots.resize(self.limits.connections(percent));
        let slot = self.slots.take().await?;
        match door.accept().await {
            Ok((stream, peer)) => {
                let seat = self.crowd.seat(peer, &self.desk.state.settings.borrow())?;
                Some((stream, peer, (slot, seat)))
            }
            Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => None,
            Err(error) => {
                if complaints.are_due(Instant::now()) {
                    tracing::error!(%error, "connections cannot be accepted; if descriptors ran \
                        out, raise LimitNOFILE (limits.conf) or lower checker.concurrency_total");
                }
                tokio::time::sleep(self.limits.accept_pause).await;
                None
            }
        }
    }

    /// Serves one connection.
    fn connection<S: AsyncRead + AsyncWrite + Unpin + 'static>(
        self: Arc<Self>,
        stream: S,
        peer: IpAddr,
    ) -> impl hyper_util::server::graceful::GracefulConnection<Error = hyper::Error> {
        let io = Patient::new(stream, self.limits.answer_timeout);
        let mut builder = http1::Builder::new();
        builder
            .timer(TokioTimer::new())
            .header_read_timeout(self.limits.head_timeout)
            .max_header_size(self.limits.head_bytes_max)
            .max_buf_size(self.limits.head_bytes_max)
            .half_close(true); // `nc` closes its side after the request and still wants the answer
        builder.serve_connection(
            io,
            service_fn(move |request| {
                let server = Arc::clone(&self);
                async move { Ok::<_, Infallible>(server.answer(request, peer).await) }
            }),
        )
    }

    async fn answer(&self, request: Request<Incoming>, peer: IpAddr) -> Response {
        let started = Instant::now();
        let settings = Arc::clone(&self.desk.state.settings.borrow());
        let (head, body) = request.into_parts();
        let endpoint = Endpoint::find(head.uri.path(), &settings.metrics);
        let kept_max = endpoint.map_or(0, Endpoint::body_bytes_max);
        let read = self.read(body, kept_max).await;
        let read = read.and_then(|body| host::check(&head).map(|()| body));
        let answer = match read {
            Ok(body) => {
                let address = forwarded::client(peer, &head.headers, &settings.trusted_proxies);
                let call = Call {
                    head: &head,
                    body: &body,
                    client: Client::at(address, routes::key(&settings, &head)),
                    settings: &settings,
                    now: SystemTime::now(),
                };
                let methods = endpoint.map(Endpoint::methods);
                let preflight = |methods| cors::preflight(&settings.cors_origins, &head, methods);
                match methods.and_then(preflight) {
                    Some(answer) => Ok(answer),
                    None => routes::answer(endpoint, &call, &self.desk).await,
                }
            }
            Err(refusal) => Err(refusal),
        };
        let answer = answer.unwrap_or_else(Answer::from);
        let answer = coding::encode(answer, &head.headers, &self.desk.press).await;
        let mut response = answer.weighed(&self.desk.scale, &self.desk.shelf);
        cors::allow(
            &settings.cors_origins,
            &head.headers,
            response.headers_mut(),
        );
        stamp::date(SystemTime::now(), response.headers_mut());
        let (method, status) = (routes::label(&head.method), response.status());
        let seconds = started.elapsed().as_secs_f64();
        self.desk.tally.count(endpoint, method, status, seconds);
        let endpoint = Endpoint::label(endpoint);
        let request_id = request_id::of(&head.headers, &self.idents);
        let id = request_id.to_str().unwrap_or_default();
        if status.is_client_error() || status.is_server_error() {
            let client = forwarded::client(peer, &head.headers, &settings.trusted_proxies);
            let refused = Refused {
                status,
                method,
                endpoint,
                client,
                request_id: id,
            };
            self.refusals.note(refused, Instant::now());
        }
        tracing::debug!(
            method,
            endpoint,
            status = status.as_u16(),
            request_id = id,
            "answered"
        );
        traces::answered(traces::Request {
            method,
            endpoint,
            status: status.as_u16(),
            took: started.elapsed(),
            request_id: id,
            headers: &head.headers,
        });
        response.headers_mut().insert(X_REQUEST_ID, request_id);
        response
    }

    /// Reads a body to its end, so that the answer is not lost to a reset when the peer still sends.
    /// Kept is what the route reads, up to `kept_max` bytes; where it reads none, all is dropped.
    async fn read(&self, mut body: Incoming, kept_max: usize) -> Result<Vec<u8>, Refusal> {
        let mut kept = Vec::new();
        if body.is_end_stream() {
            return Ok(kept);
        }
        let most = match kept_max {
            0 => self.limits.body_bytes_max,
            most => most as u64,
        };
        if body.size_hint().lower() > most {
            return Err(Refusal::BodyTooLarge);
        }
        let whole = async {
            let mut read = 0;
            while let Some(frame) = poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
                let frame = frame.map_err(|_| Refusal::BodyBroken)?;
                let data = frame.data_ref().map_or(&[][..], |data| data);
                read += data.len() as u64;
                if read > most {
                    return Err(Refusal::BodyTooLarge);
                }
                if kept_max > 0 {
                    kept.extend_from_slice(data);
                }
            }
            Ok(kept)
        };
        timeout(self.limits.body_timeout, whole)
            .await
            .unwrap_or(Err(Refusal::BodyTimeout))
    }
}

/// Says the same thing at most once a minute.
#[derive(Debug, Default)]
struct Complaints {
    last: Option<Instant>,
}

impl Complaints {
    fn are_due(&mut self, now: Instant) -> bool {
        let due = self
            .last
            .is_none_or(|last| now.duration_since(last) >= Duration::from_secs(60));
        if due {
            self.last = Some(now);
        }
        due
    }
}

#[cfg(any(test, fuzzing))]
pub(crate) mod fuzz;
#[cfg(test)]
mod tests;
