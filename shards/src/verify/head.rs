//! Status line and fields of an answer, read in pieces of any size with linear work.

use super::framing::Framing;
use crate::Verdict;
use httparse::{Header, ParserConfig, Response, Status};
use std::mem::MaybeUninit;

/// Longest head in bytes, interim heads before it included; a longer one is `too_large`.
pub(crate) const HEAD_BYTES_MAX: usize = 16 * 1024;

/// Most fields of one head; more are `too_large`.
pub(crate) const FIELDS_MAX: usize = 64;

/// What every head begins with; checked as the bytes come in, so that garbage is known at once.
const START: &[u8] = b"HTTP/1.";

/// What a head says that matters here.
#[derive(Debug, PartialEq)]
pub(crate) struct Head {
    /// The status code, 101 or at least 200.
    pub(crate) status: u16,
    /// How the fields frame the body, or what is wrong with them. Whether there is a body at all
    /// is for the caller to know: it depends on the request and the status.
    pub(crate) framing: Result<Framing, Verdict>,
}

/// Where in a line the next byte stands.
#[derive(Clone, Copy, Default)]
enum Line {
    #[default]
    Within,
    Start,
    /// Behind a CR at the start of the line.
    StartCr,
}

/// Finds the end of a head and reads it. Interim heads (1xx but 101) are skipped. A head that
/// comes whole in one piece is read where it stands; only an incomplete one is copied.
#[derive(Default)]
pub(crate) struct HeadReader {
    /// The head so far, if its end was not in its first piece.
    kept: Vec<u8>,
    /// Bytes of this head and of interim ones before it.
    read: u32,
    line: Line,
}

impl HeadReader {
    /// Takes bytes of the peer. Once the head is whole: what it says, and the bytes behind it.
    ///
    /// # Errors
    /// `bad_protocol` for what is no head of HTTP/1, `too_large` for one beyond the caps.
    pub(crate) fn received<'a>(
        &mut self,
        bytes: &'a [u8],
    ) -> Result<Option<(Head, &'a [u8])>, Verdict> {
        let mut rest = bytes;
        while let Some((head, behind)) = self.one(rest)? {
            if !matches!(head.status, 100 | 102..=199) {
                return Ok(Some((head, behind)));
            }
            rest = behind;
        }
        Ok(None)
    }

    fn one<'a>(&mut self, bytes: &'a [u8]) -> Result<Option<(Head, &'a [u8])>, Verdict> {
        let start = &START[self.kept.len().min(START.len())..];
        if bytes.iter().zip(start).any(|(byte, wanted)| byte != wanted) {
            return Err(Verdict::BadProtocol);
        }
        let end = self.end(bytes);
        let (head, behind) = bytes.split_at(end.unwrap_or(bytes.len()));
        if self.read as usize + head.len() > HEAD_BYTES_MAX {
            return Err(Verdict::TooLarge);
        }
        self.read += head.len() as u32;
        if end.is_some() && self.kept.is_empty() {
            return Ok(Some((parse(head)?, behind)));
        }
        self.kept.extend_from_slice(head);
        if end.is_none() {
            return Ok(None);
        }
        let parsed = parse(&self.kept)?;
        self.kept.clear();
        Ok(Some((parsed, behind)))
    }

    /// The index behind the empty line that ends the head, if it is in `bytes`. A line ends with
    /// LF, a CR before it is optional (RFC 9112, section 2.2).
    fn end(&mut self, bytes: &[u8]) -> Option<usize> {
        let mut at = 0;
        while let Some(&byte) = bytes.get(at) {
            self.line = match (self.line, byte) {
                (Line::Start | Line::StartCr, b'\n') => {
                    self.line = Line::Within;
                    return Some(at + 1);
                }
                (Line::Start, b'\r') => Line::StartCr,
                (_, b'\n') => Line::Start,
                _ => {
                    self.line = Line::Within;
                    at += memchr::memchr(b'\n', &bytes[at..]).unwrap_or(bytes.len() - at);
                    continue;
                }
            };
            at += 1;
        }
        None
    }
}

fn parse(bytes: &[u8]) -> Result<Head, Verdict> {
    let mut fields = [const { MaybeUninit::<Header<'_>>::uninit() }; FIELDS_MAX];
    let mut response = Response::new(&mut []);
    let parsed = ParserConfig::default()
        .allow_obsolete_multiline_headers_in_responses(true) // RFC 9112, section 5.2
        .parse_response_with_uninit_headers(&mut response, bytes, &mut fields);
    match parsed {
        Ok(Status::Complete(length)) if length == bytes.len() => {}
        Err(httparse::Error::TooManyHeaders) => return Err(Verdict::TooLarge),
        _ => return Err(Verdict::BadProtocol),
    }
    match (response.code, response.version) {
        (Some(status @ 100..), Some(version)) => Ok(Head {
            status,
            framing: framing(version, response.headers),
        }),
        _ => Err(Verdict::BadProtocol),
    }
}

/// RFC 9112, section 6.3, for the part of it that the fields decide.
fn framing(version: u8, fields: &[Header<'_>]) -> Result<Framing, Verdict> {
    let mut length = None;
    let mut chunked = false;
    for field in fields {
        if field.name.eq_ignore_ascii_case("content-length") {
            // A list of equal lengths is one length; different ones are an attack or a fault.
            for item in field.value.split(|&byte| byte == b',') {
                let item = parse_length(item.trim_ascii()).ok_or(Verdict::BadProtocol)?;
                if *length.get_or_insert(item) != item {
                    return Err(Verdict::BadProtocol);
                }
            }
        } else if field.name.eq_ignore_ascii_case("transfer-encoding") {
            // We offered no other coding, and it can be applied only once, from HTTP/1.1 on.
            let known = field.value.trim_ascii().eq_ignore_ascii_case(b"chunked");
            if chunked || !known || version == 0 {
                return Err(Verdict::BadProtocol);
            }
            chunked = true;
        }
    }
    match (chunked, length) {
        (true, Some(_)) => Err(Verdict::BadProtocol),
        (true, None) => Ok(Framing::chunked()),
        (false, Some(length)) => Ok(Framing::Length(length)),
        (false, None) => Ok(Framing::UntilClose),
    }
}

/// Digits only (RFC 9110, section 8.6), within 64 bits.
fn parse_length(digits: &[u8]) -> Option<u64> {
    let number = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    let text = str::from_utf8(digits).ok().filter(|_| number)?;
    text.parse().ok()
}

#[cfg(test)]
mod tests;
