//! The query string, read as the old service read it. Total: any bytes are a query.

use std::borrow::Cow;
use url::form_urlencoded;

/// The first value of `name`, decoded; `None` if there is none or it is empty. Later values of the
/// same name do not count. Percent signs that encode nothing stand for themselves.
pub(super) fn value<'q>(query: Option<&'q str>, name: &str) -> Option<Cow<'q, str>> {
    form_urlencoded::parse(query?.as_bytes())
        .find_map(|(key, value)| (key == name).then_some(value))
        .filter(|value| !value.is_empty())
}

/// The names of all parameters that have a value, decoded.
pub(super) fn names(query: Option<&str>) -> impl Iterator<Item = Cow<'_, str>> {
    form_urlencoded::parse(query.unwrap_or("").as_bytes())
        .filter_map(|(name, value)| (!value.is_empty()).then_some(name))
}

/// A whole number of at least 1: decimal digits with an optional `+`, no spaces. One that is too
/// large for 64 bits is the largest that is not.
pub(super) fn at_least_one(text: &str) -> Option<u64> {
    let digits = text.strip_prefix('+').unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let number = digits.parse().unwrap_or(u64::MAX);
    (number > 0).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(query: &str, expected: Option<&str>) {
        let read = value(Some(query), "limit");
        assert_eq!(read.as_deref(), expected, "{query}");
    }

    #[test]
    fn the_first_value_of_a_name_wins() {
        check("limit=1&limit=2", Some("1"));
        check("limit=&limit=2", None);
        check("x=9&limit=3", Some("3"));
    }

    #[test]
    fn names_and_values_are_percent_decoded() {
        check("l%69mit=%31%30", Some("10"));
        check("limit=a+b", Some("a b"));
        check("limit=%2B5", Some("+5"));
    }

    #[test]
    fn nonsense_is_a_query_too() {
        check("", None);
        check("&&==&?#", None);
        check("limit", None);
        check("limit=%", Some("%"));
        check("limit=%zz%4", Some("%zz%4"));
        check("limit=%ff", Some("\u{fffd}"));
        check("LIMIT=1", None);
        assert_eq!(value(None, "limit"), None);
    }

    #[test]
    fn a_whole_number_is_digits_with_an_optional_plus() {
        for (text, expected) in [
            ("1", Some(1)),
            ("+5", Some(5)),
            ("007", Some(7)),
            ("18446744073709551615", Some(u64::MAX)),
            ("99999999999999999999", Some(u64::MAX)),
            ("0", None),
            ("+0", None),
            ("-1", None),
            ("-0", None),
            ("++5", None),
            ("+", None),
            ("", None),
            (" 5", None),
            ("5 ", None),
            ("5.0", None),
            ("0x5", None),
            ("1_000", None),
            ("٣", None),
            ("five", None),
        ] {
            assert_eq!(at_least_one(text), expected, "{text:?}");
        }
    }
}
