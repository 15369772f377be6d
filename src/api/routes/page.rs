//! `/`: the status page, one document that holds all that it needs.
//!
//! Its parts stand in `src/api/page`: a document, its style, and its script in a few files that share
//! one scope. They are put together once, and the policy that is sent along admits exactly that
//! style and that script, by their hashes: nothing that a peer wrote can become either.

use crate::api::answer::Answer;
use crate::api::coding::Fixed;
use crate::api::desk::Call;
use axum::http::{HeaderValue, header};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use sha2::{Digest, Sha256};
use std::sync::LazyLock;

const DOCUMENT: &str = include_str!("../page/index.html");
const STYLE: &str = include_str!("../page/style.css");
/// In the order in which they run, in a scope of their own.
const SCRIPT: &str = concat!(
    "\"use strict\";\n{\n",
    include_str!("../page/words.js"),
    include_str!("../page/show.js"),
    include_str!("../page/chart.js"),
    include_str!("../page/sources.js"),
    include_str!("../page/nodes.js"),
    include_str!("../page/table.js"),
    include_str!("../page/save.js"),
    include_str!("../page/live.js"),
    "}\n",
);

/// The page as it is sent.
struct Page {
    body: Fixed,
    policy: HeaderValue,
}

static PAGE: LazyLock<Page> = LazyLock::new(|| {
    let policy = format!(
        "default-src 'none'; script-src 'sha256-{}'; style-src 'sha256-{}'; connect-src 'self'; \
         img-src data:; frame-ancestors 'none'; base-uri 'none'; form-action 'none'; \
         require-trusted-types-for 'script'; trusted-types 'none'",
        hash(SCRIPT),
        hash(STYLE)
    );
    Page {
        body: Fixed::new(document()),
        policy: HeaderValue::from_str(&policy).expect("hashes are ASCII"),
    }
});

fn document() -> String {
    DOCUMENT
        .replacen("<style></style>", &format!("<style>{STYLE}</style>"), 1)
        .replacen(
            "<script></script>",
            &format!("<script>{SCRIPT}</script>"),
            1,
        )
}

fn hash(text: &str) -> String {
    BASE64_STANDARD.encode(Sha256::digest(text))
}

/// The page knows nothing: it asks for the figures, with a key if one is needed.
pub(super) fn answer(call: &Call<'_>) -> Answer {
    let html = "text/html; charset=utf-8";
    let mut answer = PAGE.body.answer(html, &call.head.headers);
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, PAGE.policy.clone()),
        (
            header::REFERRER_POLICY,
            HeaderValue::from_static("no-referrer"),
        ),
        // For browsers that do not know `frame-ancestors`.
        (header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
    ] {
        answer.headers.insert(name, value);
    }
    answer
}

#[cfg(test)]
mod tests {
    use super::hash;
    use crate::api::testing::{Server, settings_with_keys};
    use proxy_shards::Verdict;

    /// What stands between the one `start` and the `end` behind it.
    fn only<'t>(text: &'t str, start: &str, end: &str) -> &'t str {
        assert_eq!(text.matches(start).count(), 1, "{start}");
        let (_, rest) = text.split_once(start).unwrap();
        rest.split_once(end).unwrap().0
    }

    #[test]
    fn the_page_is_there_without_a_key_and_says_who_may_do_what_in_it() {
        let server = Server::start();
        server.configure(settings_with_keys(&["secret"]));
        let page = server.get("/");
        assert_eq!(page.status, 200);
        for (name, value) in [
            ("content-type", "text/html; charset=utf-8"),
            ("referrer-policy", "no-referrer"),
            ("x-content-type-options", "nosniff"),
            ("x-frame-options", "DENY"),
        ] {
            assert_eq!(page.header(name), Some(value), "{name}");
        }
        let policy = page.header("content-security-policy").unwrap();
        let script = hash(only(&page.body, "<script>", "</script>"));
        let style = hash(only(&page.body, "<style>", "</style>"));
        for part in [
            "default-src 'none'",
            &format!("script-src 'sha256-{script}'"),
            &format!("style-src 'sha256-{style}'"),
            "connect-src 'self'",
            "frame-ancestors 'none'",
            "base-uri 'none'",
            "form-action 'none'",
        ] {
            assert!(
                policy.split("; ").any(|own| own == part),
                "{part}: {policy}"
            );
        }
    }

    #[test]
    fn the_page_loads_nothing_and_writes_no_markup() {
        let page = super::document();
        assert!(page.starts_with("<!doctype html>") && page.len() > 10_000);
        for forbidden in [
            " src=",
            "https://",
            "@import",
            "url(",
            " style=",
            " onclick=",
            " onload=",
            "innerHTML",
            "outerHTML",
            "insertAdjacentHTML",
            "document.write",
            "eval(",
            "localStorage",
            "document.cookie",
        ] {
            assert!(!page.contains(forbidden), "{forbidden}");
        }
        let namespace = "http://www.w3.org/2000/svg";
        assert_eq!(
            page.matches("http://").count(),
            page.matches(namespace).count()
        );
    }

    #[test]
    fn the_page_says_what_every_verdict_means() {
        let words = only(super::SCRIPT, "const VERDICTS = {", "};");
        for verdict in Verdict::ALL {
            let label = verdict.label();
            let key = format!("\n  {label}: \"");
            assert!(words.contains(&key), "{label}");
        }
    }
}
