//! Texts of the command line → values.

use proxy_shards::target::Field;
use std::time::Duration;

/// How a time is written.
const TIME: &str = "write 500ms, 15s, 1m, 1h, or a number of seconds";

/// Reads `15s`, `500ms`, `1m`, `1h` or a bare number of seconds; decimals are allowed.
pub(in crate::commands) fn duration(text: &str) -> Result<Duration, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit_s = match &text[digits.len()..] {
        "ms" => 0.001,
        "" | "s" => 1.0,
        "m" => 60.0,
        "h" => 3_600.0,
        _ => return Err(TIME.into()),
    };
    let plain = digits.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    let number: f64 = digits.parse().ok().filter(|_| plain).ok_or(TIME)?;
    let allowed = Duration::from_millis(1)..=Duration::from_secs(3_600);
    Duration::try_from_secs_f64(number * unit_s)
        .ok()
        .filter(|span| allowed.contains(span))
        .ok_or_else(|| "allowed is 1ms to 1h".into())
}

/// Reads 64 hexadecimal digits.
pub(super) fn sha256(text: &str) -> Result<[u8; 32], String> {
    let wrong = || "a SHA-256 has 64 hexadecimal digits, as `sha256sum` prints it".to_string();
    if text.len() != 64 || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
        return Err(wrong());
    }
    let mut digest = [0; 32];
    for (byte, pair) in digest.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        let pair = std::str::from_utf8(pair).map_err(|_| wrong())?;
        *byte = u8::from_str_radix(pair, 16).map_err(|_| wrong())?;
    }
    Ok(digest)
}

/// Reads `Name: value` or `Name` (RFC 9110, sections 5.1 and 5.5).
pub(super) fn header(text: &str) -> Result<Field, String> {
    let (name, value) = match text.split_once(':') {
        Some((name, value)) => (name, Some(value.trim())),
        None => (text, None),
    };
    let in_name = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    let in_value = |b: u8| (b' '..=b'~').contains(&b);
    let fits = !name.is_empty()
        && name.bytes().all(in_name)
        && value.is_none_or(|value| value.bytes().all(in_value));
    fits.then(|| Field {
        name: name.into(),
        value: value.filter(|v| !v.is_empty()).map(Box::from),
    })
    .ok_or_else(|| "write `Name: value` or `Name` in printable ASCII".into())
}
