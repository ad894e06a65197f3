//! The type of a definition, with the definitions inside it: `of`, `fields`, `one_of`.

use std::collections::BTreeMap;

use crate::diagnostic::Code;
use crate::fields::{Cx, Fields, conforms};
use crate::keys::{self, Section};
use crate::source::{Span, Spanned};
use crate::value::{Field, InputType, Limited};
use crate::yaml::{Kind, Node};

/// Definitions in definitions: more is no form that anybody fills in.
const MOST_NESTED: usize = 8;

/// The type, together with what it needs.
pub(crate) fn read(
    cx: &mut Cx<'_>,
    fields: &Fields<'_>,
    section: Section,
) -> Option<Spanned<InputType>> {
    let word = fields.text("type")?;
    let name = word.value.as_str();
    let own = [
        ("values", name == "enum", true),
        ("of", matches!(name, "map" | "list"), true),
        ("fields", name == "object", true),
        ("one_of", name == "one_of", true),
        ("variants", name == "variant", true),
        ("names", name == "map", false),
        (
            "pattern",
            matches!(name, "string" | "path" | "secret"),
            false,
        ),
        ("in", name == "host", false),
        ("generate", name == "secret", false),
        ("adopt", name == "secret", false),
        ("exists", name == "secret", false),
    ];
    let foreign = |key: &str, wanted: bool| fields.key_span(key).filter(|_| !wanted);
    let mut misplaced = false;
    for (key, wanted, _) in own {
        if let Some(span) = foreign(key, wanted) {
            misplaced = true;
            does_not_belong(cx, &word, key, span);
        }
    }
    for (key, ..) in own
        .iter()
        .filter(|(_, wanted, required)| *wanted && *required)
    {
        if !is_given(cx, fields, &word, key, misplaced) {
            return None;
        }
    }
    let kind = match name {
        "enum" => {
            let values = fields.texts("values").into_iter().map(|v| v.value);
            Some(values.collect::<Vec<_>>())
                .filter(|values| !values.is_empty())
                .map(InputType::Enum)?
        }
        "map" => InputType::Map(Box::new(element(cx, fields.node("of")?, section)?)),
        "list" => InputType::List(Box::new(element(cx, fields.node("of")?, section)?)),
        "object" => object(cx, fields, section)?,
        "one_of" => one_of(cx, fields, section)?,
        "variant" => variant(cx, fields, section)?,
        other => plain(other)?,
    };
    if depth(&kind) > MOST_NESTED {
        let message = format!("a type holds at most {MOST_NESTED} others, one in the other");
        cx.error(Code::TooDeep, message, word.span, "", None);
        return None;
    }
    Some(Spanned::new(limited(kind, fields, section), word.span))
}

fn depth(kind: &InputType) -> usize {
    match kind.base() {
        InputType::List(of) | InputType::Map(of) => 1 + depth(of),
        InputType::Object(fields) => 1 + fields.values().map(|f| depth(&f.kind)).max().unwrap_or(0),
        InputType::OneOf(kinds) => 1 + kinds.iter().map(depth).max().unwrap_or(0),
        InputType::Variant(kinds) => 1 + kinds.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

fn does_not_belong(cx: &mut Cx<'_>, word: &Spanned<String>, key: &str, span: Span) {
    let message = match key {
        "pattern" => "only a string, a path or a secret has a `pattern`".to_owned(),
        "in" => "only a host can be `in` a group".to_owned(),
        _ => format!("`{key}` does not belong to the type `{}`", word.value),
    };
    let help = Some(format!("leave `{key}` out, or give another `type`"));
    cx.error(Code::Conflict, message, span, "", help);
}

/// Whether the type has what it needs; one that has something else instead was reported.
fn is_given(
    cx: &mut Cx<'_>,
    fields: &Fields<'_>,
    word: &Spanned<String>,
    key: &str,
    misplaced: bool,
) -> bool {
    let is_empty = |node: &Node| {
        node.as_map().is_some_and(<[_]>::is_empty) || node.as_seq().is_some_and(<[_]>::is_empty)
    };
    match fields.node(key) {
        Some(node) if is_empty(node) => {
            let message = format!(
                "`{key}` is empty: nothing would fit the type `{}`",
                word.value
            );
            cx.error(Code::BadValue, message, node.site(), "", None);
            false
        }
        Some(_) => true,
        None => {
            if !fields.incomplete && !misplaced {
                let message = format!("the type `{}` needs `{key}`", word.value);
                let help = keys::find(Section::Input, key)
                    .map(|of| format!("{} Like `{key}: {}`", of.doc, of.example));
                cx.error(Code::MissingKey, message, word.span, "", help);
            }
            false
        }
    }
}

/// A secret input keeps its pattern outside: nobody looks into it here.
fn limited(kind: InputType, fields: &Fields<'_>, section: Section) -> InputType {
    let pattern = fields.text("pattern").map(|p| p.value);
    let group = fields.text("in").map(|g| g.value);
    let names = fields.text("names").map(|n| n.value);
    let can_be = matches!(
        kind,
        InputType::String | InputType::Path | InputType::Host | InputType::Map(_)
    ) || kind == InputType::Secret && section == Section::Value;
    match can_be && (pattern.is_some() || group.is_some() || names.is_some()) {
        true => InputType::Limited(Box::new(Limited {
            kind,
            pattern,
            names,
            group,
        })),
        false => kind,
    }
}

/// What a list or a map holds: the word of a type, or a definition.
fn element(cx: &mut Cx<'_>, node: &Node, section: Section) -> Option<InputType> {
    match &node.kind {
        Kind::Map(_) => definition(cx, node, section, "what a list or a map holds"),
        Kind::Str { text, .. } => {
            let key = keys::find(section, "type")?;
            if !conforms(cx, "of", &key.shape, node) {
                return None;
            }
            let kind = plain(text);
            if kind.is_none() {
                let message = format!("the type `{text}` needs more than its name");
                let help = Some(format!("write `of: {{ type: {text}, … }}`"));
                cx.error(Code::MissingKey, message, node.site(), "", help);
            }
            kind
        }
        Kind::Error => None,
        _ => {
            let help = Some("write `of: string`, or `of: { type: … }`".to_owned());
            let message = format!("`of` is a type, not {}", node.noun());
            cx.error(Code::WrongType, message, node.site(), "", help);
            None
        }
    }
}

/// A definition without a name: nothing is given to it by itself, so nothing can be missing.
fn definition(cx: &mut Cx<'_>, node: &Node, section: Section, what: &str) -> Option<InputType> {
    let fields = Fields::read(cx, section, node, super::head(node))?;
    for key in ["required", "default"] {
        if let Some(span) = fields.key_span(key) {
            let message = format!("`{key}` has no meaning for {what}");
            let help = Some(format!("leave `{key}` out"));
            cx.error(Code::Conflict, message, span, "", help);
        }
    }
    read(cx, &fields, section).map(|kind| kind.value)
}

fn object(cx: &mut Cx<'_>, fields: &Fields<'_>, section: Section) -> Option<InputType> {
    let entries = fields.map("fields");
    let mut out = BTreeMap::new();
    for entry in &entries {
        // A field is defined as an input is, and has the same mistakes.
        let def = super::InputDef::read(cx, section, entry)?;
        out.insert(
            def.name.value,
            Field {
                default: def.default.map(|node| node.to_value()),
                kind: def.kind.value,
                required: def.required,
                help: def.help,
            },
        );
    }
    Some(InputType::Object(out))
}

fn one_of(cx: &mut Cx<'_>, fields: &Fields<'_>, section: Section) -> Option<InputType> {
    let items = fields.items("one_of");
    let kinds: Vec<_> = items
        .iter()
        .filter_map(|item| definition(cx, item, section, "an alternative"))
        .collect();
    // With an alternative less, a default or a value would be refused for the wrong reason.
    (kinds.len() == items.len()).then_some(InputType::OneOf(kinds))
}

fn variant(cx: &mut Cx<'_>, fields: &Fields<'_>, section: Section) -> Option<InputType> {
    let mut kinds = BTreeMap::new();
    let entries = fields.map("variants");
    for entry in &entries {
        if let Some(kind) = definition(cx, &entry.value, section, "a variant") {
            kinds.insert(entry.key.value.clone(), kind);
        }
    }
    (kinds.len() == entries.len()).then_some(InputType::Variant(kinds))
}

/// The type of one word.
fn plain(word: &str) -> Option<InputType> {
    Some(match word {
        "string" => InputType::String,
        "int" => InputType::Int,
        "bool" => InputType::Bool,
        "path" => InputType::Path,
        "duration" => InputType::Duration,
        "size" => InputType::Size,
        "date" => InputType::Date,
        "version" => InputType::Version,
        "host" => InputType::Host,
        "secret" => InputType::Secret,
        _ => return None,
    })
}
