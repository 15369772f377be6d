//! Bytes as they may be shown: credentials as `***`, escaped, and not too many.

use base64::prelude::{BASE64_STANDARD, Engine as _};
use proxy_shards::Credentials;

/// Most bytes of one piece that are shown.
pub(super) const SHOWN_BYTES_MAX: usize = 512;
/// Most bytes of one piece that are kept to be shown: credentials across the cut must be seen whole.
pub(super) const KEPT_BYTES_MAX: usize = 2 * 1024;

const MASK: &[u8] = b"***";

/// Knows what must not be shown.
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
    /// Hides user name, password, and both in the form of Basic authentication (RFC 7617).
    pub(super) fn new(credentials: Option<&Credentials>) -> Mask {
        let Some(Credentials { user, password }) = credentials else {
            return Mask::default();
        };
        let basic = BASE64_STANDARD.encode(format!("{user}:{password}"));
        let mut secrets: Vec<Vec<u8>> = [basic.as_str(), user, password]
            .into_iter()
            .filter(|secret| !secret.is_empty())
            .map(|secret| secret.as_bytes().to_vec())
            .collect();
        secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        Mask { secrets }
    }

    /// The first `kept` of `total` bytes.
    pub(super) fn shown(&self, kept: &[u8], total: usize) -> Shown {
        let longest = self.secrets.first().map_or(0, Vec::len);
        // Behind this a secret may have begun whose end was not kept.
        let whole = match kept.len() < total {
            true => kept.len().saturating_sub(longest),
            false => kept.len(),
        };
        let (mut at, mut shown) = (0, Vec::new());
        while at < whole && shown.len() < SHOWN_BYTES_MAX {
            let rest = &kept[at..];
            let secret = self.secrets.iter().find(|s| rest.starts_with(s));
            match secret {
                Some(secret) => {
                    shown.extend_from_slice(MASK);
                    at += secret.len();
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

    /// A whole line of text that says something about a peer.
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
        let Shown { text, more } = mask().shown(bytes, bytes.len());
        assert_eq!((text.as_str(), more), (expected, 0));
    }

    #[test]
    fn credentials_are_hidden_in_every_form_that_goes_over_the_wire() {
        check(b"Basic YWxpY2U6cGFzczp3b3Jk\r\n", r"Basic ***\r\n");
        check(b"\x01\x05alice\x09pass:word", r"\x01\x05***\t***");
        check(
            b"\x04\x01\0\x50\0\0\0\x01alice\0",
            r"\x04\x01\x00P\x00\x00\x00\x01***\x00",
        );
    }

    #[test]
    fn what_a_terminal_would_obey_is_escaped() {
        check(b"\x1b[2J\"\xff", r#"\x1b[2J\"\xff"#);
        assert_eq!(
            mask().line("a \"page\" of alice\u{1b}"),
            r#"a "page" of ***\u{1b}"#
        );
    }

    #[test]
    fn at_most_512_bytes_are_shown_and_the_rest_is_counted() {
        let bytes = [b'x'; KEPT_BYTES_MAX];
        let Shown { text, more } = mask().shown(&bytes, 1_000_000);
        assert_eq!((text.len(), more), (512, 999_488));
    }

    #[test]
    fn a_secret_that_is_cut_off_is_not_shown_in_part() {
        let secrets = b"YWxpY2U6cGFzczp3b3Jk".repeat(KEPT_BYTES_MAX / 20);
        for kept in 0..secrets.len() {
            let Shown { text, .. } = mask().shown(&secrets[..kept], secrets.len());
            assert_eq!(text.trim_matches('*'), "", "{kept}");
        }
    }

    #[test]
    fn without_credentials_nothing_is_hidden_and_empty_ones_hide_nothing() {
        assert_eq!(Mask::new(None).line("alice"), "alice");
        let empty = Credentials {
            user: "bob".into(),
            password: "".into(),
        };
        assert_eq!(Mask::new(Some(&empty)).line("bob a"), "*** a");
    }
}
