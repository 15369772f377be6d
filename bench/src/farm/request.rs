//! Reads the head of an HTTP/1.x request without copying it.

/// What is known of a request's head; all slices point into the bytes read.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Request<'a> {
    pub(super) method: &'a [u8],
    pub(super) target: &'a [u8],
    /// Whether the connection ends after the answer: HTTP/1.0, or the client asked for it.
    pub(super) closes: bool,
    /// Whether there is a `Host` line, which HTTP/1.1 demands (RFC 9112, section 3.2).
    pub(super) has_host: bool,
    pub(super) proxy_authorization: &'a [u8],
}

/// What the bytes so far are.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Head<'a> {
    /// The beginning of a head.
    Partial,
    /// No HTTP request, whatever follows.
    NotHttp,
    /// A whole head and its length in bytes.
    Whole(Request<'a>, usize),
}

/// Reads the head at the beginning of `input`.
pub(super) fn read(input: &[u8]) -> Head<'_> {
    if input.first().is_some_and(|b| !b.is_ascii_uppercase()) {
        return Head::NotHttp;
    }
    let Some(end) = input.windows(4).position(|w| w == b"\r\n\r\n") else {
        return Head::Partial;
    };
    let mut lines = input[..end].split(|&b| b == b'\n').map(without_cr);
    let Some(mut request) = lines.next().and_then(request_line) else {
        return Head::NotHttp;
    };
    for line in lines {
        let Some(colon) = line.iter().position(|&b| b == b':') else {
            return Head::NotHttp;
        };
        header(&mut request, &line[..colon], line[colon + 1..].trim_ascii());
    }
    Head::Whole(request, end + 4)
}

fn without_cr(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\r").unwrap_or(line)
}

fn request_line(line: &[u8]) -> Option<Request<'_>> {
    let mut words = line.split(|&b| b == b' ');
    let (method, target, version) = (words.next()?, words.next()?, words.next()?);
    let closes = match version {
        b"HTTP/1.1" => false,
        b"HTTP/1.0" => true,
        _ => return None,
    };
    (words.next().is_none() && !target.is_empty()).then_some(Request {
        method,
        target,
        closes,
        ..Request::default()
    })
}

fn header<'a>(request: &mut Request<'a>, name: &[u8], value: &'a [u8]) {
    if name.eq_ignore_ascii_case(b"host") {
        request.has_host = true;
    } else if name.eq_ignore_ascii_case(b"connection")
        || name.eq_ignore_ascii_case(b"proxy-connection")
    {
        request.closes |= value.eq_ignore_ascii_case(b"close");
    } else if name.eq_ignore_ascii_case(b"proxy-authorization") {
        request.proxy_authorization = value;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GET: &[u8] = b"GET http://a/b HTTP/1.1\r\nHost: a\r\nConnection: Close\r\n\r\n";

    #[test]
    fn a_head_is_whole_at_its_empty_line_and_not_before() {
        for end in 0..GET.len() {
            assert_eq!(read(&GET[..end]), Head::Partial, "{end} bytes");
        }
        let Head::Whole(request, used) = read(GET) else {
            panic!("not whole");
        };
        assert_eq!(used, GET.len());
        assert_eq!(
            (request.method, request.target),
            (&b"GET"[..], &b"http://a/b"[..])
        );
        assert!(request.closes && request.has_host);
    }

    #[test]
    fn what_is_no_request_is_told_at_the_first_byte_that_shows_it() {
        assert_eq!(read(b"\x05\x01\x00"), Head::NotHttp);
        assert_eq!(read(b"GET / HTTP/2.0\r\n\r\n"), Head::NotHttp);
        assert_eq!(read(b"GET /\r\n\r\n"), Head::NotHttp);
        assert_eq!(read(b"GET / HTTP/1.1\r\nno colon\r\n\r\n"), Head::NotHttp);
    }

    #[test]
    fn http_1_0_closes_and_http_1_1_does_not() {
        let closes = |text: &'static [u8]| match read(text) {
            Head::Whole(request, _) => request.closes,
            other => panic!("{other:?}"),
        };
        assert!(closes(b"GET / HTTP/1.0\r\n\r\n"));
        assert!(!closes(b"GET / HTTP/1.1\r\n\r\n"));
    }
}
