//! Answers on the socket: `POST /save`, `GET /export`, `POST /import`.

use super::Imported;
use super::body::{Poured, drawn, poured};
use super::socket::Open;
use crate::coordinator::{Event, Import, SaveOutcome};
use crate::store::text::{self, Reading};
use crossbeam_channel::Sender;
use hyper::body::{Body, Incoming};
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use serde_json::json;
use std::convert::Infallible;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::UnixStream;
use tokio::sync::{Semaphore, oneshot};
use tokio::task::spawn_blocking;
use tokio::time::timeout;

/// Connections that are served at once; others wait. Each may need a thread that reads or writes.
pub const CONNECTIONS_MAX: usize = 4;
/// Longest time for the head of a request.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// Longest time for the rest of a body that nobody wants any more.
const REST_TIMEOUT: Duration = Duration::from_secs(10);
/// Pause after a connection that could not be accepted: a descriptor may become free in it.
const ACCEPT_PAUSE: Duration = Duration::from_millis(500);

/// Why nothing was done, with the status and the words of the answer.
struct Refusal(StatusCode, String);

/// Those who ask, on whichever socket they came in.
pub(super) struct Visitors {
    events: Sender<Event>,
    places: Arc<Semaphore>,
}

impl Visitors {
    pub(super) fn new(events: Sender<Event>) -> Visitors {
        let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        Visitors { events, places }
    }

    /// Answers whoever comes in there. It may be given up at any time: who came in is answered to the end.
    pub(super) async fn answer(&self, open: &Open) -> Infallible {
        loop {
            // An error says that the places are closed, which nobody does.
            let place = self.places.clone().acquire_owned().await;
            match open.accept().await {
                Ok(stream) if is_ours(&stream) => {
                    let events = self.events.clone();
                    tokio::spawn(async move {
                        connection(stream, events).await;
                        drop(place);
                    });
                }
                Ok(_) => tracing::warn!(
                    "another user asked on the operator's socket, and was not answered"
                ),
                Err(error) => {
                    tracing::debug!(%error, "the operator's socket accepts nothing");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }
}

/// Whether the user of this process asks, or root.
fn is_ours(stream: &UnixStream) -> bool {
    let ours = rustix::process::geteuid().as_raw();
    stream
        .peer_cred()
        .is_ok_and(|peer| peer.uid() == ours || peer.uid() == 0)
}

async fn connection(stream: UnixStream, events: Sender<Event>) {
    let answer = service_fn(move |request| {
        let events = events.clone();
        async move { Ok::<_, Infallible>(answered(request, &events).await) }
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .serve_connection(TokioIo::new(stream), answer)
        .await;
    if let Err(error) = served {
        tracing::debug!(%error, "a connection of the operator ended early");
    }
}

async fn answered(request: Request<Incoming>, events: &Sender<Event>) -> Response<Poured> {
    let asked = (request.method().clone(), request.uri().path().to_owned());
    let answer = match (&asked.0, asked.1.as_str()) {
        (&Method::POST, "/save") => save(events).await.map(|()| said(json!({"saved": true}))),
        (&Method::GET, "/export") => export(events).await,
        (&Method::POST, "/import") => import(request.into_body(), events).await,
        _ => Err(Refusal(
            StatusCode::NOT_FOUND,
            "there are POST /save, GET /export and POST /import".to_owned(),
        )),
    };
    let Refusal(status, error) = match answer {
        Ok(body) => return response(StatusCode::OK, body),
        Err(refusal) => refusal,
    };
    response(status, said(json!({ "error": error })))
}

fn said(value: serde_json::Value) -> Poured {
    Poured::whole(format!("{value}\n"))
}

fn response(status: StatusCode, body: Poured) -> Response<Poured> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(CONTENT_TYPE, json);
    response
}

/// Sends what `event` makes of a reply, and waits for that.
async fn ask<T>(
    events: &Sender<Event>,
    event: impl FnOnce(oneshot::Sender<T>) -> Event,
) -> Result<T, Refusal> {
    let (reply, answer) = oneshot::channel();
    let ends = || {
        Refusal(
            StatusCode::SERVICE_UNAVAILABLE,
            "the service ends, or is a node of a cluster that does not lead: only the one that does \
             takes in an import; see cluster.leader in /stat"
                .to_owned(),
        )
    };
    events.send(event(reply)).map_err(|_| ends())?;
    answer.await.map_err(|_| ends())
}

async fn save(events: &Sender<Event>) -> Result<(), Refusal> {
    match ask(events, Event::Save).await? {
        SaveOutcome::Saved => Ok(()),
        SaveOutcome::Failed => Err(Refusal(
            StatusCode::INTERNAL_SERVER_ERROR,
            "the store took nothing; the log of the service says why".to_owned(),
        )),
    }
}

async fn export(events: &Sender<Event>) -> Result<Poured, Refusal> {
    let image = ask(events, Event::Export).await?;
    let (mut spout, body) = poured();
    spawn_blocking(move || {
        let written = text::write(&image, &mut spout).and_then(|()| spout.finish());
        if let Err(error) = written {
            tracing::debug!(%error, "an export was not read to its end");
        }
    });
    Ok(body)
}

/// Reads all of it, has it taken in, and saved.
async fn import(mut body: Incoming, events: &Sender<Event>) -> Result<Poured, Refusal> {
    let (to, drawn) = drawn();
    let reading = spawn_blocking(move || text::read(text::plain(drawn)?));
    while let Some(frame) = poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
        let piece = frame.map_err(|_| io::Error::from(io::ErrorKind::UnexpectedEof));
        let piece = piece.map(|frame| frame.into_data().unwrap_or_default());
        let ended = piece.is_err();
        if to.send(piece).await.is_err() {
            // The thread has given up and says why. Unread, the rest would take the answer with it.
            let rest = async {
                while poll_fn(|cx| Pin::new(&mut body).poll_frame(cx))
                    .await
                    .is_some()
                {}
            };
            let _ = timeout(REST_TIMEOUT, rest).await;
            break;
        }
        if ended {
            break;
        }
    }
    drop(to);
    let reading = reading
        .await
        .map_err(|_| {
            Refusal(
                StatusCode::INTERNAL_SERVER_ERROR,
                "reading it failed".into(),
            )
        })?
        .map_err(|error| Refusal(StatusCode::BAD_REQUEST, format!("what was sent {error}")))?;
    let Reading {
        image,
        bad_lines,
        bad,
        cut,
    } = reading;
    let take_in = |reply| Event::Import(Import { image, reply });
    let merged = ask(events, take_in).await?;
    tracing::info!(?merged, bad_lines, "an import was taken in");
    save(events).await.map_err(|Refusal(status, why)| {
        let remedy = match status {
            StatusCode::INTERNAL_SERVER_ERROR => {
                "; it was taken in, and is saved with the next save that succeeds"
            }
            _ => "",
        };
        Refusal(status, why + remedy)
    })?;
    let imported = Imported {
        merged,
        bad_lines,
        bad,
        cut,
    };
    Ok(said(json!(imported)))
}
