//! Pages as the judge wrote them, as proxies change them, and as they imitate them.

use super::*;
use crate::judge::page;

const OURS: &Nonce = b"00112233445566778899aabbccddeeff";
const EXIT: &str = "198.51.100.7";

fn secret() -> Secret {
    Secret::new(b"what only judge and probe know").unwrap()
}

fn page_with(fields: &[(&str, &[u8])]) -> Vec<u8> {
    let nonce = str::from_utf8(OURS).unwrap();
    page(&secret(), nonce, EXIT.parse().unwrap(), fields)
}

fn read(own: &[&str], page: &[u8]) -> Result<Exit, Verdict> {
    let own: Vec<IpAddr> = own.iter().map(|ip| ip.parse().unwrap()).collect();
    let reader = Reader::new(&secret(), &own);
    reader.read(OURS, page, true).map_err(|rule| rule.verdict())
}

#[test]
fn the_judges_own_page_tells_the_exit() {
    let exit = Exit {
        ip: EXIT.parse().unwrap(),
        anonymity: Anonymity::Elite,
    };
    assert_eq!(read(&[], &page_with(&[])), Ok(exit));
}

fn check_anonymity(own: &[&str], name: &str, value: &str, expected: Anonymity) {
    let page = page_with(&[(name, value.as_bytes())]);
    let anonymity = read(own, &page).map(|exit| exit.anonymity);
    assert_eq!(anonymity, Ok(expected), "{own:?} {name}: {value}");
}

#[test]
fn a_proxy_that_names_us_is_transparent() {
    use Anonymity::{Anonymous, Transparent};
    let own = &["192.0.2.1", "2001:db8::1"][..];
    for value in [
        "192.0.2.1",
        "10.0.0.1, 192.0.2.1",
        "192.0.2.1:4711",
        "for=192.0.2.1;proto=http",
        "for=\"[2001:db8:0::1]:4711\"",
        "::ffff:192.0.2.1",
        "1.1 a, 1.1 192.0.2.1:8080 (squid/5.1)",
    ] {
        check_anonymity(own, "x-forwarded-for", value, Transparent);
    }
    for value in [
        "10.0.0.1",
        "192.0.2.11",
        "unknown",
        "",
        EXIT,
        "192.0.2",
        "::",
    ] {
        check_anonymity(own, "forwarded", value, Anonymous);
    }
}

#[test]
fn while_our_address_is_not_known_any_but_the_exit_is_taken_for_it() {
    use Anonymity::{Anonymous, Transparent};
    check_anonymity(&[], "x-real-ip", "10.0.0.1", Transparent);
    check_anonymity(&[], "x-real-ip", EXIT, Anonymous);
    check_anonymity(&[], "via", "1.1 proxy (squid/5.1)", Anonymous);
}

#[test]
fn a_proxy_whose_exit_is_our_address_is_transparent() {
    let exit = read(&[EXIT], &page_with(&[])).unwrap();
    assert_eq!(exit.anonymity, Anonymity::Transparent);
}

#[test]
fn the_most_telling_field_counts() {
    let page = page_with(&[("via", b"1.1 a"), ("x-real-ip", b"10.0.0.1"), ("via", b"b")]);
    assert_eq!(read(&[], &page).unwrap().anonymity, Anonymity::Transparent);
}

#[test]
fn every_changed_byte_is_tampering_and_never_another_exit() {
    let page = page_with(&[("via", b"1.1 a")]);
    for at in 0..page.len() {
        for change in [1, 0x20, 0x80] {
            let mut changed = page.clone();
            changed[at] ^= change;
            let verdict = read(&[], &changed).unwrap_err();
            let in_nonce = !names(&changed, OURS);
            let expected = if in_nonce {
                Verdict::OwnPage
            } else {
                Verdict::Tampered
            };
            assert_eq!(verdict, expected, "byte {at} ^ {change}");
        }
    }
}

#[test]
fn a_page_with_more_or_less_is_tampered_with() {
    let page = String::from_utf8(page_with(&[])).unwrap();
    for changed in [
        page.replace("</body>", "<script src=//ads.example></script></body>"),
        page.replace("</head>", "<style></style></head>"),
        page.replace('\n', "\r\n"),
        page.replace("seal: ", "seal: 0"),
        format!("{page}<!-- -->"),
        format!("\u{feff}{page}"),
        page.trim_end().into(),
        page[..page.len() - 100].into(),
    ] {
        assert_eq!(
            read(&[], changed.as_bytes()),
            Err(Verdict::Tampered),
            "{changed}"
        );
    }
    let cut = Reader::new(&secret(), &[]).read(OURS, page.as_bytes(), false);
    assert_eq!(cut.map_err(|rule| rule.verdict()), Err(Verdict::Tampered));
}

#[test]
fn what_never_was_a_page_for_us_is_an_own_page() {
    let other = "ffeeddccbbaa99887766554433221100";
    let kept = page(&secret(), other, EXIT.parse().unwrap(), &[]);
    let asked = format!("<h1>403</h1> GET /?nonce={}", str::from_utf8(OURS).unwrap());
    for page in [
        &kept[..],
        asked.as_bytes(),
        b"",
        b"<html>",
        format::END.as_bytes(),
    ] {
        assert_eq!(read(&[], page), Err(Verdict::OwnPage));
    }
}

#[test]
fn an_imitator_without_the_secret_makes_no_seal() {
    let guess = Secret::new(b"something that is long enough").unwrap();
    let nonce = str::from_utf8(OURS).unwrap();
    let forged = page(&guess, nonce, EXIT.parse().unwrap(), &[]);
    assert_eq!(read(&[], &forged), Err(Verdict::Tampered));
}
