//! Content coding: whether a client takes gzip, and gzip itself.

use super::answer::{Answer, Content};
use super::press::Press;
use axum::body::Bytes;
use axum::http::header::{ACCEPT_ENCODING, CONTENT_ENCODING, VARY};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use flate2::Compression;
use flate2::write::GzEncoder;
use std::io::Write;

/// How the bytes of a body are coded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Coding {
    /// As they are.
    Plain,
    /// RFC 1952.
    Gzip,
}

/// Smaller bodies fit into a packet or two, whatever is done to them.
pub(super) const GZIP_BYTES_MIN: usize = 1 << 10;
/// Larger ones are compressed beside the API's thread.
pub(super) const AT_ONCE_BYTES_MAX: usize = 64 << 10;

impl Coding {
    /// The better one of those that `Accept-Encoding` allows (RFC 9110, section 12.5.3). Plain is
    /// sent even to a client that refuses it, which the same section allows.
    pub(super) fn wanted(headers: &HeaderMap) -> Coding {
        let mut weights = Weights::default();
        for value in headers.get_all(ACCEPT_ENCODING) {
            value.to_str().unwrap_or("").split(',').for_each(|item| {
                weights.read(item);
            });
        }
        let gzip = weights.gzip.or(weights.any).unwrap_or(0);
        match gzip > 0 && gzip >= weights.identity.unwrap_or(0) {
            true => Coding::Gzip,
            false => Coding::Plain,
        }
    }
}

/// The weights that a client gives, in thousandths.
#[derive(Debug, Default)]
struct Weights {
    gzip: Option<u16>,
    identity: Option<u16>,
    any: Option<u16>,
}

impl Weights {
    /// Takes in `gzip`, `gzip;q=0.5` and the like. What cannot be read is not there.
    fn read(&mut self, item: &str) {
        let (coding, weight) = match item.split_once(';') {
            Some((coding, parameter)) => (coding, thousandths(parameter.trim())),
            None => (item, Some(1_000)),
        };
        let coding = coding.trim();
        let place = match coding {
            _ if coding.eq_ignore_ascii_case("gzip") => &mut self.gzip,
            _ if coding.eq_ignore_ascii_case("x-gzip") => &mut self.gzip,
            _ if coding.eq_ignore_ascii_case("identity") => &mut self.identity,
            "*" => &mut self.any,
            _ => return,
        };
        *place = weight.or(*place);
    }
}

/// `q=0.5` (RFC 9110, section 12.4.2): from 0 to 1, at most three decimals.
fn thousandths(parameter: &str) -> Option<u16> {
    let (name, value) = parameter.split_once('=')?;
    if !name.eq_ignore_ascii_case("q") {
        return None;
    }
    let (whole, decimals) = value.split_once('.').unwrap_or((value, ""));
    if decimals.len() > 3 || !decimals.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let decimals: u16 = format!("{decimals:0<3}").parse().ok()?;
    match (whole, decimals) {
        ("0", _) => Some(decimals),
        ("1", 0) => Some(1_000),
        _ => None,
    }
}

/// `bytes` as gzip: fast rather than small, since lists of addresses hardly get smaller.
pub(super) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let room = Vec::with_capacity(bytes.len() / 4);
    let mut encoder = GzEncoder::new(room, Compression::fast());
    // A `Vec` takes every byte, so there is no error to pass on.
    let written = encoder.write_all(bytes);
    debug_assert!(written.is_ok());
    let mut coded = encoder.finish().expect("a Vec takes every byte");
    coded.shrink_to_fit();
    coded
}

/// `answer` as gzip, if the client takes that and it pays. Large bodies are compressed by the
/// press, one at a time; while it is busy others get theirs plain.
pub(super) async fn encode(mut answer: Answer, headers: &HeaderMap, press: &Press) -> Answer {
    let Content::Own(body) = &answer.body else {
        return answer;
    };
    if body.len() < GZIP_BYTES_MIN
        || answer.status != StatusCode::OK
        || answer.headers.contains_key(CONTENT_ENCODING)
    {
        return answer;
    }
    let vary = HeaderValue::from_static("Accept-Encoding");
    answer.headers.entry(VARY).or_insert(vary);
    if Coding::wanted(headers) == Coding::Plain {
        return answer;
    }
    let body = body.clone();
    let coded = match body.len() {
        0..=AT_ONCE_BYTES_MAX => Some(gzip(&body)),
        _ => press.try_run(move || gzip(&body)).await,
    };
    if let Some(coded) = coded {
        answer.is_coded(Content::Own(Bytes::from(coded)));
    }
    answer
}

/// A body that many are sent, in both codings.
#[derive(Clone, Debug)]
pub(super) struct Fixed {
    plain: Bytes,
    gzip: Bytes,
}

impl Fixed {
    pub(super) fn new(plain: impl Into<Bytes>) -> Fixed {
        let plain = plain.into();
        Fixed {
            gzip: gzip(&plain).into(),
            plain,
        }
    }

    /// Status 200 with it, in the coding that the request wants.
    pub(super) fn answer(&self, content_type: &'static str, asked: &HeaderMap) -> Answer {
        let mut answer = Answer::ok(content_type, "");
        let vary = HeaderValue::from_static("Accept-Encoding");
        answer.headers.insert(VARY, vary);
        match Coding::wanted(asked) {
            Coding::Plain => answer.body = Content::Shared(self.plain.clone()),
            Coding::Gzip => answer.is_coded(Content::Shared(self.gzip.clone())),
        }
        answer
    }
}

impl Answer {
    /// The same answer as gzip.
    pub(super) fn is_coded(&mut self, body: Content) {
        let gzip = HeaderValue::from_static("gzip");
        self.headers.insert(CONTENT_ENCODING, gzip);
        self.body = body;
    }
}

#[cfg(test)]
mod tests;
