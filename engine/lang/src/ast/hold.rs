//! What a step holds during a run, and what releases it.

use std::collections::BTreeMap;

use runbook_model::step::HoldOnFailure;

use crate::diagnostic::{Code, Diagnostic};
use crate::fields::{Cx, Fields};
use crate::keys::{Name, Section};
use crate::source::{Span, Spanned};
use crate::yaml::Node;

/// Something that is held: a freeze, a flag.
#[derive(Debug, Clone)]
pub struct HoldDef {
    /// The steps that release it; none: the end of the run.
    pub release: Vec<Spanned<String>>,
    /// What becomes of it when the run fails.
    pub on_failure: Spanned<HoldOnFailure>,
    /// How long it may be held, in milliseconds.
    pub max_ms: Option<u64>,
    /// Where `release` says it, or `hold` itself.
    pub span: Span,
}

/// The word for the end of the run.
const END: &str = "end";

impl HoldDef {
    pub(super) fn read(cx: &mut Cx<'_>, node: &Node, span: Span) -> Option<Self> {
        let fields = Fields::read(cx, Section::Hold, node, span)?;
        let mut release = fields.texts("release");
        fields.node("release")?;
        let ends = release.iter().position(|name| name.value == END);
        if release.is_empty() {
            cx.error(
                Code::BadValue,
                "`release` names nothing",
                span,
                "",
                Some("write the steps that release it, or `end`".to_owned()),
            );
            return None;
        }
        if let Some(at) = ends {
            if release.len() > 1 {
                cx.error(
                    Code::Conflict,
                    "`end` and steps do not go together",
                    release[at].span,
                    "it is released once",
                    Some("name the steps, or `end` alone".to_owned()),
                );
            }
            release.clear();
        }
        release.retain(|name| crate::fields::name_holds(cx, Name::Id, &name.value, name.span));
        once_each(cx, &mut release);
        let on_failure = fields.text("on_failure").map_or_else(
            || Spanned::new(HoldOnFailure::Keep, span),
            |word| {
                word.map(|word| match word.as_str() {
                    "release" => HoldOnFailure::Release,
                    _ => HoldOnFailure::Keep,
                })
            },
        );
        Some(Self {
            release,
            on_failure,
            max_ms: max(cx, &fields),
            span: fields.node("release").map_or(span, Node::site),
        })
    }
}

/// A step that is named twice releases once.
fn once_each(cx: &mut Cx<'_>, release: &mut Vec<Spanned<String>>) {
    let mut seen: BTreeMap<String, Span> = BTreeMap::new();
    release.retain(|name| {
        let Some(first) = seen.get(&name.value) else {
            seen.insert(name.value.clone(), name.span);
            return true;
        };
        let message = format!("`{}` is named twice", name.value);
        let twice = Diagnostic::error(Code::DuplicateId, message)
            .label(cx.id(), name.span, "again here")
            .label(cx.id(), *first, "first here")
            .help("any step of the list releases it: name each once");
        cx.push(twice);
        false
    });
}

fn max(cx: &mut Cx<'_>, fields: &Fields<'_>) -> Option<u64> {
    let max = fields.duration("max")?;
    if max.value == 0 {
        cx.error(
            Code::BadValue,
            "`max` is no time at all: the hold would be over when it begins",
            max.span,
            "",
            Some("write a time like `2h`, or leave `max` out".to_owned()),
        );
        return None;
    }
    Some(max.value)
}
