//! Pure: does this response prove that the target answered, unchanged, through the proxy?

pub(crate) mod body;
pub(crate) mod framing;
pub(crate) mod head;
pub(crate) mod proof;
pub(crate) mod search;

use crate::judge::{Exit, Nonce};
use crate::rule::Rule;
use crate::target::Learnt;
use body::Body;
use head::{Head, HeadReader};
pub(crate) use proof::Proof;
use std::rc::Rc;

/// What belongs to one conversation and not to its plan. Only those with a judge, and those without
/// a proxy, have one.
pub(crate) struct Aside {
    /// Whether there is no proxy.
    pub(crate) direct: bool,
    /// The request to the target itself, with the nonce in it.
    pub(crate) request: Rc<[u8]>,
    /// What a judge must repeat; without a judge it is not looked at.
    pub(crate) nonce: Nonce,
    /// The body, as far as a judge's page can be long; empty without a judge.
    page: Vec<u8>,
    /// What a judge saw.
    pub(crate) exit: Option<Exit>,
    /// What the target said, if there is no proxy.
    pub(crate) learnt: Option<Box<Learnt>>,
}

impl Aside {
    /// Nothing is known yet.
    pub(crate) fn new(direct: bool, nonce: Nonce, request: Rc<[u8]>) -> Aside {
        Aside {
            direct,
            request,
            nonce,
            page: Vec::new(),
            exit: None,
            learnt: None,
        }
    }
}

/// What an answer is held against, and what it leaves behind.
pub(crate) struct Trial<'a> {
    /// The demand of the target.
    pub(crate) proof: &'a Proof,
    /// What is this conversation's own.
    pub(crate) aside: Option<&'a mut Aside>,
}

impl Trial<'_> {
    /// Whether there is no proxy.
    fn is_direct(&self) -> bool {
        self.aside.as_ref().is_some_and(|aside| aside.direct)
    }
}

/// An answer as it comes in, in pieces of any size. Nothing of a body is kept but a judge's page.
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
    /// Takes bytes of the answer; an empty slice is the end of the stream, and always ends it. The
    /// rule is the last word: bytes behind the end of the answer are not looked at.
    pub(crate) fn received(&mut self, trial: &mut Trial<'_>, bytes: &[u8]) -> Option<Rule> {
        let ended = match self {
            Answer::Head(_) if bytes.is_empty() => {
                return Some(Rule::closed(
                    "the stream ended before the answer's head did",
                ));
            }
            Answer::Head(reader) => {
                let wanted = trial.proof.wanted(trial.is_direct());
                match reader.received(wanted, bytes) {
                    Ok(None) => return None,
                    Ok(Some((head, rest))) => self.head(trial, head, rest),
                    Err(rule) => Err(rule),
                }
            }
            Answer::Body(body) if bytes.is_empty() => return Some(body.closed(trial)),
            Answer::Body(body) => body.received(trial, bytes),
        };
        ended.unwrap_or_else(Some)
    }

    fn head(
        &mut self,
        trial: &mut Trial<'_>,
        head: Head,
        rest: &[u8],
    ) -> Result<Option<Rule>, Rule> {
        let direct = trial.is_direct();
        if let Some(aside) = trial.aside.as_mut().filter(|_| direct) {
            aside.learnt = Some(Box::new(Learnt {
                status: head.status,
                content_type: head.media_type.clone(),
            }));
        }
        if let Some(rule) = trial.proof.of_head(&head, direct) {
            return Err(rule);
        }
        let mut body = Body::new(trial.proof, head)?;
        let ended = body.received(trial, rest)?;
        *self = Answer::Body(body);
        Ok(ended)
    }
}

#[cfg(any(test, fuzzing))]
pub(crate) mod fuzz;
#[cfg(test)]
pub(crate) mod tests;
