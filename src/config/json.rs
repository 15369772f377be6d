//! Text → JSON tree, keeping note of keys that an object has twice (of which JSON parsers
//! silently drop all but one).

use super::problem::Report;
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};
use std::fmt;

/// Reads `text`. A syntax error is reported with its line; then there is no tree.
pub(super) fn parse(text: &str, report: &mut Report) -> Option<Value> {
    // Editors on Windows like to begin a file with a byte order mark (RFC 8259, section 8.1).
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut input = serde_json::Deserializer::from_str(text);
    let tree = Tree {
        place: String::new(),
        report,
    };
    match tree
        .deserialize(&mut input)
        .and_then(|v| input.end().map(|()| v))
    {
        Ok(value) => Some(value),
        Err(error) => {
            let place = format!("line {}, column {}", error.line(), error.column());
            let text = error.to_string();
            let what = text.split(" at line ").next().unwrap_or(&text);
            report.problem(
                &place,
                format!("not JSON: {what}; JSON has no comments and no comma after the last item"),
            );
            None
        }
    }
}

/// The place of a key within a block.
pub(super) fn key_place(place: &str, key: &str) -> String {
    if place.is_empty() {
        key.escape_debug().to_string()
    } else {
        format!("{place}.{}", key.escape_debug())
    }
}

/// A value to be read, and where it stands.
struct Tree<'a> {
    place: String,
    report: &'a mut Report,
}

impl<'de> DeserializeSeed<'de> for Tree<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, input: D) -> Result<Value, D::Error> {
        input.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Tree<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        loop {
            let item = Tree {
                place: format!("{}[{}]", self.place, list.len()),
                report: self.report,
            };
            match items.next_element_seed(item)? {
                Some(value) => list.push(value),
                None => return Ok(Value::Array(list)),
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut block = Map::new();
        while let Some(key) = items.next_key::<String>()? {
            let place = key_place(&self.place, &key);
            let value = items.next_value_seed(Tree {
                place: place.clone(),
                report: self.report,
            })?;
            if block.insert(key, value).is_some() {
                self.report
                    .problem(&place, "is there twice; keep one of them");
            }
        }
        Ok(Value::Object(block))
    }
}
