//! What is written under `with:` against the schema of the step type.

use runbook_model::StepType;
use runbook_model::step_type::{Param, Piece, Shape};
use serde_json::{Map, Value};

use super::engine::ASSERT;
use super::param::coerce;
use super::rules::{Unknown, broken};
use super::schema;
use crate::diagnostic::{Code, Diagnostics, did_you_mean};
use crate::fields::{Cx, pattern};
use crate::source::{Source, Span};
use crate::yaml::{Entry, Kind, Node};

/// Reports unknown and missing parameters and literal values that the schema refuses. What holds
/// a template is looked at when its value is known, by [`coerce`]. `at` is where a missing
/// parameter is reported, usually `uses`.
pub fn check_params(
    step_type: &StepType,
    with: &[Entry],
    at: Span,
    source: &Source,
    diagnostics: &mut Diagnostics,
) {
    let found = diagnostics.len();
    let mut cx = Cx::new(source, diagnostics);
    for entry in with {
        let name = &entry.key.value;
        match step_type.params.get(name) {
            Some(param) => check(&mut cx, param, name, &entry.value),
            None => {
                let known = step_type.params.keys().map(String::as_str);
                let help = cx.diagnostics.suggest(name, known);
                let message = format!("`{}` has no parameter `{name}`", step_type.name);
                cx.error(Code::UnknownParameter, message, entry.key.span, "", help);
            }
        }
    }
    for (name, param) in step_type.params.iter().filter(|(_, p)| p.required) {
        if !with.iter().any(|e| e.key.value == *name) {
            let help = (!param.help.is_empty()).then(|| param.help.clone());
            let message = format!("`{}` needs the parameter `{name}`", step_type.name);
            cx.error(Code::MissingParameter, message, at, "", help);
        }
    }
    if let Some(Piece::Param(name)) = &step_type.progress
        && let Some(entry) = with.iter().find(|e| e.key.value == *name)
        && let Some(text) = entry.value.as_str()
    {
        if entry.value.has_template() {
            let message = format!("`{name}` is used as it stands, and holds no template");
            cx.error(Code::NoTemplateHere, message, entry.value.site(), "", None);
        } else if let Err(why) = pattern(text) {
            let message = format!("`{name}` is no regular expression: {why}");
            cx.error(Code::BadParameter, message, entry.value.site(), "", None);
        }
    }
    if cx.diagnostics.len() == found {
        check_rules(&mut cx, step_type, with, at);
    }
    if step_type.name == ASSERT
        && let Some(all) = with.iter().find(|e| e.key.value == "all")
    {
        assert_shape(&mut cx, &all.value);
    }
}

/// Rules are asked here of what stands there as it is; templates are not known yet.
fn check_rules(cx: &mut Cx<'_>, step_type: &StepType, with: &[Entry], at: Span) {
    let given = step_type.params.iter().filter_map(|(name, param)| {
        let written = with.iter().find(|e| e.key.value == *name);
        let value = match written {
            Some(entry) if entry.value.has_error() => Unknown.into(),
            Some(entry) => unless_known(&entry.value),
            None => param.default.clone()?,
        };
        (!value.is_null()).then(|| (name.clone(), value))
    });
    for why in broken(step_type, given.collect()) {
        cx.error(Code::BadParameter, why, at, "", None);
    }
}

/// A value with [`Unknown`] in the place of every template.
fn unless_known(node: &Node) -> Value {
    match &node.kind {
        Kind::Map(entries) => entries
            .iter()
            .map(|entry| (entry.key.value.clone(), unless_known(&entry.value)))
            .collect::<Map<_, _>>()
            .into(),
        Kind::Seq(items) => items.iter().map(unless_known).collect::<Vec<_>>().into(),
        _ if node.has_template() => Unknown.into(),
        _ => node.to_value(),
    }
}

fn check(cx: &mut Cx<'_>, param: &Param, name: &str, node: &Node) {
    if node.has_error() {
        return;
    }
    match (&node.kind, param.shape) {
        // Each item for itself: the others may be templates, and the message gets the item's place.
        (Kind::Seq(items), Shape::List) => items
            .iter()
            .for_each(|item| one(cx, param, name, item, Value::Array(vec![item.to_value()]))),
        (Kind::Map(entries), Shape::Map) => {
            for entry in entries {
                let map = [(entry.key.value.clone(), entry.value.to_value())]
                    .into_iter()
                    .collect();
                one(cx, param, name, &entry.value, Value::Object(map));
            }
        }
        _ => match param.schema.as_ref().and_then(schema::kind_of) {
            Some(kind) => schema::check(cx, &kind, name, node),
            None => one(cx, param, name, node, node.to_value()),
        },
    }
}

/// Checks `value`, which is written at `node`.
fn one(cx: &mut Cx<'_>, param: &Param, name: &str, node: &Node, value: Value) {
    if node.has_template() {
        return;
    }
    let spelled = cx.source.slice(node.span);
    let texts = matches!(
        param.shape,
        Shape::String | Shape::Path | Shape::List | Shape::Map
    );
    let lossy = match &node.kind {
        // `1.10` would arrive as `1.1`, `0x10` as `16`.
        Kind::Float(n) => n.to_string() != spelled,
        Kind::Int(n) => n.to_string() != spelled,
        _ => false,
    };
    if texts && lossy {
        let message = format!("`{name}` is a text, and `{spelled}` is a number");
        cx.error(
            Code::BadParameter,
            message,
            node.site(),
            "",
            Some(format!("put it in quotes: '{spelled}'")),
        );
    } else if let Err(why) = coerce(param, &value) {
        let help = match (param.shape, &node.kind) {
            (Shape::Enum, Kind::Str { text, .. }) => {
                did_you_mean(text, param.values.iter().map(String::as_str))
            }
            _ => None,
        };
        cx.error(
            Code::BadParameter,
            format!("`{name}` {why}"),
            node.site(),
            "",
            help,
        );
    }
}

/// `assert` takes a list of conditions with messages.
fn assert_shape(cx: &mut Cx<'_>, node: &Node) {
    let Some(items) = node.as_seq().filter(|items| !items.is_empty()) else {
        if node.kind != Kind::Error {
            let help = Some("write `all: [{ check: …, message: … }]`".to_owned());
            cx.error(
                Code::BadParameter,
                "`all` is a list of conditions with messages",
                node.site(),
                "",
                help,
            );
        }
        return;
    };
    for item in items.iter().filter(|item| item.kind != Kind::Error) {
        for key in ["check", "message"] {
            match item.get(key).map(|n| (n, n.as_str())) {
                Some((_, Some(_))) => {}
                Some((node, None)) if node.kind == Kind::Error => {}
                Some((node, None)) => cx.error(
                    Code::BadParameter,
                    format!("`{key}` is a text, not {}", node.noun()),
                    node.site(),
                    "",
                    None,
                ),
                None => cx.error(
                    Code::MissingParameter,
                    format!("each condition of `all` needs `{key}`"),
                    item.site(),
                    "",
                    None,
                ),
            }
        }
        for entry in item.as_map().unwrap_or(&[]) {
            let name = &entry.key.value;
            if name != "check" && name != "message" {
                let help = did_you_mean(name, ["check", "message"]);
                cx.error(
                    Code::UnknownParameter,
                    format!("a condition of `all` has no `{name}`"),
                    entry.key.span,
                    "",
                    help,
                );
            }
        }
    }
}
