//! What an answer says: a status, and how a probe ended.

use memchr::memmem;

/// Most of a head that is read, in bytes.
pub(super) const HEAD_BYTES_MAX: usize = 16 * 1024;

/// How a probe ended, as coarsely as these checkers tell it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum End {
    /// It did not, yet.
    #[default]
    Open,
    /// The whole head came, with status 204.
    Alive,
    /// Another head came, or none.
    OtherAnswer,
    /// RST to the SYN.
    Refused,
    /// A deadline passed.
    TimedOut,
    /// The connection ended, or failed otherwise.
    Lost,
}

impl End {
    pub(super) const ALL: [End; 6] = [
        End::Open,
        End::Alive,
        End::OtherAnswer,
        End::Refused,
        End::TimedOut,
        End::Lost,
    ];

    /// The word in the results; `alive` is the only one that is also the checker's.
    pub(super) const fn label(self) -> &'static str {
        match self {
            End::Open => "open",
            End::Alive => "alive",
            End::OtherAnswer => "other_answer",
            End::Refused => "refused",
            End::TimedOut => "timed_out",
            End::Lost => "lost",
        }
    }

    /// What an error of the system says of the proxy.
    pub(super) fn of_errno(errno: i32) -> End {
        match errno {
            libc::ECONNREFUSED => End::Refused,
            libc::ETIMEDOUT => End::TimedOut,
            _ => End::Lost,
        }
    }
}

/// What is read so far of an answer.
#[derive(Debug, Default)]
pub(super) struct Head(Vec<u8>);

impl Head {
    /// Takes what came; nothing came at the end of the stream. The end, once it is clear. What comes
    /// whole in one piece is not copied.
    pub(super) fn take(&mut self, bytes: &[u8]) -> Option<End> {
        if bytes.is_empty() {
            return Some(End::Lost);
        }
        if self.0.is_empty() {
            let end = end_of(bytes, 0);
            if end.is_none() {
                self.0.extend_from_slice(bytes);
            }
            return end;
        }
        let known = self.0.len();
        self.0.extend_from_slice(bytes);
        end_of(&self.0, known)
    }

    /// Forgets it and gives the memory back.
    pub(super) fn clear(&mut self) {
        self.0 = Vec::new();
    }
}

/// The end that `head` tells, of which the first `known` bytes told none.
fn end_of(head: &[u8], known: usize) -> Option<End> {
    const START: &[u8] = b"HTTP/1.";
    const WHOLE: &[u8] = b"\r\n\r\n";
    let begin = head.len().min(START.len());
    if head[..begin] != START[..begin] {
        return Some(End::OtherAnswer);
    }
    let new = &head[known.saturating_sub(WHOLE.len() - 1)..];
    if memmem::find(new, WHOLE).is_some() {
        return Some(match head.get(START.len() + 1..START.len() + 6) {
            Some(b" 204 ") => End::Alive,
            _ => End::OtherAnswer,
        });
    }
    (head.len() >= HEAD_BYTES_MAX).then_some(End::OtherAnswer)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn end(pieces: &[&[u8]]) -> Option<End> {
        let mut head = Head::default();
        pieces.iter().find_map(|piece| head.take(piece))
    }

    #[test]
    fn a_204_is_alive_wherever_it_is_split() {
        let answer = b"HTTP/1.1 204 No Content\r\nDate: now\r\n\r\n";
        for at in 1..answer.len() {
            let (one, two) = answer.split_at(at);
            assert_eq!(end(&[one]), None, "{at}");
            assert_eq!(end(&[one, two]), Some(End::Alive), "{at}");
        }
    }

    #[test]
    fn another_status_another_protocol_and_too_much_are_other_answers() {
        assert_eq!(end(&[b"HTTP/1.1 200 OK\r\n\r\n"]), Some(End::OtherAnswer));
        assert_eq!(end(&[b"HTTP/1.1 2045 OK\r\n\r\n"]), Some(End::OtherAnswer));
        assert_eq!(end(&[b"SSH-2.0"]), Some(End::OtherAnswer));
        assert_eq!(end(&[&[5, 0]]), Some(End::OtherAnswer));
        let mut long = b"HTTP/1.1 204 No Content\r\n".to_vec();
        long.resize(HEAD_BYTES_MAX, b'x');
        assert_eq!(end(&[&long]), Some(End::OtherAnswer));
    }

    #[test]
    fn an_end_before_the_head_is_whole_is_a_loss() {
        assert_eq!(end(&[b"HTTP/1.1 204 No Content\r\n", b""]), Some(End::Lost));
    }
}
