//! The JSON Schema of the file, for editors: from the table of known keys, with the ranges, words and
//! meanings of docs/configuration.md, which a test holds against that table. It is never narrower than
//! the program, which also sees what no schema says.

use super::json::key_place;
use super::raw::RawConfig;
use serde_json::{Value, json};
use std::collections::BTreeMap;

const PAGE: &str = include_str!("../../docs/configuration.md");

/// What the page says of one key.
struct Row {
    default: &'static str,
    range: &'static str,
    meaning: &'static str,
}

/// JSON Schema 2020-12 of the whole file.
pub fn schema() -> Value {
    let template = serde_json::to_value(RawConfig::template())
        .expect("a struct of numbers, texts and lists is JSON");
    let mut schema = of(&template, "", &rows());
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema".into();
    schema["title"] = "Configuration of proxy-checker".into();
    schema["properties"]["zmap"] = json!({
        "deprecated": true,
        "description": "Ignored: this program does not scan.",
    });
    schema
}

/// The rows of the page, by key.
fn rows() -> BTreeMap<&'static str, Row> {
    let lines = PAGE.lines().filter(|line| line.starts_with("| `"));
    let row = |line: &'static str| {
        let mut cells = line.split('|').map(str::trim).skip(1);
        let key = cells.next()?.trim_matches('`');
        let (_type, default) = (cells.next()?, cells.next()?.trim_matches('`'));
        let (range, meaning) = (cells.next()?, cells.next()?);
        let row = Row {
            default,
            range,
            meaning,
        };
        Some((key, row))
    };
    lines.filter_map(row).collect()
}

/// The schema of what has this form at this place.
fn of(form: &Value, place: &str, rows: &BTreeMap<&str, Row>) -> Value {
    let mut schema = match form {
        Value::Object(block) => {
            let keys = block.iter();
            let properties: serde_json::Map<String, Value> = keys
                .map(|(key, form)| (key.clone(), of(form, &key_place(place, key), rows)))
                .collect();
            json!({ "type": "object", "additionalProperties": false, "properties": properties })
        }
        Value::Array(list) if list[0].is_object() => {
            json!({ "type": "array", "items": of(&list[0], &format!("{place}[]"), rows) })
        }
        Value::Array(list) => {
            let range = rows.get(place).map_or("", |row| row.range);
            json!({ "type": "array", "items": leaf(&list[0], range, Zero::IsNone) })
        }
        leaf_form => {
            let range = rows.get(place).map_or("", |row| row.range);
            leaf(leaf_form, range, Zero::IsDefault)
        }
    };
    if let Some(row) = rows.get(place) {
        schema["description"] = row.meaning.into();
        schema["default"] = serde_json::from_str(row.default).unwrap_or(Value::Null);
    }
    schema
}

/// What the number 0 and the empty text are.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Zero {
    /// They stand for the default.
    IsDefault,
    /// Values like others, as elements of lists.
    IsNone,
}

fn leaf(form: &Value, range: &str, zero: Zero) -> Value {
    match form {
        Value::Bool(_) => json!({ "type": "boolean" }),
        Value::Number(_) => number(range, zero),
        _ => match words(range) {
            Some(words) => text(&words),
            None => json!({ "type": "string" }),
        },
    }
}

/// `1 to 100`, `0, or 200 to 599`, ``50 to `timeout_ms` ``.
fn number(range: &str, zero: Zero) -> Value {
    let span = range.strip_prefix("0, or ").unwrap_or(range);
    let (low, high) = span.split_once(" to ").unwrap_or((span, ""));
    let (low, high) = (low.parse().unwrap_or(0_u64), high.parse::<u64>().ok());
    let mut bounds = json!({ "minimum": low });
    if let Some(high) = high {
        bounds["maximum"] = high.into();
    }
    if zero == Zero::IsDefault && low == 1 {
        bounds["minimum"] = 0.into();
    }
    match zero == Zero::IsDefault && low > 1 {
        true => json!({ "type": "integer", "anyOf": [{ "const": 0 }, bounds] }),
        false => {
            bounds["type"] = "integer".into();
            bounds
        }
    }
}

/// A range that is nothing but words: `` `json`, `text` ``.
fn words(range: &str) -> Option<Vec<&str>> {
    let is_word = |word: &&str| {
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        !word.is_empty() && word.bytes().all(plain)
    };
    let words = range.split(", ").map(|word| {
        let word = word.strip_prefix('`')?.strip_suffix('`')?;
        Some(word).filter(is_word)
    });
    let words: Option<Vec<&str>> = words.collect();
    words.filter(|words| words.len() > 1)
}

/// One of the words or nothing, however its letters are written, as some keys take it.
fn text(words: &[&str]) -> Value {
    let either = |c: char| match c.is_ascii_lowercase() {
        true => format!("[{c}{}]", c.to_ascii_uppercase()),
        false => c.to_string(),
    };
    let words_in_either: Vec<String> = words
        .iter()
        .map(|word| word.chars().map(either).collect())
        .collect();
    let pattern = format!("^ *({})? *$", words_in_either.join("|"));
    json!({ "type": "string", "pattern": pattern, "examples": words })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::EXAMPLE;
    use std::fs;
    use std::path::Path;

    fn validator() -> jsonschema::Validator {
        jsonschema::draft202012::new(&schema()).expect("a schema")
    }

    fn accepts(text: &str) -> bool {
        validator().is_valid(&serde_json::from_str(text).expect(text))
    }

    #[test]
    fn it_is_a_schema_and_takes_what_the_program_takes() {
        assert!(jsonschema::draft202012::meta::is_valid(&schema()));
        assert!(accepts(EXAMPLE));
        let (_, sample) = PAGE.split_once("```json\n").unwrap();
        assert!(accepts(sample.split_once("```").unwrap().0));
        for text in [
            "{}",
            r#"{"zmap": {"a": 1}}"#,
            r#"{"checker": {"timeout_ms": 0, "expect": {"status": 0}, "mode": ""}}"#,
            r#"{"checker": {"timeout_ms": 100, "expect": {"status": 599}}}"#,
            r#"{"aggregator": {"deny_ports": [], "sources": [{"url": "x", "type": "HTTP"}]}}"#,
            r#"{"logging": {"level": "info,proxy_checker::api=debug"}}"#,
        ] {
            assert!(accepts(text), "{text}");
        }
    }

    #[test]
    fn it_refuses_what_the_program_refuses_as_far_as_a_schema_can_say() {
        for text in [
            r#"{"chekcer": {}}"#,
            r#"{"checker": {"timeout_mss": 1}}"#,
            r#"{"checker": {"targets": [{"uri": "x"}]}}"#,
            r#"{"checker": {"timeout_ms": "1s"}}"#,
            r#"{"checker": {"timeout_ms": 99}}"#,
            r#"{"checker": {"timeout_ms": 1.5}}"#,
            r#"{"checker": {"retries": 11}}"#,
            r#"{"checker": {"expect": {"status": 199}}}"#,
            r#"{"checker": {"mode": "full"}}"#,
            r#"{"aggregator": {"deny_ports": [0]}}"#,
            r#"{"api": {"allow_anonymous": "true"}}"#,
            "[]",
        ] {
            assert!(!accepts(text), "{text}");
        }
    }

    #[test]
    fn every_fixture_with_a_key_or_type_that_does_not_exist_is_refused() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/config/testdata");
        let (validator, mut refused) = (validator(), 0);
        for file in fs::read_dir(folder).unwrap() {
            let path = file.unwrap().path();
            if path.extension().is_none_or(|e| e != "json") {
                continue;
            }
            let said = fs::read_to_string(path.with_extension("expected")).unwrap();
            let of_type = said.contains(": expected ") && said.contains(", found ");
            let of_shape = said.contains("unknown key") || of_type;
            let text = fs::read_to_string(&path).unwrap();
            let Ok(value) = serde_json::from_str(&text) else {
                continue;
            };
            if of_shape {
                assert!(!validator.is_valid(&value), "{}", path.display());
                refused += 1;
            }
        }
        assert!(refused > 10, "{refused}");
    }

    #[test]
    fn every_key_has_a_meaning_and_its_default() {
        fn hold(schema: &Value, keys: &mut usize) {
            for (key, schema) in schema["properties"].as_object().unwrap() {
                let inner = match schema["items"].is_object() {
                    true => &schema["items"],
                    false => schema,
                };
                if inner["properties"].is_object() {
                    hold(inner, keys);
                } else if key != "zmap" {
                    assert!(schema["description"].is_string(), "{key}");
                    assert!(!schema["default"].is_null(), "{key}");
                    *keys += 1;
                }
            }
        }
        let mut keys = 0;
        hold(&schema(), &mut keys);
        assert!(keys >= 40, "{keys}");
    }
}
