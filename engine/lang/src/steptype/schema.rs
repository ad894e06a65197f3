//! What the value of a parameter must be, part by part: read from the file of a type, told to
//! people, and asked of what a runbook gives.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use runbook_model::Value;
use runbook_model::step_type::{Param, Schema, SchemaPart};

use crate::ast::read_kind;
use crate::diagnostic::{Code, did_you_mean};
use crate::fields::{Cx, Fields, pattern};
use crate::keys::Section;
use crate::value::{Field, InputType};
use crate::yaml::{Entry, Kind, Node};

/// Reads `schema`; `secret` says whether the parameter may hold secrets.
pub(super) fn read(cx: &mut Cx<'_>, entry: &Entry, secret: bool) -> Option<Schema> {
    let fields = Fields::read(cx, Section::Value, &entry.value, entry.key.span)?;
    let kind = read_kind(cx, &fields, Section::Value)?;
    for key in ["required", "default", "help"] {
        if let Some(span) = fields.key_span(key) {
            let message = format!("`{key}` belongs to the parameter, not to its schema");
            let help = Some(format!("write `{key}` beside `schema`"));
            cx.error(Code::Conflict, message, span, "", help);
        }
    }
    if kind.value.is_secret() && !secret {
        let message = "a part of it is a secret, and the parameter is not";
        let help = Some("write `secret: true` beside `schema`".to_owned());
        cx.error(Code::Conflict, message, kind.span, "", help);
    }
    let mut parts = Vec::new();
    describe(&kind.value, "", "", "", &mut parts);
    Some(Schema {
        definition: Arc::new(serde_json::to_value(&kind.value).expect("a type has text keys only")),
        parts,
    })
}

/// As many types of schemas are remembered.
const REMEMBERED: usize = 32;

/// A definition, with the type that it stands for.
type Remembered = (Arc<Value>, Rc<InputType>);

thread_local! {
    /// Types of schemas that were asked for before, the newest last: a large one is asked for at every host. What is
    /// remembered holds its definition, so that no other one can have its place in memory.
    static KINDS: RefCell<Vec<Remembered>> = RefCell::default();
}

/// The type that a schema stands for.
pub(super) fn kind_of(schema: &Schema) -> Option<Rc<InputType>> {
    KINDS.with_borrow_mut(|kinds| {
        let same = |(of, _): &&Remembered| Arc::ptr_eq(of, &schema.definition);
        if let Some((_, kind)) = kinds.iter().find(same) {
            return Some(Rc::clone(kind));
        }
        let kind: InputType = serde::Deserialize::deserialize(&*schema.definition).ok()?;
        let kind = Rc::new(kind);
        if kinds.len() >= REMEMBERED {
            kinds.remove(0);
        }
        kinds.push((Arc::clone(&schema.definition), Rc::clone(&kind)));
        Some(kind)
    })
}

/// What each part is, in words.
fn describe(kind: &InputType, place: &str, more: &str, help: &str, out: &mut Vec<SchemaPart>) {
    let what = match kind {
        InputType::Limited(limited) => match (&limited.pattern, &limited.names) {
            (Some(rule), _) => format!("{}, matches {rule}", kind.word()),
            (None, Some(rule)) => format!("{}, its names match {rule}", kind.word()),
            (None, None) => kind.word().to_owned(),
        },
        InputType::Enum(words) => words.join(" | "),
        InputType::List(of) if parts_of(of).is_none() => format!("list of {}", of.word()),
        InputType::Map(of) if parts_of(of).is_none() => format!("map of {}", of.word()),
        InputType::OneOf(kinds) => {
            let words: Vec<_> = kinds.iter().map(InputType::word).collect();
            words.join(" or ")
        }
        InputType::Variant(_) => "a list of two: a name, and its value".to_owned(),
        kind => kind.word().to_owned(),
    };
    if !place.is_empty() {
        out.push(SchemaPart {
            place: place.to_owned(),
            what: format!("{what}{more}"),
            help: help.to_owned(),
        });
    }
    inside(kind.base(), place, out);
}

fn parts_of(kind: &InputType) -> Option<&InputType> {
    let has_parts = matches!(
        kind.base(),
        InputType::Object(_) | InputType::Variant(_) | InputType::List(_) | InputType::Map(_)
    );
    has_parts.then_some(kind)
}

fn inside(kind: &InputType, place: &str, out: &mut Vec<SchemaPart>) {
    match kind {
        InputType::Object(fields) => {
            let mut fields: Vec<_> = fields.iter().collect();
            fields.sort_by_key(|(_, field)| !field.required);
            for (name, field) in fields {
                let dot = if place.is_empty() { "" } else { "." };
                let more = match (&field.default, field.required) {
                    (_, true) => ", required".to_owned(),
                    (Some(default), _) => format!(", else {default}"),
                    (None, false) => String::new(),
                };
                let place = format!("{place}{dot}{name}");
                describe(&field.kind, &place, &more, &field.help, out);
            }
        }
        InputType::List(of) | InputType::Map(of) => {
            if let Some(of) = parts_of(of) {
                inside(of.base(), &format!("{place}.*"), out);
            }
        }
        InputType::Variant(kinds) => {
            for (name, kind) in kinds {
                inside(kind.base(), &format!("{place}[{name}]"), out);
            }
        }
        _ => {}
    }
}

/// Reports what is wrong with a value that is written in a runbook, each mistake at its place.
/// What holds a template is not known here.
pub(super) fn check(cx: &mut Cx<'_>, kind: &InputType, name: &str, node: &Node) {
    if node.has_error() || matches!(node.kind, Kind::Null) {
        return;
    }
    if node.as_str().is_some() && node.has_template() {
        return;
    }
    match (kind.base(), &node.kind) {
        (InputType::Object(fields), Kind::Map(entries)) => object(cx, fields, name, entries, node),
        (InputType::Map(of), Kind::Map(entries)) => {
            names(cx, kind, name, entries);
            for entry in entries {
                let name = format!("{name}.{}", entry.key.value);
                check(cx, of, &name, &entry.value);
            }
        }
        (InputType::List(of), Kind::Seq(items)) => {
            for (at, item) in items.iter().enumerate() {
                check(cx, of, &format!("{name}[{at}]"), item);
            }
        }
        (InputType::Variant(kinds), Kind::Seq(items)) => match items.as_slice() {
            [first, _] if first.has_template() => {}
            [first, of] if first.as_str().is_some() => variant(cx, kinds, name, first, of),
            _ => refuse(cx, kind, name, node),
        },
        _ if node.has_template() => {}
        _ => refuse(cx, kind, name, node),
    }
}

fn refuse(cx: &mut Cx<'_>, kind: &InputType, name: &str, node: &Node) {
    if let Err(why) = kind.check(&node.to_value()) {
        let message = format!("`{name}` {why}");
        cx.error(Code::BadParameter, message, node.site(), "", None);
    }
}

fn object(
    cx: &mut Cx<'_>,
    fields: &BTreeMap<String, Field>,
    name: &str,
    entries: &[Entry],
    node: &Node,
) {
    for entry in entries {
        let key = &entry.key.value;
        match fields.get(key) {
            Some(field) => check(cx, &field.kind, &format!("{name}.{key}"), &entry.value),
            None => {
                let help = did_you_mean(key, fields.keys().map(String::as_str));
                let message = format!("`{name}` has no `{key}`");
                cx.error(Code::UnknownParameter, message, entry.key.span, "", help);
            }
        }
    }
    let is_there = |name: &str| {
        let mut same = entries.iter().filter(|entry| entry.key.value == *name);
        same.any(|entry| !matches!(entry.value.kind, Kind::Null))
    };
    for (key, field) in fields.iter().filter(|(_, field)| field.required) {
        if !is_there(key) {
            let help = (!field.help.is_empty()).then(|| field.help.clone());
            let message = format!("`{name}` needs `{key}`");
            cx.error(Code::MissingParameter, message, node.site(), "", help);
        }
    }
}

fn variant(
    cx: &mut Cx<'_>,
    kinds: &BTreeMap<String, InputType>,
    name: &str,
    first: &Node,
    of: &Node,
) {
    let word = first.as_str().unwrap_or_default();
    if let Some(kind) = kinds.get(word) {
        return check(cx, kind, &format!("{name}[{word}]"), of);
    }
    let words: Vec<_> = kinds.keys().map(|word| format!("`{word}`")).collect();
    let help = did_you_mean(word, kinds.keys().map(String::as_str))
        .or_else(|| Some(format!("there are {}", words.join(", "))));
    let message = format!("`{name}` has no variant `{word}`");
    cx.error(Code::BadParameter, message, first.site(), "", help);
}

/// What in a value of a secret parameter is a secret, each with its name: all of it, unless its schema
/// says which parts.
pub(crate) fn secrets<'n>(param: &Param, name: &str, node: &'n Node) -> Vec<(String, &'n Node)> {
    let mut found = Vec::new();
    match param.schema.as_ref().and_then(kind_of) {
        Some(kind) => secret_parts(&kind, name, node, &mut found),
        None => found.push((name.to_owned(), node)),
    }
    found
}

fn secret_parts<'n>(
    kind: &InputType,
    place: &str,
    node: &'n Node,
    found: &mut Vec<(String, &'n Node)>,
) {
    match (kind.base(), &node.kind) {
        (kind, _) if !kind.is_secret() => {}
        (InputType::Object(fields), Kind::Map(entries)) => {
            for entry in entries {
                if let Some(field) = fields.get(&entry.key.value) {
                    let place = format!("{place}.{}", entry.key.value);
                    secret_parts(&field.kind, &place, &entry.value, found);
                }
            }
        }
        (InputType::Map(of), Kind::Map(entries)) => {
            for entry in entries {
                let place = format!("{place}.{}", entry.key.value);
                secret_parts(of, &place, &entry.value, found);
            }
        }
        (InputType::List(of), Kind::Seq(items)) => {
            for (at, item) in items.iter().enumerate() {
                secret_parts(of, &format!("{place}[{at}]"), item, found);
            }
        }
        (InputType::Variant(kinds), Kind::Seq(items)) => {
            if let [first, of] = items.as_slice()
                && let Some(word) = first.as_str()
                && let Some(kind) = kinds.get(word)
            {
                secret_parts(kind, &format!("{place}[{word}]"), of, found);
            }
        }
        _ => found.push((place.to_owned(), node)),
    }
}

/// Reports names of a map that it may not have.
fn names(cx: &mut Cx<'_>, kind: &InputType, name: &str, entries: &[Entry]) {
    let InputType::Limited(limited) = kind else {
        return;
    };
    let Some(rule) = limited.names.as_deref() else {
        return;
    };
    let Ok(regex) = pattern(rule) else {
        return;
    };
    for entry in entries.iter().filter(|e| !regex.is_match(&e.key.value)) {
        let message = format!("`{}` in `{name}` does not match `{rule}`", entry.key.value);
        cx.error(Code::BadParameter, message, entry.key.span, "", None);
    }
}

/// Puts the defaults in, where a value leaves a part out.
pub(super) fn fill(kind: &InputType, value: &mut Value) {
    match (kind.base(), value) {
        (InputType::Object(fields), Value::Object(map)) => {
            for (name, field) in fields {
                match (map.get_mut(name), &field.default) {
                    (Some(value), _) if !value.is_null() => fill(&field.kind, value),
                    (_, Some(default)) => drop(map.insert(name.clone(), default.clone())),
                    (_, None) => drop(map.remove(name)),
                }
            }
        }
        (InputType::Map(of), Value::Object(map)) => {
            map.values_mut().for_each(|value| fill(of, value));
        }
        (InputType::List(of), Value::Array(items)) => {
            items.iter_mut().for_each(|item| fill(of, item));
        }
        (InputType::Variant(kinds), Value::Array(pair)) => {
            if let [Value::String(name), of] = pair.as_mut_slice()
                && let Some(kind) = kinds.get(name)
            {
                fill(kind, of);
            }
        }
        _ => {}
    }
}

/// A value in its normal form.
///
/// # Errors
/// What it should be; a value is not repeated.
pub(super) fn fit(schema: &Schema, value: &Value) -> Result<Value, String> {
    let kind = kind_of(schema).ok_or("has a schema that cannot be read")?;
    kind.check(value)
}
