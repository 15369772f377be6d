//! Asks the running service over its socket.

use super::Imported;
use super::body::{Poured, poured};
use hyper::body::{Body, Incoming};
use hyper::client::conn::http1;
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use std::fmt;
use std::future::poll_fn;
use std::io::{self, Read, Write};
use std::path::Path;
use std::pin::Pin;
use tokio::net::UnixStream;
use tokio::task::spawn_blocking;

/// Longest answer that is no export, in bytes.
const ANSWER_BYTES_MAX: usize = 1 << 20;

/// Why the service did not do it.
#[derive(Debug, thiserror::Error)]
pub enum Unanswered {
    /// Nobody answers there, or no longer.
    #[error("no answer: {0}")]
    Silent(String),
    /// It said no, in these words.
    #[error("the service answers: {0}")]
    Refused(String),
    /// What it sent could not be written.
    #[error("{0}")]
    Output(#[from] io::Error),
}

fn silent(error: impl fmt::Display) -> Unanswered {
    Unanswered::Silent(error.to_string())
}

/// Returns when all that the service knows by now is on disk.
///
/// # Errors
/// It is not.
pub fn save(socket: &Path) -> Result<(), Unanswered> {
    run(async {
        let nothing = Poured::whole(String::new());
        let answer = ask(socket, Method::POST, "/save", nothing).await?;
        text(answer).await.map(drop)
    })
}

/// Writes all that the service knows to `out`, as JSON Lines.
///
/// # Errors
/// It does not answer, or `out` takes no more.
pub fn export(socket: &Path, out: &mut dyn Write) -> Result<(), Unanswered> {
    run(async {
        let nothing = Poured::whole(String::new());
        let answer = ask(socket, Method::GET, "/export", nothing).await?;
        if !answer.status().is_success() {
            return text(answer).await.map(drop);
        }
        let mut body = answer.into_body();
        while let Some(piece) = next(&mut body).await? {
            out.write_all(&piece)?;
        }
        Ok(())
    })
}

/// Has the service take in what `file` holds, and save it.
///
/// # Errors
/// It did not, or not all; what was taken in stays.
pub fn import(socket: &Path, mut file: impl Read + Send + 'static) -> Result<Imported, Unanswered> {
    run(async {
        let (mut spout, body) = poured();
        // If the service gives up early, its answer says why.
        spawn_blocking(move || io::copy(&mut file, &mut spout).and_then(|_| spout.finish()));
        let answer = ask(socket, Method::POST, "/import", body).await?;
        serde_json::from_str(&text(answer).await?).map_err(silent)
    })
}

fn run<T>(asking: impl Future<Output = Result<T, Unanswered>>) -> Result<T, Unanswered> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()?;
    let done = runtime.block_on(asking);
    // A thread may still wait for the end of a file that nobody wants any more.
    runtime.shutdown_background();
    done
}

async fn ask(
    socket: &Path,
    method: Method,
    path: &str,
    body: Poured,
) -> Result<Response<Incoming>, Unanswered> {
    let stream = UnixStream::connect(socket).await.map_err(silent)?;
    let connected = http1::handshake(TokioIo::new(stream)).await;
    let (mut requests, connection) = connected.map_err(silent)?;
    tokio::spawn(connection);
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header("host", "localhost");
    let request = request.body(body).map_err(silent)?;
    requests.send_request(request).await.map_err(silent)
}

/// The body of an answer that is short; of a refusal its words.
async fn text(answer: Response<Incoming>) -> Result<String, Unanswered> {
    let status = answer.status();
    let (mut body, mut bytes) = (answer.into_body(), Vec::new());
    while let Some(piece) = next(&mut body).await? {
        bytes.extend_from_slice(&piece);
        if bytes.len() > ANSWER_BYTES_MAX {
            return Err(silent("the answer has no end"));
        }
    }
    let text = String::from_utf8_lossy(&bytes).into_owned();
    if status.is_success() {
        return Ok(text);
    }
    let error: Option<serde_json::Value> = serde_json::from_str(&text).ok();
    let error = error.as_ref().and_then(|said| said["error"].as_str());
    let words = error.unwrap_or(status.as_str()).escape_debug();
    Err(Unanswered::Refused(words.to_string()))
}

async fn next(body: &mut Incoming) -> Result<Option<hyper::body::Bytes>, Unanswered> {
    loop {
        let frame = poll_fn(|cx| Pin::new(&mut *body).poll_frame(cx)).await;
        match frame.transpose().map_err(silent)? {
            None => return Ok(None),
            Some(frame) => {
                if let Ok(piece) = frame.into_data() {
                    return Ok(Some(piece));
                }
            }
        }
    }
}
