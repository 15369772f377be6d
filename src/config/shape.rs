//! Holds a JSON tree against the table of known keys: unknown keys, wrong types.

use super::json::key_place;
use super::problem::Report;
use serde_json::{Map, Value};

/// How alike two keys must be for one to be meant by the other (Jaro–Winkler, 0..=1).
const ALIKE: f64 = 0.8;

/// The parts of `value` that have the form of `template`; what was replaced or left out is
/// reported.
pub(super) fn fit(value: Value, template: &Value, report: &mut Report) -> Value {
    let shape = Shape { whole: template };
    shape.fit(value, template, "", report)
}

struct Shape<'a> {
    whole: &'a Value,
}

impl Shape<'_> {
    fn fit(&self, value: Value, template: &Value, place: &str, report: &mut Report) -> Value {
        match (value, template) {
            (Value::Object(block), Value::Object(known)) => {
                Value::Object(self.fit_block(block, known, place, report))
            }
            (Value::Array(list), Value::Array(form)) => {
                let fitted = list.into_iter().enumerate().map(|(index, item)| {
                    self.fit(item, &form[0], &format!("{place}[{index}]"), report)
                });
                Value::Array(fitted.collect())
            }
            (value @ Value::Bool(_), Value::Bool(_)) => value,
            (value @ Value::String(_), Value::String(_)) => value,
            (value, Value::Number(_)) if value.is_u64() => value,
            (value, form) => {
                let text = || format!("expected {}, found {}", kind(form), shown(&value));
                report.misfit(place, text);
                match form {
                    Value::Array(_) => Value::Array(Vec::new()),
                    Value::Object(_) => Value::Object(Map::new()),
                    form => form.clone(),
                }
            }
        }
    }

    fn fit_block(
        &self,
        block: Map<String, Value>,
        known: &Map<String, Value>,
        place: &str,
        report: &mut Report,
    ) -> Map<String, Value> {
        let mut fitted = Map::new();
        for (key, value) in block {
            let key_place = key_place(place, &key);
            if let Some(form) = known.get(&key) {
                let value = self.fit(value, form, &key_place, report);
                fitted.insert(key, value);
            } else if place.is_empty() && key == "zmap" {
                let text = "ignored: this program does not scan; remove the block";
                report.warning(&key_place, text);
            } else {
                let text = || format!("unknown key; {}", self.hint(&key, known));
                report.problem_of(&key_place, text);
            }
        }
        fitted
    }

    /// What may have been meant by `key` in a block with the `known` keys.
    fn hint(&self, key: &str, known: &Map<String, Value>) -> String {
        if let Some(home) = home_of(key, self.whole) {
            return format!("it belongs in {home}");
        }
        let likeness = |name: &str| strsim::jaro_winkler(&key.to_ascii_lowercase(), name);
        let nearest = known
            .keys()
            .map(|name| (likeness(name), name))
            .max_by(|a, b| a.0.total_cmp(&b.0));
        match nearest {
            Some((alike, name)) if alike >= ALIKE => format!("did you mean {name}?"),
            _ => {
                let names: Vec<&str> = known.keys().map(String::as_str).collect();
                format!("known here: {}", names.join(", "))
            }
        }
    }
}

/// The one top-level block that knows `key`.
fn home_of<'a>(key: &str, whole: &'a Value) -> Option<&'a str> {
    let blocks = whole.as_object()?;
    let mut homes = blocks
        .iter()
        .filter(|(_, block)| block.get(key).is_some())
        .map(|(name, _)| name.as_str());
    homes.next().filter(|_| homes.next().is_none())
}

fn kind(form: &Value) -> &'static str {
    match form {
        Value::Null => "nothing",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a whole number",
        Value::String(_) => "a text in quotes",
        Value::Array(_) => "a list [ … ]",
        Value::Object(_) => "a block { … }",
    }
}

fn shown(value: &Value) -> String {
    match value {
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "a block".to_owned(),
        Value::String(text) => super::problem::quoted(text),
        other => other.to_string(),
    }
}
