//! What is written is read as what it was; whatever stands in a file, it is taken or refused with a reason.

use super::*;
use crate::properties::cases;
use proptest::collection::{hash_map, vec};
use proptest::prelude::*;
use serde_json::Value;

/// A file with every key.
fn whole() -> Value {
    serde_json::to_value(RawConfig::template()).unwrap()
}

/// Where the leaves of a tree are, as JSON Pointers (RFC 6901).
fn leaves(tree: &Value, place: &str, found: &mut Vec<String>) {
    match tree {
        Value::Object(keys) => {
            for (key, inner) in keys {
                leaves(inner, &format!("{place}/{key}"), found);
            }
        }
        Value::Array(items) if !items.is_empty() => {
            for (nth, inner) in items.iter().enumerate() {
                leaves(inner, &format!("{place}/{nth}"), found);
            }
        }
        _ => found.push(place.to_owned()),
    }
}

fn text() -> impl Strategy<Value = String> {
    let words = [
        "",
        "auto",
        "off",
        "env:EMPTY",
        "http://a.example/x",
        ":8083",
        "127.0.0.1:1",
        "socks5",
    ];
    prop_oneof![
        proptest::sample::select(words.to_vec()).prop_map(String::from),
        any::<String>()
    ]
}

fn number() -> impl Strategy<Value = u64> {
    prop_oneof![0..3u64, 0..100_000u64, any::<u64>()]
}

/// A leaf of any type.
fn leaf() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        number().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        text().prop_map(Value::from),
        Just(Value::Array(Vec::new())),
    ]
}

/// Any tree.
fn tree() -> impl Strategy<Value = Value> {
    leaf().prop_recursive(4, 30, 5, |inner| {
        let list = vec(inner.clone(), 0..5).prop_map(Value::from);
        let keys = hash_map(any::<String>(), inner, 0..5);
        let block = keys.prop_map(|keys| Value::Object(keys.into_iter().collect()));
        prop_oneof![list, block]
    })
}

proptest! {
    #![proptest_config(cases(300))]

    #[test]
    fn a_configuration_that_is_written_is_read_as_what_it_was(
        changes in vec((any::<usize>(), any::<bool>(), number(), text()), 0..12),
    ) {
        let mut file = whole();
        let mut places = Vec::new();
        leaves(&file, "", &mut places);
        for (nth, flag, number, text) in changes {
            let leaf = file.pointer_mut(&places[nth % places.len()]).unwrap();
            match leaf {
                Value::Bool(old) => *old = flag,
                Value::Number(old) => *old = number.into(),
                Value::String(old) => *old = text,
                Value::Null | Value::Array(_) | Value::Object(_) => {}
            }
        }
        let mut report = Report::default();
        let first = raw(&file.to_string(), &mut report).unwrap();
        let written = serde_json::to_string_pretty(&first).unwrap();
        let second = raw(&written, &mut report).unwrap();
        prop_assert!(first == second && report.problems.is_empty(), "{written}");
        prop_assert_eq!(serde_json::to_value(&second).unwrap(), file);
    }

    #[test]
    fn whatever_stands_in_a_file_is_taken_or_refused_with_a_reason(
        changes in vec((any::<usize>(), leaf()), 0..6),
    ) {
        let mut file = whole();
        let mut places = Vec::new();
        leaves(&file, "", &mut places);
        for (nth, value) in changes {
            *file.pointer_mut(&places[nth % places.len()]).unwrap() = value;
        }
        let env = |_: &str| Some("0123456789abcdef".to_owned());
        if let Err(error) = Config::from_json(&file.to_string(), "config.json", &env) {
            prop_assert!(!error.problems.is_empty() && error.problems.iter().all(|p| !p.text.is_empty()));
        }
    }

    #[test]
    fn any_tree_is_read_as_it_was_written_and_any_text_at_all_does_no_harm(
        tree in tree(),
        noise in any::<String>(),
    ) {
        let mut report = Report::default();
        prop_assert_eq!(json::parse(&tree.to_string(), &mut report), Some(tree));
        prop_assert!(report.problems.is_empty());
        let read = json::parse(&noise, &mut report);
        prop_assert_eq!(read.is_none(), !report.problems.is_empty());
    }
}
