//! The lists that the farm serves over HTTP, as a source of proxies does.

use std::sync::{Arc, PoisonError, RwLock};

/// Whole answers, head included, by number; their URL is `/lists/NUMBER`.
#[derive(Debug, Default)]
pub(super) struct Lists {
    answers: RwLock<Vec<Arc<[u8]>>>,
}

/// A list as an answer that leaves the connection open.
fn compose(text: &str) -> Arc<[u8]> {
    let length = text.len();
    let head = "HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8";
    format!("{head}\r\nContent-Length: {length}\r\n\r\n{text}")
        .into_bytes()
        .into()
}

impl Lists {
    /// Adds a list; its number.
    pub(super) fn add(&self, text: &str) -> usize {
        let mut answers = self.answers.write().unwrap_or_else(PoisonError::into_inner);
        answers.push(compose(text));
        answers.len() - 1
    }

    /// Replaces the list `number`; whether there is one.
    pub(super) fn set(&self, number: usize, text: &str) -> bool {
        let mut answers = self.answers.write().unwrap_or_else(PoisonError::into_inner);
        answers
            .get_mut(number)
            .map(|answer| *answer = compose(text))
            .is_some()
    }

    pub(super) fn answer(&self, number: usize) -> Option<Arc<[u8]>> {
        let answers = self.answers.read().unwrap_or_else(PoisonError::into_inner);
        answers.get(number).cloned()
    }
}
