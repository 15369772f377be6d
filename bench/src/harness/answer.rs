//! The head of an HTTP answer: its status, and how much is still to come.

/// A head that is whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// The status.
    pub status: u16,
    /// Bytes of the head, with the empty line.
    pub bytes: usize,
    /// Bytes of the body.
    pub body_bytes: usize,
    /// Whether the connection ends with this answer.
    pub closes: bool,
}

/// The head of an answer is none, or does not say how long the body is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an answer that is no HTTP/1 with a Content-Length")]
pub struct BadHead;

const FIELDS_MAX: usize = 32;

impl Head {
    /// The head at the beginning of `bytes`; `None` while there is a part of it only.
    ///
    /// # Errors
    /// Bytes that are no head, or one without `Content-Length`.
    pub fn read(bytes: &[u8]) -> Result<Option<Head>, BadHead> {
        let mut fields = [httparse::EMPTY_HEADER; FIELDS_MAX];
        let mut answer = httparse::Response::new(&mut fields);
        let bytes = match answer.parse(bytes).map_err(|_| BadHead)? {
            httparse::Status::Complete(bytes) => bytes,
            httparse::Status::Partial => return Ok(None),
        };
        let value = |name: &str| {
            let field = answer
                .headers
                .iter()
                .find(|f| f.name.eq_ignore_ascii_case(name));
            field.and_then(|field| std::str::from_utf8(field.value).ok())
        };
        let length = value("content-length").and_then(|length| length.trim().parse().ok());
        Ok(Some(Head {
            status: answer.code.ok_or(BadHead)?,
            bytes,
            body_bytes: length.ok_or(BadHead)?,
            closes: value("connection").is_some_and(|v| v.trim().eq_ignore_ascii_case("close")),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANSWER: &[u8] =
        b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 12\r\nConnection: close\r\n\r\nwhatever";

    #[test]
    fn a_head_is_read_when_its_last_byte_is_there_and_not_before() {
        let end = ANSWER.len() - "whatever".len();
        for cut in 0..end {
            assert_eq!(Head::read(&ANSWER[..cut]), Ok(None), "{cut}");
        }
        let head = Head {
            status: 503,
            bytes: end,
            body_bytes: 12,
            closes: true,
        };
        assert_eq!(Head::read(ANSWER), Ok(Some(head)));
    }

    #[test]
    fn what_has_no_known_end_is_refused() {
        assert_eq!(Head::read(b"HTTP/1.1 200 OK\r\n\r\n"), Err(BadHead));
        assert_eq!(Head::read(b"SSH-2.0-OpenSSH\r\n"), Err(BadHead));
    }
}
