//! JSON Schema (2020-12), as far as the description of the API uses it. A keyword that is not known here fails a test, so that
//! none is passed over.

use serde_json::Value;
use std::collections::BTreeSet;

/// What is wrong with `value`, a line for each fault with its place. References of `schema` lead into `document`.
///
/// It is stricter than the schema in one thing: an object has no property that is not described. Clients pass over those that
/// they do not know, so the description leaves objects open.
pub(super) fn faults(document: &Value, schema: &Value, value: &Value) -> Vec<String> {
    let mut faults = Vec::new();
    Checker { document }.check(schema, value, "", &mut faults);
    faults
}

/// What a reference such as `#/components/schemas/Stream` leads to; other values are what they are.
pub(super) fn resolved<'a>(document: &'a Value, value: &'a Value) -> &'a Value {
    match value["$ref"].as_str() {
        Some(reference) => {
            let found = document.pointer(reference.strip_prefix('#').unwrap());
            resolved(document, found.unwrap_or_else(|| panic!("{reference} leads nowhere")))
        }
        None => value,
    }
}

struct Checker<'a> {
    document: &'a Value,
}

impl Checker<'_> {
    /// Checks a value with all that is in it.
    fn check(&self, schema: &Value, value: &Value, at: &str, faults: &mut Vec<String>) {
        self.check_keywords(schema, value, at, faults);
        if let (Some(object), Some(known)) = (value.as_object(), self.properties(schema)) {
            let unknown = object.keys().filter(|name| !known.contains(name.as_str()));
            faults.extend(unknown.map(|name| format!("{at}/{name} is not described")));
        }
    }

    /// Checks what one schema says, and those that it is made of.
    fn check_keywords(&self, schema: &Value, value: &Value, at: &str, faults: &mut Vec<String>) {
        for (keyword, says) in schema.as_object().unwrap() {
            let is_right = match keyword.as_str() {
                "$ref" => {
                    self.check_keywords(resolved(self.document, schema), value, at, faults);
                    true
                }
                "allOf" => {
                    let parts = says.as_array().unwrap().iter();
                    parts.for_each(|part| self.check_keywords(part, value, at, faults));
                    true
                }
                "anyOf" => says.as_array().unwrap().iter().any(|choice| {
                    let mut faults = Vec::new();
                    self.check(choice, value, at, &mut faults);
                    faults.is_empty()
                }),
                "type" => match says.as_array() {
                    Some(types) => types.iter().any(|name| is_of_type(name, value)),
                    None => is_of_type(says, value),
                },
                "const" => value == says,
                "enum" => says.as_array().unwrap().contains(value),
                "minimum" => value.as_f64().is_none_or(|number| number >= says.as_f64().unwrap()),
                "maximum" => value.as_f64().is_none_or(|number| number <= says.as_f64().unwrap()),
                "maxLength" => value
                    .as_str()
                    .is_none_or(|text| text.chars().count() as u64 <= says.as_u64().unwrap()),
                "required" => says
                    .as_array()
                    .unwrap()
                    .iter()
                    .all(|name| value.get(name.as_str().unwrap()).is_some()),
                "properties" => {
                    for (name, schema) in says.as_object().unwrap() {
                        if let Some(value) = value.get(name) {
                            self.check(schema, value, &format!("{at}/{name}"), faults);
                        }
                    }
                    true
                }
                "additionalProperties" => {
                    for (name, value) in value.as_object().unwrap().iter().filter(|_| says.is_object()) {
                        self.check(says, value, &format!("{at}/{name}"), faults);
                    }
                    true
                }
                "items" => {
                    for (index, value) in value.as_array().unwrap().iter().enumerate() {
                        self.check(says, value, &format!("{at}/{index}"), faults);
                    }
                    true
                }
                // What is inside a text is for the test to look at that reads the text.
                "contentMediaType" | "contentSchema" => true,
                "description" | "examples" => true,
                other => panic!("{at}: the keyword {other} is not known to the tests"),
            };
            if !is_right {
                faults.push(format!("{at} is not as {keyword:?} says: {says}, but {value}"));
            }
        }
    }

    /// The properties that a schema has, with those that it is made of; `None` if it lets others be there.
    fn properties<'a>(&'a self, schema: &'a Value) -> Option<BTreeSet<&'a str>> {
        let schema = resolved(self.document, schema);
        if schema.get("additionalProperties").is_some() {
            return None;
        }
        let mut names: BTreeSet<_> = schema["properties"].as_object()?.keys().map(String::as_str).collect();
        for part in schema["allOf"].as_array().into_iter().flatten() {
            names.extend(self.properties(part)?);
        }
        Some(names)
    }
}

fn is_of_type(name: &Value, value: &Value) -> bool {
    match name.as_str().unwrap() {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        "number" => value.is_number(),
        "integer" => value.is_i64() || value.is_u64(),
        other => panic!("there is no type {other}"),
    }
}

#[test]
fn what_a_schema_forbids_is_found() {
    let document = serde_json::json!({
        "base": {"type": "object", "required": ["id"], "properties": {"id": {"type": "integer", "minimum": 1}}},
        "whole": {
            "allOf": [{"$ref": "#/base"}],
            "required": ["kind"],
            "properties": {
                "kind": {"enum": ["a", "b"]},
                "more": {"anyOf": [{"type": "null"}, {"$ref": "#/base"}]},
                "list": {"type": "array", "items": {"type": ["string", "null"], "maxLength": 2}},
                "counts": {"type": "object", "additionalProperties": {"type": "integer"}}
            }
        }
    });
    for (text, count) in [
        (r#"{"id": 1, "kind": "a"}"#, 0),
        (
            r#"{"id": 1, "kind": "b", "more": null, "list": ["ab", null], "counts": {"x": 1}}"#,
            0,
        ),
        (r#"{"id": 1, "kind": "a", "more": {"id": 2}}"#, 0),
        (r#"{"id": 0, "kind": "a"}"#, 1),
        (r#"{"id": "1", "kind": "a"}"#, 1),
        (r#"{"id": 1.5, "kind": "c"}"#, 2),
        (r#"{"kind": "a"}"#, 1),
        (r#"{"id": 1, "kind": "a", "other": 1}"#, 1),
        (r#"{"id": 1, "kind": "a", "more": {"id": 2, "other": 1}}"#, 1),
        (r#"{"id": 1, "kind": "a", "list": ["abc", 1], "counts": {"x": "1"}}"#, 3),
    ] {
        let value = serde_json::from_str(text).unwrap();
        let faults = faults(&document, &document["whole"], &value);
        assert_eq!(faults.len(), count, "{text}: {faults:?}");
    }
}
