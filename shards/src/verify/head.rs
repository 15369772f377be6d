//! Status line and fields of an answer, read in pieces of any size with linear work.

use super::framing::Framing;
use crate::rule::Rule;
use crate::target::Field;
use httparse::{Header, ParserConfig, Response, Status};
use std::mem::MaybeUninit;

/// Longest head in bytes, interim heads before it included; a longer one is `too_large`.
pub(crate) const HEAD_BYTES_MAX: usize = 16 * 1024;

/// Most fields of one head; more are `too_large`.
pub(crate) const FIELDS_MAX: usize = 64;

/// What every head begins with; checked as the bytes come in, so that garbage is known at once.
const START: &[u8] = b"HTTP/1.";

/// What a head says that matters here.
#[derive(Debug)]
pub(crate) struct Head {
    /// The status code, 101 or at least 200.
    pub(crate) status: u16,
    /// How the fields frame the body, or what is wrong with them. Whether there is a body at all
    /// is for the caller to know: it depends on the request and the status.
    pub(crate) framing: Result<Framing, Rule>,
    /// Its media type in lower case, without parameters; if it was looked for.
    pub(crate) media_type: Option<Box<str>>,
    /// Whether it has the field that was looked for.
    pub(crate) has_field: bool,
}

/// What else is looked for in a head.
#[derive(Clone, Copy, Default)]
pub(crate) struct Wanted<'a> {
    /// Its media type.
    pub(crate) media_type: bool,
    /// This field.
    pub(crate) field: Option<&'a Field>,
}

/// Longest media type that is taken for one, in bytes (RFC 6838, section 4.2: 127 and 127).
const MEDIA_TYPE_BYTES_MAX: usize = 255;

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
        wanted: Wanted<'_>,
        bytes: &'a [u8],
    ) -> Result<Option<(Head, &'a [u8])>, Rule> {
        let mut rest = bytes;
        while let Some((head, behind)) = self.one(wanted, rest)? {
            if !matches!(head.status, 100 | 102..=199) {
                return Ok(Some((head, behind)));
            }
            rest = behind;
        }
        Ok(None)
    }

    fn one<'a>(
        &mut self,
        wanted: Wanted<'_>,
        bytes: &'a [u8],
    ) -> Result<Option<(Head, &'a [u8])>, Rule> {
        let start = &START[self.kept.len().min(START.len())..];
        if bytes.iter().zip(start).any(|(byte, wanted)| byte != wanted) {
            return Err(Rule::garbled("the answer does not begin as HTTP/1 does"));
        }
        let end = self.end(bytes);
        let (head, behind) = bytes.split_at(end.unwrap_or(bytes.len()));
        if self.read as usize + head.len() > HEAD_BYTES_MAX {
            return Err(Rule::too_large("the head is longer than 16 KiB"));
        }
        self.read += head.len() as u32;
        if end.is_some() && self.kept.is_empty() {
            return Ok(Some((parse(wanted, head)?, behind)));
        }
        self.kept.extend_from_slice(head);
        if end.is_none() {
            return Ok(None);
        }
        let parsed = parse(wanted, &self.kept)?;
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

fn parse(wanted: Wanted<'_>, bytes: &[u8]) -> Result<Head, Rule> {
    let mut fields = [const { MaybeUninit::<Header<'_>>::uninit() }; FIELDS_MAX];
    let mut response = Response::new(&mut []);
    let parsed = ParserConfig::default()
        .allow_obsolete_multiline_headers_in_responses(true) // RFC 9112, section 5.2
        .parse_response_with_uninit_headers(&mut response, bytes, &mut fields);
    match parsed {
        Ok(Status::Complete(length)) if length == bytes.len() => {}
        Err(httparse::Error::TooManyHeaders) => {
            return Err(Rule::too_large("the head has more than 64 fields"));
        }
        _ => return Err(Rule::garbled("the head is not one of HTTP/1")),
    }
    let fields = &*response.headers;
    match (response.code, response.version) {
        (Some(status @ 100..), Some(version)) => Ok(Head {
            status,
            framing: framing(version, fields),
            media_type: wanted.media_type.then(|| media_type(fields)).flatten(),
            has_field: wanted.field.is_some_and(|field| has_field(fields, field)),
        }),
        _ => Err(Rule::garbled("the head has no status of three digits")),
    }
}

/// RFC 9112, section 6.3, for the part of it that the fields decide.
fn framing(version: u8, fields: &[Header<'_>]) -> Result<Framing, Rule> {
    let mut length = None;
    let mut chunked = false;
    for field in fields {
        if field.name.eq_ignore_ascii_case("content-length") {
            // A list of equal lengths is one length; different ones are an attack or a fault.
            for item in field.value.split(|&byte| byte == b',') {
                let item = parse_length(item.trim_ascii())
                    .ok_or(Rule::garbled("Content-Length is not a number"))?;
                if *length.get_or_insert(item) != item {
                    return Err(Rule::garbled("Content-Length has two different values"));
                }
            }
        } else if field.name.eq_ignore_ascii_case("transfer-encoding") {
            // We offered no other coding, and it can be applied only once, from HTTP/1.1 on.
            let known = field.value.trim_ascii().eq_ignore_ascii_case(b"chunked");
            if chunked || !known || version == 0 {
                return Err(Rule::garbled("Transfer-Encoding is not one `chunked`"));
            }
            chunked = true;
        }
    }
    match (chunked, length) {
        (true, Some(_)) => Err(Rule::garbled("both chunks and a Content-Length")),
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

/// The media type, if there is exactly one and it looks like one (RFC 9110, section 8.3.1).
fn media_type(fields: &[Header<'_>]) -> Option<Box<str>> {
    let mut named = fields
        .iter()
        .filter(|field| field.name.eq_ignore_ascii_case("content-type"));
    let (Some(field), None) = (named.next(), named.next()) else {
        return None;
    };
    let essence = field.value.split(|&byte| byte == b';').next()?.trim_ascii();
    let in_token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~/".contains(&b);
    let sound = (1..=MEDIA_TYPE_BYTES_MAX).contains(&essence.len())
        && essence.iter().all(|&byte| in_token(byte));
    let text = str::from_utf8(essence).ok().filter(|_| sound)?;
    Some(text.to_ascii_lowercase().into())
}

fn has_field(fields: &[Header<'_>], wanted: &Field) -> bool {
    fields.iter().any(|field| {
        let value = wanted.value.as_deref().map(|value| value.trim().as_bytes());
        field.name.eq_ignore_ascii_case(&wanted.name)
            && value.is_none_or(|value| field.value.trim_ascii() == value)
    })
}

#[cfg(test)]
mod tests;
