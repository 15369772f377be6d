//! What a peer says, as an operator sees it: printable, bounded, and without the password.

use super::mask::{KEPT_BYTES_MAX, Mask, SHOWN_BYTES_MAX};
use proxy_shards::Credentials;

/// Longest text of one shown byte.
const ESCAPE_BYTES_MAX: usize = 4;

/// The first two bytes say how long the password is and where the peer echoes it; the password is made
/// of capital letters, which no escape has.
pub(crate) fn heard(bytes: &[u8]) {
    let [length, at, rest @ ..] = bytes else {
        return;
    };
    let letter = |byte: &u8| char::from(b'A' + byte % 26);
    let length = (6 + usize::from(length % 32)).min(rest.len());
    let (password, said) = rest.split_at(length);
    let credentials = Credentials {
        user: "user".into(),
        password: password.iter().map(letter).collect(),
    };
    let password = &*credentials.password;
    let mask = Mask::new(Some(&credentials));
    let mut said = said.to_vec();
    let at = (8 * usize::from(*at)).min(said.len());
    drop(said.splice(at..at, password.bytes()));
    let kept = &said[..said.len().min(KEPT_BYTES_MAX)];
    let shown = mask.heard(kept, said.len());
    check(&shown.text, password);
    assert!(shown.text.is_ascii() && shown.more <= said.len());
    let line = mask.line(&String::from_utf8_lossy(&said));
    check(&line, password);
    assert!(!line.chars().any(char::is_control), "{line:?}");
}

fn check(text: &str, password: &str) {
    assert!(password.len() < 6 || !text.contains(password), "{text}");
    // A character may be escaped to more than a byte is: `\u{10ffff}`.
    let most = SHOWN_BYTES_MAX * ESCAPE_BYTES_MAX * 3;
    assert!(text.len() <= most, "{} bytes", text.len());
}
