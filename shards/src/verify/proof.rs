//! The demand of a target, compiled, and what an answer's head says of it.

use super::head::{Head, Wanted};
use super::search::Search;
use crate::judge::read::Reader;
use crate::policy::ProbePolicy;
use crate::rule::Rule;
use crate::target::{Demand, Field, Target};

/// The demand of a target, compiled.
pub(crate) struct Proof {
    pub(super) demand: Compiled,
    pub(super) body_bytes_max: u64,
}

/// What the answer must be.
pub(super) enum Compiled {
    /// This.
    Answer(Expected),
    /// Any success.
    Learn,
    /// A page sealed for the nonce that was sent.
    Judge(Reader),
}

/// An expectation, compiled.
pub(super) struct Expected {
    status: u16,
    pub(super) empty_body: bool,
    pub(super) search: Option<Search>,
    pub(super) sha256: Option<[u8; 32]>,
    field: Option<Field>,
    media_type: Option<Box<str>>,
    learnt: bool,
}

impl Proof {
    /// What `target` must answer.
    pub(crate) fn new(policy: &ProbePolicy, target: &Target) -> Proof {
        Proof {
            demand: match &target.demand {
                Demand::Learn => Compiled::Learn,
                Demand::Judge(secret) => Compiled::Judge(Reader::new(secret, &policy.own)),
                Demand::Answer(expectation) => Compiled::Answer(Expected {
                    status: expectation.status,
                    empty_body: expectation.empty_body,
                    search: expectation.body_contains.as_deref().map(Search::new),
                    sha256: expectation.body_sha256,
                    field: expectation.header.clone(),
                    media_type: expectation.content_type.clone(),
                    learnt: expectation.learnt,
                }),
            },
            body_bytes_max: u64::try_from(target.body_bytes_max).unwrap_or(u64::MAX),
        }
    }

    /// Whether a judge answers.
    pub(crate) fn is_judged(&self) -> bool {
        matches!(self.demand, Compiled::Judge(_))
    }

    /// What is expected by the operator or, through a proxy, as it was learnt. What a target says
    /// without a proxy is what is learnt: it is held against nothing but success.
    fn expected(&self, direct: bool) -> Option<&Expected> {
        match &self.demand {
            Compiled::Answer(expected) if !(expected.learnt && direct) => Some(expected),
            _ => None,
        }
    }

    /// What is to be looked for in the head.
    pub(super) fn wanted(&self, direct: bool) -> Wanted<'_> {
        let expected = self.expected(direct);
        Wanted {
            media_type: direct || expected.is_some_and(|expected| expected.media_type.is_some()),
            field: expected.and_then(|expected| expected.field.as_ref()),
        }
    }

    /// What a head decides by itself; nothing if it is as expected.
    pub(super) fn of_head(&self, head: &Head, direct: bool) -> Option<Rule> {
        let status = head.status;
        let expected = self.expected(direct);
        let wanted = match (expected, self.is_judged()) {
            (Some(expected), _) => Some(expected.status),
            (None, true) => Some(200),
            (None, false) => None,
        };
        if !wanted.map_or((200..300).contains(&status), |wanted| wanted == status) {
            return Some(Rule::Status { status, wanted });
        }
        let expected = expected?;
        if expected.field.is_some() && !head.has_field {
            return Some(Rule::own_page("the head lacks the field that is expected"));
        }
        match &expected.media_type {
            Some(media_type) if head.media_type.as_ref() != Some(media_type) => Some(
                Rule::own_page("the media type is not the one that the target has without a proxy"),
            ),
            _ => None,
        }
    }
}
