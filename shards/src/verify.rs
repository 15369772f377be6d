//! Pure: does this response prove that the target answered, unchanged, through the proxy?

pub(crate) mod framing;
pub(crate) mod head;
pub(crate) mod search;

use crate::Verdict;
use crate::target::{Demand, Expectation, Target};
use framing::{Framing, Piece};
use head::{HEAD_BYTES_MAX, Head, HeadReader};
use search::Search;
use sha2::{Digest, Sha256};

/// The expectation of a policy, compiled.
pub(crate) struct Proof {
    status: u16,
    empty_body: bool,
    search: Option<Search>,
    sha256: Option<[u8; 32]>,
    body_bytes_max: u64,
}

impl Proof {
    /// What `target` must answer.
    pub(crate) fn new(target: &Target) -> Proof {
        let unknown = Expectation {
            status: 200,
            ..Expectation::default()
        };
        let expectation = match &target.demand {
            Demand::Answer(expectation) => expectation,
            Demand::Learn => &unknown,
            Demand::Judge(_) => todo!(),
        };
        Proof {
            status: expectation.status,
            empty_body: expectation.empty_body,
            search: expectation.body_contains.as_deref().map(Search::new),
            sha256: expectation.body_sha256,
            body_bytes_max: u64::try_from(target.body_bytes_max).unwrap_or(u64::MAX),
        }
    }

    /// What a status says by itself; nothing if it is the expected one.
    fn of_status(&self, status: u16) -> Option<Verdict> {
        match status {
            _ if status == self.status => None,
            407 => Some(Verdict::AuthRequired),
            200..=299 => Some(Verdict::OwnPage),
            300..=399 => Some(Verdict::Redirected),
            _ => Some(Verdict::WrongStatus),
        }
    }
}

/// An answer as it comes in, in pieces of any size. Nothing of a body is kept.
pub(crate) enum Answer {
    /// Before the end of the head.
    Head(HeadReader),
    /// Behind it.
    Body(Body),
}

impl Default for Answer {
    fn default() -> Answer {
        Answer::Head(HeadReader::default())
    }
}

impl Answer {
    /// Takes bytes of the answer; an empty slice is the end of the stream, and always gives a
    /// verdict. A verdict is the last word: bytes behind the end of the answer are not looked at.
    pub(crate) fn received(&mut self, proof: &Proof, bytes: &[u8]) -> Option<Verdict> {
        let ended = match self {
            Answer::Head(_) if bytes.is_empty() => return Some(Verdict::Closed),
            Answer::Head(reader) => match reader.received(bytes) {
                Ok(None) => return None,
                Ok(Some((head, rest))) => self.head(proof, head, rest),
                Err(verdict) => Err(verdict),
            },
            Answer::Body(body) if bytes.is_empty() => return Some(body.closed(proof)),
            Answer::Body(body) => body.received(proof, bytes),
        };
        ended.unwrap_or_else(Some)
    }

    fn head(&mut self, proof: &Proof, head: Head, rest: &[u8]) -> Result<Option<Verdict>, Verdict> {
        if let Some(verdict) = proof.of_status(head.status) {
            return Err(verdict);
        }
        let mut body = Body::new(proof, head)?;
        let ended = body.received(proof, rest)?;
        *self = Answer::Body(body);
        Ok(ended)
    }
}

/// The body of an answer whose status is the expected one.
pub(crate) struct Body {
    framing: Framing,
    /// Content bytes so far.
    content_bytes: u64,
    /// State of the search for the expected bytes.
    matched: u32,
    sha256: Option<Box<Sha256>>,
}

impl Body {
    fn new(proof: &Proof, head: Head) -> Result<Body, Verdict> {
        let framing = match (head.status, head.framing?) {
            // RFC 9112, section 6.3: no body follows, though 304 announces what 200 would have.
            (304, _) => Framing::Length(0),
            (_, Framing::Length(1..)) if proof.empty_body => return Err(Verdict::OwnPage),
            (204, _) => Framing::Length(0),
            (_, Framing::Length(length)) if length > proof.body_bytes_max => {
                return Err(Verdict::TooLarge);
            }
            (_, framing) => framing,
        };
        Ok(Body {
            framing,
            content_bytes: 0,
            matched: 0,
            sha256: proof.sha256.map(|_| Box::new(Sha256::new())),
        })
    }

    fn received(&mut self, proof: &Proof, bytes: &[u8]) -> Result<Option<Verdict>, Verdict> {
        let overhead_max = proof.body_bytes_max.saturating_add(HEAD_BYTES_MAX as u64);
        let mut rest = bytes;
        loop {
            match self.framing.next(rest, overhead_max)? {
                Piece::Content(content, behind) => {
                    self.take(proof, content)?;
                    rest = behind;
                }
                Piece::More => return Ok(None),
                Piece::End => return Ok(Some(self.verdict(proof))),
            }
        }
    }

    fn take(&mut self, proof: &Proof, content: &[u8]) -> Result<(), Verdict> {
        if proof.empty_body && !content.is_empty() {
            return Err(Verdict::OwnPage);
        }
        self.content_bytes = self.content_bytes.saturating_add(content.len() as u64);
        if self.content_bytes > proof.body_bytes_max {
            return Err(Verdict::TooLarge);
        }
        if let Some(search) = &proof.search {
            self.matched = search.advance(self.matched, content);
        }
        if let Some(sha256) = &mut self.sha256 {
            sha256.update(content);
        }
        Ok(())
    }

    /// The stream ended: that is the end of a body without other framing, and breaks any other.
    fn closed(&mut self, proof: &Proof) -> Verdict {
        match self.framing {
            Framing::UntilClose => self.verdict(proof),
            _ => Verdict::Closed,
        }
    }

    /// The body is whole; its status and its emptiness were checked on the way.
    fn verdict(&mut self, proof: &Proof) -> Verdict {
        let found = proof
            .search
            .as_ref()
            .is_none_or(|search| search.is_found(self.matched));
        let digest = self.sha256.take().map(|sha256| sha256.finalize());
        let same = proof.sha256.is_none_or(|expected| {
            digest.is_some_and(|digest| digest.as_slice() == expected.as_slice())
        });
        match found && same {
            true => Verdict::Alive,
            false => Verdict::OwnPage,
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
