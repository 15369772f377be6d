//! Entity tags: what a client says that it has, and what a listing is called.

use super::listing::Form;
use crate::snapshot::Snapshot;
use axum::http::header::IF_NONE_MATCH;
use axum::http::{HeaderMap, HeaderValue};
use std::hash::{BuildHasher, Hash, Hasher, RandomState};
use url::form_urlencoded;

/// Makes the tags of this process: another one, and the same after a restart, calls nothing by the
/// same tag.
#[derive(Debug, Default)]
pub(super) struct Tags {
    seed: RandomState,
}

impl Tags {
    /// The tag of the listing that `query` asks for in this form, known before it is made. It is the
    /// same for as long as the pool and the names in it are, and weak: a listing is the same whether
    /// compressed or not. The key is no part of it.
    pub(super) fn of(&self, snapshot: &Snapshot, form: Form, query: Option<&str>) -> String {
        let mut hasher = self.seed.build_hasher();
        (snapshot.listing, form).hash(&mut hasher);
        let query = query.unwrap_or("").as_bytes();
        for pair in form_urlencoded::parse(query).filter(|(name, _)| name != "key") {
            pair.hash(&mut hasher);
        }
        format!("W/\"{:x}-{:016x}\"", snapshot.listing, hasher.finish())
    }
}

/// The tag of a listing by its digest; weak, too.
pub(super) fn of_bytes(digest: u64) -> String {
    format!("W/\"{digest:016x}\"")
}

/// Whether `If-None-Match` (RFC 9110, section 13.1.2) names `tag`. Compared weakly: a `W/` in front
/// makes no difference.
pub(super) fn names(headers: &HeaderMap, tag: &str) -> bool {
    let tag = opaque(tag);
    values(headers).any(|value| listed(value).any(|theirs| theirs == tag))
}

/// Whether it says `*`: anything that the client might have.
pub(super) fn names_any(headers: &HeaderMap) -> bool {
    values(headers).any(|value| value.trim_ascii() == b"*")
}

fn values(headers: &HeaderMap) -> impl Iterator<Item = &[u8]> {
    let values = headers.get_all(IF_NONE_MATCH).iter();
    values.map(HeaderValue::as_bytes)
}

/// A tag without what makes it weak, and its quotation marks.
fn opaque(tag: &str) -> &[u8] {
    let tag = tag.strip_prefix("W/").unwrap_or(tag);
    tag.trim_matches('"').as_bytes()
}

/// The opaque tags of a list. Commas may stand in a tag, quotation marks may not; what follows on
/// something that is no tag is not read.
fn listed(mut rest: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        while let [b' ' | b'\t' | b',', behind @ ..] = rest {
            rest = behind;
        }
        let quoted = rest.strip_prefix(b"W/").unwrap_or(rest);
        let text = quoted.strip_prefix(b"\"")?;
        let end = text.iter().position(|&byte| byte == b'"')?;
        rest = &text[end + 1..];
        Some(&text[..end])
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(values: &[&str], expected: bool) {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(IF_NONE_MATCH, value.parse().unwrap());
        }
        assert_eq!(names(&headers, "W/\"ab-12\""), expected, "{values:?}");
    }

    #[test]
    fn a_tag_is_found_in_every_list_weak_or_not() {
        check(&["W/\"ab-12\""], true);
        check(&["\"ab-12\""], true);
        check(&["\"x\", W/\"ab-12\""], true);
        check(&["\"a,b\",,\t\"ab-12\" , \"y\""], true);
        check(&["\"x\"", "\"ab-12\""], true);
    }

    #[test]
    fn nothing_else_is_a_match() {
        check(&[], false);
        for value in [
            "",
            "ab-12",
            "\"ab-12",
            "ab-12\"",
            "\"AB-12\"",
            "\"ab-123\"",
            "\"\"",
            "w/\"ab-12\"",
            "W/ \"ab-12\"",
            "x \"ab-12\"",
            "*",
        ] {
            check(&[value], false);
        }
    }

    #[test]
    fn a_star_stands_alone() {
        let any = |value: &'static str| {
            let headers = HeaderMap::from_iter([(IF_NONE_MATCH, HeaderValue::from_static(value))]);
            names_any(&headers)
        };
        assert!(any("*") && any(" * "));
        assert!(!any("\"*\"") && !any("*, \"a\"") && !any(""));
    }

    #[test]
    fn a_tag_differs_by_all_that_is_listed_and_not_by_the_key() {
        let (tags, other) = (Tags::default(), Tags::default());
        let published = crate::snapshot::Published::empty(std::time::SystemTime::UNIX_EPOCH);
        let snapshot = published.load();
        let tag = |form, query| tags.of(&snapshot, form, Some(query));
        let plain = tag(Form::Addresses, "all=1");
        assert_eq!(plain, tag(Form::Addresses, "key=a&all=1&key=b"));
        assert_ne!(plain, tag(Form::Json, "all=1"));
        assert_ne!(plain, tag(Form::Addresses, "all=1&protocol=http"));
        assert_ne!(plain, tag(Form::Addresses, "all=1&x=1"));
        assert_ne!(plain, other.of(&snapshot, Form::Addresses, Some("all=1")));
    }
}
