//! Every rule: its verdict and its line.

use super::*;

fn check(rule: Rule, verdict: Verdict, text: &str) {
    assert_eq!(rule.verdict(), verdict, "{rule}");
    assert_eq!(rule.to_string(), text);
}

#[test]
fn a_rule_says_what_was_seen_and_what_was_expected() {
    check(
        Rule::Status {
            status: 200,
            wanted: Some(204),
        },
        Verdict::OwnPage,
        "status 200, but 204 was expected: the answer is not the target's",
    );
    check(
        Rule::Status {
            status: 404,
            wanted: None,
        },
        Verdict::WrongStatus,
        "status 404, but a success was expected: neither the target's answer nor another success",
    );
    check(
        Rule::Socks5Reply(2),
        Verdict::Denied,
        "SOCKS 5 reply 2: connection not allowed by ruleset (RFC 1928, section 6)",
    );
    check(
        Rule::Tunnel(403),
        Verdict::Denied,
        "CONNECT was answered 403: no tunnel",
    );
}

fn certificate(error: CertificateError) -> Rule {
    Rule::Tls(
        Verdict::TlsIntercepted,
        Box::new(Error::InvalidCertificate(error)),
    )
}

#[test]
fn the_names_of_a_hostile_certificate_are_not_shown() {
    let rule = certificate(CertificateError::NotValidForNameContext {
        expected: "a.example".try_into().unwrap(),
        presented: vec!["\u{1b}[2J\nb.example".into()],
    });
    check(
        rule,
        Verdict::TlsIntercepted,
        "certificate: not valid for name a.example",
    );
}

#[test]
fn every_rule_is_one_line_of_printable_ascii_of_bounded_length() {
    let hostile = "\u{1b}[31m\r\n\u{202e}caf\u{e9}\0".repeat(100);
    let all_codes = (0..=255u8).flat_map(|code| {
        [
            Rule::Socks4(code),
            Rule::Socks5Method(code),
            Rule::Socks5Login(code),
            Rule::Socks5Reply(code),
            Rule::Tunnel(u16::from(code)),
        ]
    });
    let rules = all_codes.chain([
        Rule::Tls(Verdict::BadProtocol, Box::new(Error::General(hostile))),
        Rule::garbled("a\nb"),
        certificate(CertificateError::BadEncoding),
        Rule::Proven(204),
    ]);
    for rule in rules {
        let text = rule.to_string();
        assert!(text.bytes().all(|b| (b' '..=b'~').contains(&b)), "{text:?}");
        assert!((1..=TEXT_BYTES_MAX).contains(&text.len()), "{text:?}");
    }
}

#[test]
fn a_rule_is_no_larger_than_a_text() {
    assert!(size_of::<Rule>() <= 24, "{}", size_of::<Rule>());
}
