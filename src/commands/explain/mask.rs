//! Bytes as they may be shown: credentials as `***`, escaped, and not too many.
//!
//! What we said is masked by position, in the fields that carry credentials: a search for short
//! ones would hit words that only look like them, and thereby tell them. What a peer echoes has no
//! known place and is searched, for what cannot be there by chance.

use base64::prelude::{BASE64_STANDARD, Engine as _};
use proxy_shards::Credentials;
use std::ops::Range;

/// Most bytes of one piece that are shown.
pub(super) const SHOWN_BYTES_MAX: usize = 512;
/// Most bytes of one piece that are kept to be shown: credentials across the cut must be seen whole.
pub(super) const KEPT_BYTES_MAX: usize = 2 * 1024;
/// A password of fewer bytes is not looked for in what a peer says: other words have it, too.
const PASSWORD_BYTES_MIN: usize = 6;

const MASK: &[u8] = b"***";

/// Knows what a peer may echo and must not be shown.
#[derive(Clone, Default)]
pub(super) struct Mask {
    /// Longest first, so that no part of one stays when a shorter one is in it.
    secrets: Vec<Vec<u8>>,
}

/// One piece, fit for a terminal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Shown {
    /// Printable ASCII, quotation marks and backslashes escaped.
    pub(super) text: String,
    /// Bytes that are not in it.
    pub(super) more: usize,
}

impl Mask {
    /// Hides echoes of the password, unless it is short, and of both in the form of Basic
    /// authentication (RFC 7617).
    pub(super) fn new(credentials: Option<&Credentials>) -> Mask {
        let Some(Credentials { user, password }) = credentials else {
            return Mask::default();
        };
        let mut secrets = vec![
            BASE64_STANDARD
                .encode(format!("{user}:{password}"))
                .into_bytes(),
        ];
        if password.len() >= PASSWORD_BYTES_MIN {
            secrets.push(password.as_bytes().to_vec());
        }
        secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        Mask { secrets }
    }

    /// The first `kept` of `total` bytes that a peer said.
    pub(super) fn heard(&self, kept: &[u8], total: usize) -> Shown {
        let longest = self.secrets.first().map_or(0, Vec::len);
        // Behind this a secret may have begun whose end was not kept.
        let whole = match kept.len() < total {
            true => kept.len().saturating_sub(longest),
            false => kept.len(),
        };
        let secret_at = |at: usize| {
            let rest = &kept[at..];
            let secret = self.secrets.iter().find(|s| rest.starts_with(s));
            secret.map(|secret| at + secret.len())
        };
        shown(&kept[..whole], total, secret_at)
    }

    /// A whole line of text that says something about a peer, and may quote it.
    pub(super) fn line(&self, text: &str) -> String {
        let hide = |text: String, secret: &Vec<u8>| match std::str::from_utf8(secret) {
            Ok(secret) => text.replace(secret, "***"),
            Err(_) => text,
        };
        let hidden = self.secrets.iter().fold(text.to_owned(), hide);
        let mut line = String::with_capacity(hidden.len());
        for c in hidden.chars().take(SHOWN_BYTES_MAX) {
            match c {
                '"' | '\'' | '\\' => line.push(c),
                c => line.extend(c.escape_debug()),
            }
        }
        line
    }
}

/// The first `kept` of `total` bytes that we said, without those at `hidden`.
pub(super) fn said(kept: &[u8], total: usize, hidden: &[Range<usize>]) -> Shown {
    shown(kept, total, |at| {
        let field = hidden.iter().find(|field| field.start == at);
        field.map(|field| field.end)
    })
}

/// Escapes `kept`, of `total` bytes; `secret_at` says where a secret ends that begins there.
fn shown(kept: &[u8], total: usize, secret_at: impl Fn(usize) -> Option<usize>) -> Shown {
    let (mut at, mut shown) = (0, Vec::new());
    while at < kept.len() && shown.len() < SHOWN_BYTES_MAX {
        match secret_at(at) {
            Some(end) => {
                shown.extend_from_slice(MASK);
                at = end;
            }
            None => {
                shown.push(kept[at]);
                at += 1;
            }
        }
    }
    Shown {
        text: shown.escape_ascii().to_string(),
        more: total.saturating_sub(at),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mask() -> Mask {
        Mask::new(Some(&Credentials {
            user: "alice".into(),
            password: "pass:word".into(),
        }))
    }

    fn check(bytes: &[u8], expected: &str) {
        let Shown { text, more } = mask().heard(bytes, bytes.len());
        assert_eq!((text.as_str(), more), (expected, 0));
    }

    #[test]
    fn what_a_peer_echoes_is_hidden_unless_it_could_be_a_word() {
        check(b"Basic YWxpY2U6cGFzczp3b3Jk\r\n", r"Basic ***\r\n");
        check(b"pass:word of alice", "*** of alice");
        let short = Mask::new(Some(&Credentials {
            user: "a".into(),
            password: "b".into(),
        }));
        assert_eq!(short.heard(b"a b YTpi", 8).text, "a b ***");
        assert_eq!(short.line("a bad label"), "a bad label");
    }

    #[test]
    fn what_we_said_is_hidden_where_it_stands_and_nowhere_else() {
        let shown = |hidden: &[Range<usize>]| said(b"a: a\r\n", 6, hidden);
        let (whole, goes_on) = (3..4, 3..300);
        assert_eq!(shown(&[whole]).text, r"a: ***\r\n");
        assert_eq!(shown(&[]).text, r"a: a\r\n");
        // The field goes on behind what was kept.
        let cut = said(b"a: a", 400, &[goes_on]);
        assert_eq!((cut.text.as_str(), cut.more), ("a: ***", 100));
    }

    #[test]
    fn what_a_terminal_would_obey_is_escaped() {
        check(b"\x1b[2J\"\xff", r#"\x1b[2J\"\xff"#);
        assert_eq!(
            mask().line("a \"page\" of pass:word\u{1b}"),
            r#"a "page" of ***\u{1b}"#
        );
    }

    #[test]
    fn at_most_512_bytes_are_shown_and_the_rest_is_counted() {
        let bytes = [b'x'; KEPT_BYTES_MAX];
        for Shown { text, more } in [
            mask().heard(&bytes, 1_000_000),
            said(&bytes, 1_000_000, &[]),
        ] {
            assert_eq!((text.len(), more), (512, 999_488));
        }
    }

    #[test]
    fn a_secret_that_is_cut_off_is_not_shown_in_part() {
        let secrets = b"YWxpY2U6cGFzczp3b3Jk".repeat(KEPT_BYTES_MAX / 20);
        for kept in 0..secrets.len() {
            let Shown { text, .. } = mask().heard(&secrets[..kept], secrets.len());
            assert_eq!(text.trim_matches('*'), "", "{kept}");
        }
    }

    #[test]
    fn without_credentials_nothing_is_hidden() {
        assert_eq!(Mask::new(None).line("alice"), "alice");
    }
}
