//! What was found of one thing, and what to do about it.

use serde::Serialize;
use std::fmt;

/// How it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum State {
    /// As it should be.
    Ok,
    /// The service works, with less than it could.
    Warning,
    /// The service cannot work.
    Bad,
    /// It could not be told.
    Unknown,
}

/// What was found of one thing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Finding {
    pub(super) name: Box<str>,
    pub(super) state: State,
    pub(super) found: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) remedy: Option<String>,
}

impl Finding {
    fn new(name: &str, state: State, found: impl Into<String>) -> Finding {
        Finding {
            name: name.into(),
            state,
            found: found.into(),
            remedy: None,
        }
    }

    pub(super) fn ok(name: &str, found: impl Into<String>) -> Finding {
        Finding::new(name, State::Ok, found)
    }

    pub(super) fn unknown(name: &str, found: impl Into<String>) -> Finding {
        Finding::new(name, State::Unknown, found)
    }

    pub(super) fn warning(
        name: &str,
        found: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Finding {
        Finding {
            remedy: Some(remedy.into()),
            ..Finding::new(name, State::Warning, found)
        }
    }

    pub(super) fn bad(name: &str, found: impl Into<String>, remedy: impl Into<String>) -> Finding {
        Finding {
            remedy: Some(remedy.into()),
            ..Finding::new(name, State::Bad, found)
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match self.state {
            State::Ok => "ok",
            State::Warning => "warn",
            State::Bad => "BAD",
            State::Unknown => "?",
        };
        write!(f, "{state:<5}{:<16}{}", self.name, self.found)?;
        match &self.remedy {
            Some(remedy) => write!(f, "\n{:21}-> {remedy}", ""),
            None => Ok(()),
        }
    }
}
