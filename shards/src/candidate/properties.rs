//! Whatever a candidate is, its text form says all of it; whatever a text is, it is read or refused.

use super::*;
use proptest::prelude::*;

fn host() -> impl Strategy<Value = Host> {
    let name = "([a-z0-9]([a-z0-9_-]{0,9}[a-z0-9])?\\.){0,3}[a-z]([a-z0-9-]{0,5}[a-z0-9])?";
    prop_oneof![
        any::<Ipv4Addr>().prop_map(Host::V4),
        any::<Ipv6Addr>().prop_map(Host::V6),
        any::<u32>().prop_map(|v4| Host::V6(Ipv4Addr::from_bits(v4).to_ipv6_mapped())),
        name.prop_map(|name| Host::Name(name.into())),
    ]
}

/// Any text of at most 255 bytes.
fn word() -> impl Strategy<Value = Box<str>> {
    let short = any::<String>().prop_map(|mut text| {
        let end = (0..=255.min(text.len()))
            .rev()
            .find(|&at| text.is_char_boundary(at));
        text.truncate(end.unwrap_or(0));
        text
    });
    let longest = "[a-z%@:/]{255}".prop_map(String::from);
    prop_oneof![8 => short, 1 => longest].prop_map(String::into_boxed_str)
}

fn credentials() -> impl Strategy<Value = Option<Arc<Credentials>>> {
    let both = (word(), word()).prop_map(|(user, password)| Credentials { user, password });
    let some = both.prop_filter("of neither there is nothing to be said", |both| {
        !both.user.is_empty() || !both.password.is_empty()
    });
    proptest::option::of(some.prop_map(Arc::new))
}

fn candidate() -> impl Strategy<Value = Candidate> {
    let scheme = proptest::sample::select(&Scheme::ALL[..]);
    (scheme, host(), 1..=u16::MAX, credentials()).prop_map(|(scheme, host, port, credentials)| {
        Candidate {
            scheme,
            host,
            port,
            credentials,
        }
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn what_is_written_is_read_as_what_it_was(candidate in candidate()) {
        let text = candidate.url().to_string();
        prop_assert_eq!(text.parse(), Ok(candidate.clone()), "{}", text);
        prop_assert_eq!(format!("{text}/").parse(), Ok(candidate.clone()));
        prop_assert!(text.is_ascii() && !text.contains(char::is_whitespace), "{text:?}");
        let host = candidate.host.to_string();
        prop_assert_eq!(host.parse(), Ok(candidate.host));
    }

    #[test]
    fn what_is_read_of_any_text_is_written_so_that_it_is_read_again(
        text in "(auto|http|SOCKS5h|socks4a|x)://([ -~é]{0,12}@)?([0-9.]{1,15}|\\[[0-9a-f:.]{0,39}\\]|[A-Za-z0-9._-]{1,20})(:[0-9]{0,6})?/?",
    ) {
        if let Ok(candidate) = text.parse::<Candidate>() {
            let written = candidate.url().to_string();
            prop_assert_eq!(written.parse(), Ok(candidate), "{} as {}", text, written);
        }
    }

    #[test]
    fn debug_never_shows_credentials(candidate in candidate()) {
        let is_long = |word: &str| word.len() >= 4 && word.chars().all(char::is_alphanumeric);
        if let Some(both) = &candidate.credentials && is_long(&both.password) {
            let of_others = Candidate { credentials: None, ..candidate.clone() };
            let shown = format!("{candidate:?}");
            let is_elsewhere = format!("{of_others:?}Credentials").contains(&*both.password);
            prop_assert!(is_elsewhere || !shown.contains(&*both.password), "{shown}");
        }
    }
}
