//! Checks an `expect` block: what the answer of a target must be.

use super::problem::{Report, quoted};
use super::raw::RawExpect;
use proxy_shards::target::{Field, TargetOptions};

/// Longest body that may be read of a target, in bytes.
const BODY_BYTES_MAX: u64 = 16 << 20;

/// The options with what is expected of the answer, which stands at `place`.
pub(super) fn expecting(
    options: TargetOptions,
    raw: &RawExpect,
    place: &str,
    report: &mut Report,
) -> TargetOptions {
    let at = |key: &str| format!("{place}.{key}");
    let status = report.number(&at("status"), raw.status, 0, 200..=599);
    let max_bytes = report.number(
        &at("max_bytes"),
        raw.max_bytes,
        RawExpect::default().max_bytes,
        1..=BODY_BYTES_MAX,
    );
    let sum = sha256(&raw.body_equals_sha256);
    TargetOptions {
        expect_status: u16::try_from(status).ok().filter(|&status| status != 0),
        expect_body: Some(raw.body_contains.as_bytes().to_vec()).filter(|body| !body.is_empty()),
        expect_sha256: report.take(&at("body_equals_sha256"), sum, None),
        expect_header: report.take(&at("header"), field(&raw.header), None),
        body_bytes_max: usize::try_from(max_bytes).unwrap_or(usize::MAX),
        ..options
    }
}

/// Reads 64 hexadecimal digits.
fn sha256(text: &str) -> Result<Option<[u8; 32]>, String> {
    let digits = text.as_bytes();
    if digits.is_empty() {
        return Ok(None);
    }
    let wrong = || "is no SHA-256; give 64 hexadecimal digits, as sha256sum prints them".to_owned();
    if digits.len() != 64 {
        return Err(wrong());
    }
    let nibble = |digit: u8| char::from(digit).to_digit(16);
    let mut sum = [0; 32];
    for (byte, pair) in sum.iter_mut().zip(digits.chunks_exact(2)) {
        let value = nibble(pair[0]).zip(nibble(pair[1]));
        let value = value.map(|(high, low)| high << 4 | low);
        *byte = value.and_then(|v| u8::try_from(v).ok()).ok_or_else(wrong)?;
    }
    Ok(Some(sum))
}

/// Reads `Name` or `Name: value` (RFC 9110, section 5.1 and 5.5).
fn field(text: &str) -> Result<Option<Field>, String> {
    if text.is_empty() {
        return Ok(None);
    }
    let (name, value) = match text.split_once(':') {
        Some((name, value)) => (name, Some(value.trim())),
        None => (text.trim(), None),
    };
    let in_token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    let printable = |value: &str| value.bytes().all(|b| (b' '..=b'~').contains(&b));
    let is_name = !name.is_empty() && name.bytes().all(in_token);
    match value {
        Some(value) if value.is_empty() || !printable(value) => Err(no_field(text)),
        _ if !is_name => Err(no_field(text)),
        value => Ok(Some(Field {
            name: name.into(),
            value: value.map(Box::from),
        })),
    }
}

/// What is wrong with a text that is no header field.
pub(super) fn no_field(text: &str) -> String {
    format!(
        "{} is no header field; write \"Name: value\", or \"Name\" if any value will do",
        quoted(text)
    )
}
