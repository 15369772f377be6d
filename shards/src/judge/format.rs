//! The fixed parts of the judge's page. Change [`START`]'s number when the format changes: an old
//! judge is then told from a proxy that changes pages.

/// What a page begins with.
pub(super) const START: &str = "<!doctype html>\n\
<html lang=\"en\">\n\
<head><meta charset=\"utf-8\"><title>proxy-checker judge</title></head>\n\
<body>\n\
<h1>What the judge saw</h1>\n\
<pre>\n\
judge: 1\n";

/// Begins the line that repeats the nonce. Not what the request says (`nonce=`): a page that only
/// shows the URL that was asked for is no page of the judge.
pub(super) const NONCE: &str = "nonce: ";

/// Begins the line that tells the peer's address.
pub(super) const PEER: &str = "peer: ";

/// Begins each line that tells a forwarding field.
pub(super) const FIELD: &str = "field: ";

/// Begins the line of the seal: HMAC-SHA256 over every byte before its digits.
pub(super) const SEAL: &str = "seal: ";

/// Hexadecimal digits of a seal.
pub(super) const SEAL_CHARS: usize = 64;

/// What a page ends with.
pub(super) const END: &str = "\n</pre>\n\
<p>The seal proves that this page was not changed on its way.</p>\n\
</body>\n\
</html>\n";
