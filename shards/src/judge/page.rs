//! Writes the judge's page.

use super::{FIELD_BYTES_MAX, FIELDS_MAX, FORWARDING_FIELDS, NONCE_CHARS, format};
use crate::target::Secret;
use ring::hmac;
use std::fmt::Write;
use std::net::IpAddr;

/// The sealed page for a request with `nonce` (exactly [`NONCE_CHARS`] hexadecimal digits) that came
/// from `peer` with these forwarding `fields`, each a name of [`FORWARDING_FIELDS`] in any case and a
/// raw value. What is not printable ASCII in a value is escaped; too many and too long ones are cut.
///
/// It is HTML, so that a proxy that changes pages changes this one too; it is sent as `text/html`
/// with status 200.
pub fn page(secret: &Secret, nonce: &str, peer: IpAddr, fields: &[(&str, &[u8])]) -> Vec<u8> {
    let mut page = String::from(format::START);
    let nonce = escaped(nonce.as_bytes(), NONCE_CHARS);
    let peer = peer.to_canonical();
    // A `String` takes everything.
    let _ = write!(page, "{}{nonce}\n{}{peer}\n", format::NONCE, format::PEER);
    let known = fields.iter().filter_map(|(name, value)| {
        let lower = |known: &&&str| known.eq_ignore_ascii_case(name);
        Some((FORWARDING_FIELDS.iter().find(lower)?, value))
    });
    for (name, value) in known.take(FIELDS_MAX) {
        let value = escaped(value, FIELD_BYTES_MAX);
        let _ = writeln!(page, "{}{name}: {value}", format::FIELD);
    }
    page.push_str(format::SEAL);
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.bytes());
    let seal = hmac::sign(&key, page.as_bytes());
    for byte in seal.as_ref() {
        let _ = write!(page, "{byte:02x}");
    }
    page.push_str(format::END);
    page.into_bytes()
}

/// `value` with everything percent-encoded that is not printable ASCII or means something in HTML,
/// up to `bytes_max` bytes; an escape is never cut.
fn escaped(value: &[u8], bytes_max: usize) -> String {
    let mut text = String::new();
    for &byte in value {
        let plain =
            matches!(byte, b' '..=b'~') && !matches!(byte, b'%' | b'<' | b'>' | b'&' | b'"');
        if text.len() + if plain { 1 } else { 3 } > bytes_max {
            break;
        }
        match plain {
            true => text.push(char::from(byte)),
            false => text += &format!("%{byte:02X}"),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::PAGE_BYTES_MAX;

    const NONCE: &str = "00112233445566778899aabbccddeeff";

    fn text(fields: &[(&str, &[u8])]) -> String {
        let secret = Secret::new(b"a secret of the judge").unwrap();
        let peer = "192.0.2.1".parse().unwrap();
        String::from_utf8(page(&secret, NONCE, peer, fields)).unwrap()
    }

    #[test]
    fn a_page_says_what_was_seen() {
        let text = text(&[("Via", b"1.1 a"), ("x-real-ip", b"198.51.100.1")]);
        for line in [
            "nonce: 00112233445566778899aabbccddeeff",
            "peer: 192.0.2.1",
            "field: via: 1.1 a",
            "field: x-real-ip: 198.51.100.1",
        ] {
            assert!(text.lines().any(|l| l == line), "{line} in {text}");
        }
        assert!(text.starts_with("<!doctype html>") && text.contains("</body>"));
    }

    #[test]
    fn a_peer_that_is_a_mapped_address_is_shown_as_what_it_is() {
        let secret = Secret::new(b"a secret of the judge").unwrap();
        let page = page(&secret, NONCE, "::ffff:192.0.2.1".parse().unwrap(), &[]);
        assert!(page.windows(17).any(|w| w == b"\npeer: 192.0.2.1\n"));
    }

    #[test]
    fn what_a_field_says_is_never_a_line_or_a_tag() {
        let text = text(&[("via", b"<b>\r\nseal: 00%\x1b\xff\"&")]);
        let line = "field: via: %3Cb%3E%0D%0Aseal: 00%25%1B%FF%22%26";
        assert!(text.lines().any(|l| l == line), "{text}");
    }

    #[test]
    fn a_page_has_a_length_whatever_it_is_told() {
        let long = vec![0xFF; 100_000];
        let fields = vec![("x-cluster-client-ip", &long[..]); 1_000];
        let page = text(&fields);
        assert!(page.len() <= PAGE_BYTES_MAX, "{}", page.len());
        assert_eq!(page.matches("field: ").count(), FIELDS_MAX);
        assert!(
            page.lines()
                .all(|line| line.len() <= 20 + 10 + FIELD_BYTES_MAX)
        );
    }

    #[test]
    fn a_field_that_is_no_forwarding_field_is_left_out() {
        assert!(!text(&[("cookie", b"x"), ("a\nb", b"x")]).contains("field: "));
    }

    #[test]
    fn a_nonce_that_is_none_cannot_break_out_of_its_line() {
        let secret = Secret::new(b"a secret of the judge").unwrap();
        let peer = "192.0.2.1".parse().unwrap();
        let page = page(&secret, "\n<script>", peer, &[]);
        assert!(!String::from_utf8(page).unwrap().contains("<script>"));
    }
}
