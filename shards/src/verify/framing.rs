//! Where the body of an answer ends: by length, by chunks (RFC 9112, section 7.1), or with the
//! stream.

use crate::rule::Rule;

/// A chunk without a size.
const NOT_A_SIZE: Rule = Rule::garbled("a chunk has no hexadecimal size of 64 bits");

/// How a body is framed, and how far it was read.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Framing {
    /// This many content bytes are still to come.
    Length(u64),
    /// Chunks.
    Chunked(Chunks),
    /// Everything until the peer closes.
    UntilClose,
}

/// What [`Framing::next`] found first.
#[derive(Debug, PartialEq)]
pub(crate) enum Piece<'a> {
    /// Content, and the bytes behind it, which are to be looked at next.
    Content(&'a [u8], &'a [u8]),
    /// The end of the body; what stands behind it is not ours.
    End,
    /// Nothing is left to look at.
    More,
}

/// The state of a chunked body.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Chunks {
    /// Size of the chunk while it is read, then content bytes still to come.
    size: u64,
    /// Bytes that were not content: sizes, extensions, line ends, trailers.
    overhead: u64,
    next: Next,
}

/// What the next byte of a chunked body is.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Next {
    Size,
    SizeGoesOn,
    /// White space behind a size, which some servers pad with.
    Padding,
    Extension,
    SizeLf,
    Content,
    ContentCr,
    ContentLf,
    Trailer,
    TrailerGoesOn,
    TrailerLf,
    LastLf,
    End,
}

impl Framing {
    /// A chunked body at its start.
    pub(crate) const fn chunked() -> Framing {
        Framing::Chunked(Chunks {
            size: 0,
            overhead: 0,
            next: Next::Size,
        })
    }

    /// Takes the first piece of `bytes`.
    ///
    /// # Errors
    /// `bad_protocol` for chunks that are none; `too_large` if more than `overhead_max` bytes of
    /// them are not content.
    pub(crate) fn next<'a>(
        &mut self,
        bytes: &'a [u8],
        overhead_max: u64,
    ) -> Result<Piece<'a>, Rule> {
        match self {
            Framing::Length(0) => Ok(Piece::End),
            Framing::Length(left) => Ok(content(left, bytes)),
            Framing::Chunked(chunks) => chunks.next(bytes, overhead_max),
            Framing::UntilClose if bytes.is_empty() => Ok(Piece::More),
            Framing::UntilClose => Ok(Piece::Content(bytes, &[])),
        }
    }
}

/// Takes at most `left` of `bytes`.
fn content<'a>(left: &mut u64, bytes: &'a [u8]) -> Piece<'a> {
    if bytes.is_empty() {
        return Piece::More;
    }
    let length = usize::try_from(*left)
        .unwrap_or(usize::MAX)
        .min(bytes.len());
    let (content, behind) = bytes.split_at(length);
    *left -= length as u64;
    Piece::Content(content, behind)
}

impl Chunks {
    fn next<'a>(&mut self, bytes: &'a [u8], overhead_max: u64) -> Result<Piece<'a>, Rule> {
        let mut rest = bytes;
        loop {
            match self.next {
                Next::End => return Ok(Piece::End),
                Next::Content if self.size == 0 => self.next = Next::ContentCr,
                Next::Content => return Ok(content(&mut self.size, rest)),
                _ => {
                    let Some((&byte, behind)) = rest.split_first() else {
                        return Ok(Piece::More);
                    };
                    self.next = self.turn(byte)?;
                    self.overhead += 1;
                    if self.overhead > overhead_max {
                        return Err(Rule::too_large(
                            "sizes, extensions and trailers of chunks exceed their cap",
                        ));
                    }
                    rest = behind;
                }
            }
        }
    }

    fn turn(&mut self, byte: u8) -> Result<Next, Rule> {
        let digit = char::from(byte).to_digit(16);
        Ok(match (self.next, byte) {
            (Next::Size, _) => {
                self.size = digit.ok_or(NOT_A_SIZE)?.into();
                Next::SizeGoesOn
            }
            (Next::SizeGoesOn | Next::Padding | Next::Extension, b'\r') => Next::SizeLf,
            (Next::SizeGoesOn | Next::Padding, b';') => Next::Extension,
            (Next::SizeGoesOn | Next::Padding, b' ' | b'\t') => Next::Padding,
            (Next::SizeGoesOn, _) => {
                let digit = digit.ok_or(NOT_A_SIZE)?;
                let shifted = self.size.checked_mul(16).ok_or(NOT_A_SIZE)?;
                self.size = shifted + u64::from(digit);
                Next::SizeGoesOn
            }
            (Next::SizeLf, b'\n') if self.size == 0 => Next::Trailer,
            (Next::SizeLf, b'\n') => Next::Content,
            (Next::ContentCr, b'\r') => Next::ContentLf,
            (Next::ContentLf, b'\n') => Next::Size,
            (Next::Trailer, b'\r') => Next::LastLf,
            (Next::TrailerGoesOn, b'\r') => Next::TrailerLf,
            (Next::TrailerLf, b'\n') => Next::Trailer,
            (Next::LastLf, b'\n') => Next::End,
            (Next::Extension, 1..=9 | 11..) => Next::Extension,
            (Next::Trailer | Next::TrailerGoesOn, 1..=9 | 11..) => Next::TrailerGoesOn,
            _ => return Err(Rule::garbled("a chunk is not framed as one")),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Verdict;
    use crate::verify::tests::splits;

    /// The content of `body` and whether it ended, however it is split.
    fn check(framing: Framing, body: &str, expected: Result<(&str, bool), Verdict>) {
        for pieces in splits(body.as_bytes()) {
            let read = read(framing, &pieces).map_err(|rule| rule.verdict());
            let read = read.as_ref().map(|(content, ended)| (&**content, *ended));
            assert_eq!(read, expected.as_ref().copied(), "{body:?} as {pieces:?}");
        }
    }

    fn read(mut framing: Framing, pieces: &[&[u8]]) -> Result<(String, bool), Rule> {
        let mut read = Vec::new();
        for piece in pieces {
            let mut rest = *piece;
            loop {
                match framing.next(rest, 64)? {
                    Piece::Content(content, behind) => {
                        read.extend(content);
                        rest = behind;
                    }
                    Piece::More => break,
                    Piece::End => return Ok((String::from_utf8_lossy(&read).into(), true)),
                }
            }
        }
        Ok((String::from_utf8_lossy(&read).into(), false))
    }

    #[test]
    fn a_length_counts_down_and_leaves_what_follows() {
        check(Framing::Length(5), "hello, world", Ok(("hello", true)));
        check(Framing::Length(5), "hell", Ok(("hell", false)));
        check(Framing::Length(0), "x", Ok(("", true)));
        check(Framing::Length(u64::MAX), "hello", Ok(("hello", false)));
    }

    #[test]
    fn without_framing_everything_is_content() {
        check(Framing::UntilClose, "0\r\n\r\n", Ok(("0\r\n\r\n", false)));
    }

    #[test]
    fn chunks_are_put_together() {
        let check = |body, expected| check(Framing::chunked(), body, Ok((expected, true)));
        check("5\r\nhello\r\n0\r\n\r\n", "hello");
        check(
            "1\r\na\r\n00a\r\n0123456789\r\n000\r\n\r\nmore",
            "a0123456789",
        );
        check("5;a=\"b\"\r\nhello\r\n0;x\r\n\r\n", "hello");
        check("5  \r\nhello\r\n0 ;y\r\n\r\n", "hello");
        check("0\r\nA: b\r\nC: d\r\n\r\n", "");
    }

    #[test]
    fn chunks_without_an_end_go_on() {
        for body in [
            "5\r\nhello",
            "5\r\nhello\r\n",
            "5\r\nhello\r\n0\r\n",
            "5\r\nhello\r\n0\r\n\r",
        ] {
            check(Framing::chunked(), body, Ok(("hello", false)));
        }
    }

    #[test]
    fn chunks_that_are_none_are_bad_protocol() {
        for body in [
            "\r\n",
            "x\r\n",
            "-5\r\nhello",
            "5\nhello",
            "5\r\nhello0\r\n\r\n",
            "5\r\nhello\n0",
            "5 5\r\n",
            "0x5\r\n",
            "5;\n",
            "5;\0",
            "5\rx",
            "0\r\nA\n",
            "0\r\n\rx",
            "11111111111111111\r\n",
        ] {
            check(Framing::chunked(), body, Err(Verdict::BadProtocol));
        }
    }

    #[test]
    fn the_largest_size_is_a_size() {
        let body = "ffffffffffffffff\r\nhello";
        check(Framing::chunked(), body, Ok(("hello", false)));
    }

    #[test]
    fn extensions_and_trailers_are_capped() {
        check(
            Framing::chunked(),
            &format!("5;{}", "x".repeat(63)),
            Err(Verdict::TooLarge),
        );
        check(
            Framing::chunked(),
            &format!("0\r\n{}", "A: b\r\n".repeat(11)),
            Err(Verdict::TooLarge),
        );
        check(
            Framing::chunked(),
            &"1\r\nx\r\n".repeat(13),
            Err(Verdict::TooLarge),
        );
    }
}
