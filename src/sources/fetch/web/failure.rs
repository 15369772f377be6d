//! What an error of the HTTP client means to whoever reads why a source gave no list.

use super::QUOTE_MAX;
use super::lead::{OutOfBounds, Trail, shown};
use crate::sources::fetch::error::{FetchError, distrust, escaped};
use std::error::Error;
use std::io;

/// What an error of the client means.
pub(super) fn failure(error: reqwest::Error, trail: &Trail) -> FetchError {
    if causes(&error).any(|cause| cause.is::<OutOfBounds>()) {
        return trail.guide.refusal(shown(&trail.url));
    }
    let certificate = causes(&error).find_map(|cause| match within::<rustls::Error>(cause)? {
        rustls::Error::InvalidCertificate(why) => Some(distrust(why)),
        _ => None,
    });
    if let Some(why) = certificate {
        return FetchError::Certificate(why);
    }
    let cause = root_cause(&error);
    match () {
        () if error.is_connect() => FetchError::Connect(cause),
        () if causes(&error).any(is_garbled) => FetchError::Garbled(cause),
        () => FetchError::Broken(cause),
    }
}

/// Whether it says that what came is not what it was said to be, rather than that something is missing.
fn is_garbled(cause: &(dyn Error + 'static)) -> bool {
    use io::ErrorKind::{InvalidData, InvalidInput};
    let http = cause.downcast_ref::<hyper::Error>();
    let read = cause.downcast_ref::<io::Error>();
    http.is_some_and(hyper::Error::is_parse)
        || read.is_some_and(|error| matches!(error.kind(), InvalidData | InvalidInput))
}

/// The error of this type, itself or in the hands of an I/O error, which does not name it as its cause.
fn within<'a, E: Error + 'static>(cause: &'a (dyn Error + 'static)) -> Option<&'a E> {
    let mut inner = cause;
    loop {
        if let Some(found) = inner.downcast_ref() {
            return Some(found);
        }
        inner = inner.downcast_ref::<io::Error>()?.get_ref()?;
    }
}

/// The innermost cause: the outer ones repeat the URL, which may hold a key, or say nothing.
pub(super) fn root_cause(error: &(dyn Error + 'static)) -> String {
    let text = causes(error).last().map(ToString::to_string);
    escaped(text.unwrap_or_default().as_bytes(), QUOTE_MAX)
}

/// An error, its cause, the cause of that, and so on.
fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |&cause| cause.source())
}
