//! The target as a judge, and who passes for one. What a judge says is the one thing that the farm
//! shares with what it measures: the format is the server's to define, and the seal proves nothing
//! unless both sides have it from one place.

use proxy_shards::judge;
use proxy_shards::target::Secret;
use std::net::IpAddr;

/// The secret of the farm's judge: whoever has it can be measured with it.
pub const JUDGE_SECRET: &str = "the farm's judge keeps this one";

/// What whoever passes for the judge seals with.
const OTHER_SECRET: &str = "who passes for it can only guess";

/// A header field that tells of a proxy: its name in lower case, and its value.
pub(super) type Field = (&'static str, String);

/// The judge's page for a request with `nonce` that came from `peer` with these `fields`.
pub(super) fn page(nonce: &str, peer: IpAddr, fields: &[Field]) -> Vec<u8> {
    sealed(JUDGE_SECRET, nonce, peer, fields)
}

/// The same page with a byte changed: of the seal, its end.
pub(super) fn tampered(nonce: &str, peer: IpAddr) -> Vec<u8> {
    let mut page = page(nonce, peer, &[]);
    let last = page
        .iter_mut()
        .rev()
        .find(|byte| byte.is_ascii_alphanumeric());
    if let Some(byte) = last {
        *byte = if *byte == b'0' { b'1' } else { b'0' };
    }
    page
}

/// A page that differs from the judge's in nothing but its seal.
pub(super) fn imitation(nonce: &str, peer: IpAddr) -> Vec<u8> {
    sealed(OTHER_SECRET, nonce, peer, &[])
}

fn sealed(secret: &str, nonce: &str, peer: IpAddr, fields: &[Field]) -> Vec<u8> {
    let secret = Secret::new(secret.as_bytes()).expect("both are long enough");
    let fields: Vec<_> = fields
        .iter()
        .map(|(name, value)| (*name, value.as_bytes()))
        .collect();
    judge::page(&secret, nonce, peer, &fields)
}

/// The nonce of a request to the judge: 32 hexadecimal digits, in the query as `nonce`.
pub(super) fn nonce(path: &[u8]) -> Option<&str> {
    let mut parts = path.splitn(2, |&b| b == b'?');
    let query = parts.nth(1)?;
    let value = (query.split(|&b| b == b'&')).find_map(|pair| pair.strip_prefix(b"nonce="))?;
    let is_nonce = value.len() == 32 && value.iter().all(u8::is_ascii_hexdigit);
    std::str::from_utf8(value).ok().filter(|_| is_nonce)
}

/// Whether the judge is asked.
pub(super) fn is_asked(path: &[u8]) -> bool {
    path.split(|&b| b == b'?').next() == Some(b"/judge")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nonce_is_32_hexadecimal_digits_of_the_query() {
        let digits = "0123456789abcdef0123456789ABCDEF";
        let of = |path: String| nonce(path.as_bytes()).map(str::to_owned);
        assert_eq!(
            of(format!("/judge?nonce={digits}")).as_deref(),
            Some(digits)
        );
        assert_eq!(
            of(format!("/judge?a=b&nonce={digits}")).as_deref(),
            Some(digits)
        );
        for path in [
            "/judge",
            "/judge?nonce=",
            "/judge?nonce=12",
            &format!("/judge?nonce=x{digits}"),
        ] {
            assert_eq!(of(path.to_owned()), None, "{path}");
        }
    }
}
