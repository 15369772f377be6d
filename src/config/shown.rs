//! How a source is called wherever it is shown: its URL as configured, but for what may be secret.
//! Pure; `/stat`, `source=`, the log, the metrics and `doctor` all take the name from here. By the same
//! rule is shown where a redirect leads.

use super::Location;
use url::Url;

/// What stands in the place of a secret.
const MASK: &str = "***";
/// Parts of the names of query parameters that hold a secret.
const SECRET_NAMES: [&str; 9] = [
    "auth", "cred", "key", "pass", "pwd", "secret", "session", "sig", "token",
];
/// Values from this length on, with letters and digits and no blank, may be a secret.
const SECRET_LENGTH: usize = 16;

/// The name of a source: `text` is its URL in the configuration file, `location` what that means.
///
/// Masked are user and password, and the values of the query that are secret by their parameter's
/// name or look like it. What has nothing to mask is called as it is written.
pub(super) fn shown(text: &str, location: &Location) -> Box<str> {
    let Location::Web(url) = location else {
        return text.into();
    };
    let masked = masked(url);
    match masked == *url {
        true => text.into(),
        false => masked.as_str().into(),
    }
}

/// A URL with a mask over what may be secret in it.
pub(crate) fn masked(url: &Url) -> Url {
    let mut masked = url.clone();
    if !url.username().is_empty() || url.password().is_some() {
        // Neither can fail on a URL that has them.
        let _ = masked.set_username(MASK);
        let _ = masked.set_password(None);
    }
    // It is not sent, and may be a key all the same.
    if url.fragment().is_some_and(|text| query(text) != text) {
        masked.set_fragment(Some(MASK));
    }
    let query = url.query().map(query);
    if query.as_deref() != url.query() {
        masked.set_query(query.as_deref());
    }
    masked
}

/// The name, with a number if others have it already: they differ in what is masked.
pub(super) fn apart(name: Box<str>, taken: impl Fn(&str) -> bool) -> Box<str> {
    let numbered = (2..).map(|number| format!("{name}#{number}").into());
    let mut names = std::iter::once(name.clone()).chain(numbered);
    names.find(|name| !taken(name)).unwrap_or(name)
}

fn query(text: &str) -> String {
    let pairs: Vec<String> = text.split('&').map(pair).collect();
    pairs.join("&")
}

fn pair(text: &str) -> String {
    match text.split_once('=') {
        Some((_, "")) => text.to_owned(),
        // With what stands behind a semicolon, which may be of the secret.
        Some((name, value)) if is_secret_name(name) || looks_secret(value) => {
            format!("{name}={MASK}")
        }
        None if looks_secret(text) => MASK.to_owned(),
        _ => match text.split_once(';') {
            // Some servers part pairs so.
            Some((first, rest)) => format!("{};{}", pair(first), pair(rest)),
            None => text.to_owned(),
        },
    }
}

fn is_secret_name(name: &str) -> bool {
    let name = decoded(name).to_ascii_lowercase();
    SECRET_NAMES.iter().any(|part| name.contains(part))
}

/// Whether it may be a key: long, of letters and digits both, and of nothing that words or URLs have
/// and keys do not.
fn looks_secret(value: &str) -> bool {
    let value = decoded(value);
    let of_keys = |c: char| c.is_ascii_alphanumeric() || "-_.~+/=".contains(c);
    value.len() >= SECRET_LENGTH
        && value.chars().all(of_keys)
        && value.contains(|c: char| c.is_ascii_digit())
        && value.contains(|c: char| c.is_ascii_alphabetic())
}

/// Percent-decoded as one value of a query.
fn decoded(text: &str) -> String {
    // A plus stands for itself in a key of base64 more often than for a blank.
    let text = text
        .replace('+', "%2B")
        .replace('&', "%26")
        .replace('=', "%3D");
    let mut pairs = url::form_urlencoded::parse(text.as_bytes());
    pairs
        .next()
        .map_or_else(String::new, |(name, _)| name.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &str) {
        let location = Location::Web(Url::parse(text).unwrap());
        assert_eq!(&*shown(text, &location), expected);
    }

    #[test]
    fn user_and_password_are_masked_however_they_are_written() {
        check("https://u:p@h.example/l?a@b", "https://***@h.example/l?a@b");
        check("https://u@h.example", "https://***@h.example/");
        check("https://:p@h.example/l", "https://***@h.example/l");
        check("https:///u:p@h.example/l", "https://***@h.example/l");
        check("HTTPS://u:p%40@H.example/l", "https://***@h.example/l");
    }

    #[test]
    fn secrets_of_the_query_are_masked_and_the_rest_tells_sources_apart() {
        check(
            "https://h.example/l?type=http&token=abc&n=1",
            "https://h.example/l?type=http&token=***&n=1",
        );
        for secret in [
            "api_key=x",
            "APIKEY=x",
            "to%6ben=x",
            "X-Amz-Signature=0a",
            "password=p=q",
        ] {
            let name = secret.split('=').next().unwrap();
            check(
                &format!("http://h.example/?{secret}"),
                &format!("http://h.example/?{name}=***"),
            );
        }
        check(
            "http://h.example/?n=1;token=abc;m=2",
            "http://h.example/?n=1;token=***",
        );
        check(
            "http://h.example/?token=ab;cd&n=1",
            "http://h.example/?token=***&n=1",
        );
        check("http://h.example/l#token=abc", "http://h.example/l#***");
        for value in [
            "0123456789abcdef0123456789abcdef",
            "3f2a9c1e-7b4d-4e0a-9a51-0c6f1f2d3e4b",
            "aGVsbG8+d29ybGQ/MTIzNA==",
            "eyJhbGciOiJIUzI1NiJ9%2Ee30%2Eabc",
        ] {
            check(
                &format!("http://h.example/?u={value}"),
                "http://h.example/?u=***",
            );
            if !value.contains('=') {
                check(
                    &format!("http://h.example/?{value}"),
                    "http://h.example/?***",
                );
            }
        }
    }

    #[test]
    fn what_holds_no_secret_is_called_as_it_is_written() {
        for text in [
            "https://h.example",
            "https://H.example/l?mail=a@b",
            "https://h.example/l?a=1;b=2;#part",
            "https://h.example/list?request=displayproxies&protocol=socks5&timeout=10000",
            "https://h.example/list?anonymity=elite%20anonymous%202&country=all&token=",
            "https://h.example/user/repository/0123456789abcdef0123/http.txt",
            "https://h.example/l?next=https://other.example/list-2024",
        ] {
            check(text, text);
        }
        let file = Location::File("lists/a.txt".into());
        assert_eq!(&*shown("lists/key=1@b.txt", &file), "lists/key=1@b.txt");
    }

    #[test]
    fn names_that_masking_made_the_same_are_numbered() {
        let taken = ["a", "a#2", "b#2"];
        let name = |name: &str| apart(name.into(), |name| taken.contains(&name));
        assert_eq!((&*name("a"), &*name("b"), &*name("c")), ("a#3", "b", "c"));
    }
}
