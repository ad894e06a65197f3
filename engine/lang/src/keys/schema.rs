//! The table of keys as a JSON Schema, for editors.

use serde_json::{Map, Value, json};

use super::shape::{Section, Shape};
use super::table::Table;

/// The dialect that is written.
const DIALECT: &str = "https://json-schema.org/draft/2020-12/schema";

/// The JSON Schema (2020-12) of files with this section at their top.
///
/// It says less than the program: that a name is known, or that a template gives a number, only
/// the program finds.
#[must_use]
pub fn schema(table: Table, top: Section) -> Value {
    let mut defs = Map::new();
    let mut open = vec![top];
    while let Some(section) = open.pop() {
        if defs.contains_key(&name(section)) {
            continue;
        }
        defs.insert(name(section), of_section(table, section));
        open.extend(table.of(section).flat_map(|key| sections(&key.shape)));
    }
    json!({
        "$schema": DIALECT,
        "title": top.noun(),
        "$ref": reference(top),
        "$defs": defs,
    })
}

/// The name of a section in `$defs`.
fn name(section: Section) -> String {
    format!("{section:?}")
}

fn reference(section: Section) -> String {
    format!("#/$defs/{section:?}")
}

fn of_section(table: Table, section: Section) -> Value {
    let mut properties = Map::new();
    let mut required = Vec::new();
    for key in table.of(section) {
        let mut property = of_shape(&key.shape);
        if let Value::Object(map) = &mut property {
            map.insert("description".to_owned(), key.doc.into());
        }
        properties.insert(key.name.to_owned(), property);
        if key.required {
            required.push(key.name);
        }
    }
    let mut schema = json!({
        "type": if required.is_empty() { json!(["object", "null"]) } else { json!("object") },
        "properties": properties,
        "required": required,
        "additionalProperties": false,
    });
    if section.takes_extras() {
        schema["patternProperties"] = json!({ "^x-": {} });
    }
    schema
}

fn of_shape(shape: &Shape) -> Value {
    match shape {
        Shape::Any => json!({}),
        Shape::Text => json!({ "type": "string" }),
        Shape::Label => json!({ "type": ["string", "integer"] }),
        Shape::Name(rule) => json!({ "type": "string", "pattern": rule.pattern() }),
        Shape::Bool => json!({ "type": "boolean" }),
        Shape::Int(least, most) => {
            json!({ "type": "integer", "minimum": least, "maximum": most })
        }
        Shape::Number(least) => json!({ "type": "number", "minimum": least, "maximum": 1e6 }),
        Shape::Duration => json!({ "type": "string", "pattern": "^([0-9]+(d|h|m|s|ms))+$" }),
        Shape::Condition => json!({ "type": ["string", "boolean"] }),
        Shape::Choice(words) => {
            json!({ "enum": words })
        }
        Shape::Pattern => json!({ "type": "string", "format": "regex" }),
        Shape::Share => json!({ "anyOf": [
            { "type": "integer", "minimum": 1 },
            { "type": "string", "pattern": "^(100|[1-9][0-9]?)%$" },
        ] }),
        Shape::List(of) => json!({ "type": "array", "items": of_shape(of) }),
        Shape::OneOrList(of) => {
            let one = of_shape(of);
            json!({ "anyOf": [one, { "type": "array", "items": one }] })
        }
        Shape::Section(section) => json!({ "$ref": reference(*section) }),
        Shape::Map(rule, of) => json!({
            "type": ["object", "null"],
            "propertyNames": { "pattern": rule.pattern() },
            "additionalProperties": of_shape(of),
        }),
        Shape::Inputs => json!({
            "type": ["object", "null"],
            "properties": {
                "rules": { "type": "array", "items": { "$ref": reference(Section::Rule) } },
            },
            "additionalProperties": { "$ref": reference(Section::Input) },
        }),
        Shape::Become => json!({ "enum": ["sudo", false] }),
    }
}

/// The sections that a shape leads to.
pub(super) fn sections(shape: &Shape) -> Vec<Section> {
    match shape {
        Shape::Section(section) => vec![*section],
        Shape::Inputs => vec![Section::Input, Section::Rule],
        Shape::List(of) | Shape::OneOrList(of) | Shape::Map(_, of) => sections(of),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::STANDARD;
    use super::*;

    fn references(value: &Value, found: &mut Vec<String>) {
        match value {
            Value::Object(map) => {
                if let Some(to) = map.get("$ref").and_then(Value::as_str) {
                    found.push(to.trim_start_matches("#/$defs/").to_owned());
                }
                map.values().for_each(|v| references(v, found));
            }
            Value::Array(items) => items.iter().for_each(|v| references(v, found)),
            _ => {}
        }
    }

    #[test]
    fn every_key_is_in_the_schema_and_every_reference_leads_somewhere() {
        for top in [
            Section::Runbook,
            Section::Inventory,
            Section::Type,
            Section::Scenarios,
        ] {
            let schema = schema(STANDARD, top);
            let mut found = Vec::new();
            references(&schema, &mut found);
            let defs = schema["$defs"].as_object().unwrap();
            for to in found {
                assert!(defs.contains_key(&to), "{to}");
            }
            for section in Section::ALL {
                let Some(def) = defs.get(&name(*section)) else {
                    continue;
                };
                for key in STANDARD.of(*section) {
                    assert_eq!(def["properties"][key.name]["description"], key.doc);
                }
            }
        }
    }

    #[test]
    fn the_schema_of_a_retry() {
        let schema = schema(STANDARD, Section::Retry);
        insta::assert_snapshot!(serde_json::to_string_pretty(&schema["$defs"]["Retry"]).unwrap());
    }
}
