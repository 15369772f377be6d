//! The body of an answer whose head is as expected.

use super::framing::{Framing, Piece};
use super::head::{HEAD_BYTES_MAX, Head};
use super::proof::{Compiled, Expected, Proof};
use super::{Aside, Trial};
use crate::judge::PAGE_BYTES_MAX;
use crate::judge::read::Reader;
use crate::rule::Rule;
use sha2::{Digest, Sha256};

/// A body that must be empty and is not.
const NOT_EMPTY: Rule = Rule::own_page("there is a body where none is expected");
/// A body beyond its cap.
const TOO_LONG: Rule = Rule::too_large("the body is longer than what is read of this target");

/// The body of an answer whose head is as expected.
pub(crate) struct Body {
    framing: Framing,
    status: u16,
    /// State of the search for the expected bytes.
    matched: u32,
    /// Content bytes so far.
    content_bytes: u64,
    sha256: Option<Box<Sha256>>,
}

impl Proof {
    fn expects(&self) -> Option<&Expected> {
        match &self.demand {
            Compiled::Answer(expected) => Some(expected),
            _ => None,
        }
    }

    fn expects_no_body(&self) -> bool {
        self.expects().is_some_and(|expected| expected.empty_body)
    }
}

impl Body {
    pub(super) fn new(proof: &Proof, head: Head) -> Result<Body, Rule> {
        let framing = match (head.status, head.framing?) {
            // RFC 9112, section 6.3: no body follows, though 304 announces what 200 would have.
            (304, _) => Framing::Length(0),
            (_, Framing::Length(1..)) if proof.expects_no_body() => return Err(NOT_EMPTY),
            (204, _) => Framing::Length(0),
            (_, Framing::Length(length)) if length > proof.body_bytes_max => return Err(TOO_LONG),
            (_, framing) => framing,
        };
        let sha256 = proof.expects().and_then(|expected| expected.sha256);
        Ok(Body {
            framing,
            status: head.status,
            matched: 0,
            content_bytes: 0,
            sha256: sha256.map(|_| Box::new(Sha256::new())),
        })
    }

    pub(super) fn received(
        &mut self,
        trial: &mut Trial<'_>,
        bytes: &[u8],
    ) -> Result<Option<Rule>, Rule> {
        let overhead_max = trial
            .proof
            .body_bytes_max
            .saturating_add(HEAD_BYTES_MAX as u64);
        let mut rest = bytes;
        loop {
            match self.framing.next(rest, overhead_max)? {
                Piece::Content(content, behind) => {
                    self.take(trial, content)?;
                    rest = behind;
                }
                Piece::More => return Ok(None),
                Piece::End => return Ok(Some(self.ended(trial))),
            }
        }
    }

    fn take(&mut self, trial: &mut Trial<'_>, content: &[u8]) -> Result<(), Rule> {
        if trial.proof.expects_no_body() && !content.is_empty() {
            return Err(NOT_EMPTY);
        }
        self.content_bytes = self.content_bytes.saturating_add(content.len() as u64);
        if self.content_bytes > trial.proof.body_bytes_max {
            return Err(TOO_LONG);
        }
        match (&trial.proof.demand, &mut trial.aside) {
            (Compiled::Answer(expected), _) => {
                if let Some(search) = &expected.search {
                    self.matched = search.advance(self.matched, content);
                }
                if let Some(sha256) = &mut self.sha256 {
                    sha256.update(content);
                }
            }
            (Compiled::Judge(_), Some(aside)) => {
                let room = PAGE_BYTES_MAX.saturating_sub(aside.page.len());
                let kept = &content[..content.len().min(room)];
                aside.page.extend_from_slice(kept);
            }
            _ => {}
        }
        Ok(())
    }

    /// The stream ended: that is the end of a body without other framing, and breaks any other.
    pub(super) fn closed(&mut self, trial: &mut Trial<'_>) -> Rule {
        match self.framing {
            Framing::UntilClose => self.ended(trial),
            _ => Rule::closed("the stream ended before the answer's body did"),
        }
    }

    /// The body is whole; its head and its emptiness were checked on the way.
    fn ended(&mut self, trial: &mut Trial<'_>) -> Rule {
        match (&trial.proof.demand, &mut trial.aside) {
            (Compiled::Learn, _) => Rule::Proven(self.status),
            (Compiled::Answer(expected), _) => self.compared(expected),
            (Compiled::Judge(reader), Some(aside)) => self.judged(reader, aside),
            (Compiled::Judge(_), None) => Rule::fault("a judge was asked without a nonce"),
        }
    }

    fn compared(&mut self, expected: &Expected) -> Rule {
        let search = expected.search.as_ref();
        if search.is_some_and(|search| !search.is_found(self.matched)) {
            return Rule::own_page("the body does not contain what is expected");
        }
        let digest = self.sha256.take().map(|sha256| sha256.finalize());
        let same = expected.sha256.is_none_or(|expected| {
            digest.is_some_and(|digest| digest.as_slice() == expected.as_slice())
        });
        match same {
            true => Rule::Proven(self.status),
            false => Rule::own_page("the body does not have the SHA-256 that is expected"),
        }
    }

    fn judged(&self, reader: &Reader, aside: &mut Aside) -> Rule {
        let page = std::mem::take(&mut aside.page);
        let whole = self.content_bytes == page.len() as u64;
        match reader.read(&aside.nonce, &page, whole) {
            Ok(exit) => {
                aside.exit = Some(exit);
                Rule::Told(
                    crate::Verdict::Alive,
                    "the page has the judge's seal over our nonce: the judge answered, unchanged",
                )
            }
            Err(rule) => rule,
        }
    }
}
