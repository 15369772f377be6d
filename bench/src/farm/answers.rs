//! The bytes that the farm says, composed at compile time where they are always the same.

use super::wire::Words;

/// The name that the target is called by in tests; whatever it is called, the farm answers.
pub const TARGET_NAME: &str = "target.test";

/// The body of the target's 200 answer.
pub const TARGET_BODY: &str =
    "This is the farm's target speaking. What you read came from it, unchanged.\n";

/// SHA-256 of [`TARGET_BODY`], in hexadecimal.
pub const TARGET_BODY_SHA256: &str =
    "8384864b72baa8c0ed59370302b354dd38f42e925c108ce4ab301eed059abd01";

/// An answer in two forms: for a connection that stays open, and for one that closes after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) keeps: &'static [u8],
    pub(super) closes: &'static [u8],
}

/// An answer with a body that is made for its request.
pub(super) fn composed(body: &[u8], end: End) -> Words {
    let connection = match end {
        End::Closes => "Connection: close\r\n",
        End::Keeps => "",
    };
    let length = body.len();
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\nCache-Control: no-store\r\n\
         Content-Length: {length}\r\n{connection}\r\n"
    );
    Words::Shared([head.as_bytes(), body].concat().into())
}

/// What becomes of the connection after an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Keeps,
    Closes,
}

impl Answer {
    pub(super) fn words(self, end: End) -> Words {
        Words::Fixed(match end {
            End::Keeps => self.keeps,
            End::Closes => self.closes,
        })
    }
}

macro_rules! answer {
    ($head:literal, $body:literal) => {
        Answer {
            keeps: concat!($head, "\r\n", $body).as_bytes(),
            closes: concat!($head, "Connection: close\r\n\r\n", $body).as_bytes(),
        }
    };
}

/// 204 has no body and no `Content-Length` (RFC 9110, section 8.6).
pub(super) const NO_CONTENT: Answer = answer!("HTTP/1.1 204 No Content\r\n", "");

pub(super) const KNOWN_BODY: Answer = answer!(
    "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 75\r\n",
    "This is the farm's target speaking. What you read came from it, unchanged.\n"
);

/// [`KNOWN_BODY`] as a proxy changes it: as long as before.
pub(super) const TAMPERED_BODY: Answer = answer!(
    "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 75\r\n",
    "This is the farm's target speaking. What you read came from it, uncHanged.\n"
);

pub(super) const OWN_PAGE: Answer = answer!(
    "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 60\r\n",
    "<html><title>Hotel</title><p>Welcome! Please log in.</html>\n"
);

pub(super) const BAD_GATEWAY: Answer = answer!(
    "HTTP/1.1 502 Bad Gateway\r\nContent-Type: text/plain\r\nContent-Length: 12\r\n",
    "bad gateway\n"
);

pub(super) const FORBIDDEN: Answer = answer!(
    "HTTP/1.1 403 Forbidden\r\nContent-Type: text/plain\r\nContent-Length: 10\r\n",
    "forbidden\n"
);

pub(super) const ASKS_AUTH: Answer = answer!(
    "HTTP/1.1 407 Proxy Authentication Required\r\n\
     Proxy-Authenticate: Basic realm=\"farm\"\r\nContent-Length: 0\r\n",
    ""
);

pub(super) const REDIRECT: Answer = answer!(
    "HTTP/1.1 302 Found\r\nLocation: http://login.example/\r\nContent-Length: 0\r\n",
    ""
);

pub(super) const NOT_ALLOWED: Answer = answer!(
    "HTTP/1.1 405 Method Not Allowed\r\nAllow: GET\r\nContent-Length: 0\r\n",
    ""
);

/// To a request to the judge without a nonce.
pub(super) const NO_NONCE: Answer = answer!(
    "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nContent-Length: 9\r\n",
    "no nonce\n"
);

pub(super) const NOT_FOUND: Answer = answer!(
    "HTTP/1.1 404 Not Found\r\nContent-Type: text/plain\r\nContent-Length: 13\r\n",
    "no such list\n"
);

/// Said to what is not a request, or not one for this party; the connection ends with it.
pub(super) const BAD_REQUEST: &[u8] =
    b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";

/// A head longer than the farm reads (RFC 6585, section 5).
pub(super) const HEAD_TOO_LARGE: &[u8] =
    b"HTTP/1.1 431 Request Header Fields Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";

/// A method other than GET and CONNECT.
pub(super) const NOT_IMPLEMENTED: &[u8] =
    b"HTTP/1.1 501 Not Implemented\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";

pub(super) const ESTABLISHED: &[u8] = b"HTTP/1.1 200 Connection established\r\n\r\n";

/// No protocol begins like this, and there is no line end in it.
pub(super) const GARBAGE: &[u8] =
    b"\x9c\x00\x17\xfe\x81\x02\xc3\x28\xa0\xf0\x5c\x11\x8d\x07\xee\xb4\x99\x03\xd1\x6f\x80\xff\xfd\x18";

/// The first half of an answer, to a request or to a CONNECT.
pub(super) const HALF: &[u8] = b"HTTP/1.1 204 No Content\r\nConnec";

/// A status line that would clear a terminal.
pub(super) const ESCAPES: &[u8] =
    b"HTTP/1.1 204 \x1b[2J\x1b[31mNo Content\r\nConnection: close\r\n\r\n";

pub(super) const VERSION_9: &[u8] = b"HTTP/9.9 204 No Content\r\nConnection: close\r\n\r\n";

pub(super) const BAD_CHUNKS: &[u8] =
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nno chunk\r\n";

/// What comes is the beginning of gzip, and far less than is announced.
pub(super) const BOMB: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\
    Content-Length: 1099511627776\r\n\r\n\x1f\x8b\x08\0\0\0\0\0\0\xff";

/// Dripped first, and then [`DRIP`] for ever.
pub(super) const DRIP_HEAD_204: &[u8] = b"HTTP/1.1 204 No Content\r\nX-Drip: ";
pub(super) const DRIP_HEAD_200: &[u8] = b"HTTP/1.1 200 OK\r\nX-Drip: ";
pub(super) const DRIP: &[u8] = b".";

pub(super) const INTERIM: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";
/// A hundred of them.
pub(super) static INTERIMS: [u8; 2500] = {
    let mut out = [0; 2500];
    let mut at = 0;
    while at < out.len() {
        out[at] = INTERIM[at % INTERIM.len()];
        at += 1;
    }
    out
};

pub(super) const FLOOD_HEADERS_HEAD: &[u8] = b"HTTP/1.1 200 OK\r\n";
pub(super) const FLOOD_BODY_HEAD: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n";

/// 4 KiB of header lines.
pub(super) static FLOOD_HEADERS: [u8; 4096] =
    repeat(b"X-Endless: there is always one more line after this one, oh ...\r\n");

/// 4 KiB of text.
pub(super) static FLOOD_BODY: [u8; 4096] =
    repeat(b"There is always one more line after this one, as you will see..\n\n");

const fn repeat(line: &[u8; 65]) -> [u8; 4096] {
    let mut out = [b'\n'; 4096];
    let mut at = 0;
    while at < out.len() {
        out[at] = line[at % line.len()];
        at += 1;
    }
    out
}

pub(super) mod socks5 {
    //! RFC 1928 and RFC 1929.
    pub(in crate::farm) const NO_AUTH: &[u8] = &[5, 0];
    pub(in crate::farm) const PASSWORD: &[u8] = &[5, 2];
    pub(in crate::farm) const NO_METHOD: &[u8] = &[5, 0xff];
    pub(in crate::farm) const OTHER_VERSION: &[u8] = &[4, 0];
    pub(in crate::farm) const PASSWORD_GOOD: &[u8] = &[1, 0];
    pub(in crate::farm) const PASSWORD_BAD: &[u8] = &[1, 1];
    pub(in crate::farm) const GRANTED: &[u8] = &[5, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    pub(in crate::farm) const GRANTED_NAME: &[u8] = b"\x05\0\0\x03\x09here.test\x04\x38";
    pub(in crate::farm) const GRANTED_V6: &[u8] =
        b"\x05\0\0\x04\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\x04\x38";
    pub(in crate::farm) const HALF: &[u8] = &[5, 0, 0, 1, 0];
    /// 1: general failure, here for a request that is malformed.
    pub(in crate::farm) const FAILURE: u8 = 1;
    /// 5: connection refused.
    pub(in crate::farm) const REFUSED: u8 = 5;
    /// 7: command not supported.
    pub(in crate::farm) const NO_COMMAND: u8 = 7;

    /// The reply with this code (RFC 1928, section 6).
    pub(in crate::farm) const fn reply(code: u8) -> [u8; 10] {
        [5, code, 0, 1, 0, 0, 0, 0, 0, 0]
    }
}

pub(super) mod socks4 {
    //! The SOCKS 4 and 4a memoranda of Ying-Da Lee.
    pub(in crate::farm) const GRANTED: &[u8] = &[0, 90, 0, 0, 0, 0, 0, 0];
    pub(in crate::farm) const OTHER_VERSION: &[u8] = &[4, 90, 0, 0, 0, 0, 0, 0];
    pub(in crate::farm) const HALF: &[u8] = &[0, 90, 0];
    /// 91: rejected or failed.
    pub(in crate::farm) const REJECTED: u8 = 91;

    /// The reply with this code.
    pub(in crate::farm) const fn reply(code: u8) -> [u8; 8] {
        [0, code, 0, 0, 0, 0, 0, 0]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sha2::{Digest, Sha256};

    fn length_and_body(answer: Answer) -> (usize, usize) {
        let text = std::str::from_utf8(answer.keeps).expect("text");
        let (head, body) = text.split_once("\r\n\r\n").expect("a head");
        let length = head
            .split("\r\n")
            .find_map(|l| l.strip_prefix("Content-Length: "));
        (
            length.expect("a length").parse().expect("a number"),
            body.len(),
        )
    }

    #[test]
    fn each_content_length_is_that_of_its_body() {
        for answer in [
            KNOWN_BODY,
            TAMPERED_BODY,
            NO_NONCE,
            OWN_PAGE,
            BAD_GATEWAY,
            FORBIDDEN,
            ASKS_AUTH,
            REDIRECT,
            NOT_FOUND,
        ] {
            let (length, body) = length_and_body(answer);
            assert_eq!(length, body, "{}", answer.keeps.escape_ascii());
        }
    }

    #[test]
    fn the_target_gives_the_body_and_the_digest_that_are_exported() {
        assert!(KNOWN_BODY.keeps.ends_with(TARGET_BODY.as_bytes()));
        let digest = Sha256::digest(TARGET_BODY);
        let hex: String = digest.iter().map(|b| format!("{b:02x}")).collect();
        assert_eq!(hex, TARGET_BODY_SHA256);
    }

    #[test]
    fn endless_header_lines_go_on_seamlessly_where_the_block_repeats() {
        let twice = [FLOOD_HEADERS, FLOOD_HEADERS].concat();
        assert!(!twice.windows(4).any(|w| w == b"\r\n\r\n"));
    }
}
