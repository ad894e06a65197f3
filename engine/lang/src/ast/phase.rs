//! Phases.

use runbook_model::plan::Order;

use super::StepDef;
use super::input::head;
use crate::diagnostic::Code;
use crate::fields::{Cx, Fields, Share, share};
use crate::keys::Section;
use crate::source::{Span, Spanned};
use crate::yaml::Node;

/// A part of a runbook, with a barrier at its end.
#[derive(Debug, Clone)]
pub struct Phase {
    /// Its name; `main` in a runbook that has only `steps`.
    pub id: Spanned<String>,
    /// A selector: where its steps run unless they say otherwise.
    pub on: Option<Spanned<String>>,
    /// A condition.
    pub when: Option<Spanned<String>>,
    /// How its steps follow each other.
    pub order: Order,
    /// Batch by batch.
    pub rolling: Option<Rolling>,
    /// Its steps, in order.
    pub steps: Vec<StepDef>,
}

/// The whole list of steps batch by batch.
#[derive(Debug, Clone)]
pub struct Rolling {
    /// Sizes of the batches; at least one, the last one repeats.
    pub batch: Vec<Spanned<Share>>,
    /// Where `rolling` is written.
    pub span: Span,
}

impl Phase {
    pub(super) fn read(cx: &mut Cx<'_>, node: &Node) -> Option<Self> {
        let fields = Fields::read(cx, Section::Phase, node, head(node))?;
        // Steps are read even if the phase has no usable name: all mistakes at once.
        let steps: Vec<_> = fields
            .items("steps")
            .into_iter()
            .filter_map(|item| StepDef::read(cx, item))
            .collect();
        let id = fields.text("phase")?;
        if fields.node("steps").is_none()
            && node.get("steps").is_none()
            && node.get("import").is_none()
        {
            cx.error(
                Code::MissingKey,
                format!("the phase `{}` has no `steps`", id.value),
                id.span,
                "",
                None,
            );
        }
        Some(Self {
            on: fields.text("on"),
            when: fields.text("when"),
            order: order(&fields),
            rolling: fields
                .entry("rolling")
                .and_then(|e| rolling(cx, &e.value, e.key.span)),
            steps,
            id,
        })
    }
}

fn order(fields: &Fields<'_>) -> Order {
    match fields.text("order") {
        Some(word) if word.value == "per_host" => Order::PerHost,
        _ => Order::Steps,
    }
}

fn rolling(cx: &mut Cx<'_>, node: &Node, span: Span) -> Option<Rolling> {
    let fields = Fields::read(cx, Section::Rolling, node, span)?;
    let mut batch: Vec<_> = fields
        .items("batch")
        .into_iter()
        .filter_map(|n| Some(Spanned::new(share(n)?, n.site())))
        .collect();
    if batch.is_empty() {
        if fields.node("batch").is_some() {
            cx.error(
                Code::BadValue,
                "`batch` names no size",
                span,
                "",
                Some("write `batch: 1`, or `batch: [1, 50%]`".to_owned()),
            );
        }
        batch.push(Spanned::new(Share::Count(1), span));
    }
    Some(Rolling { batch, span })
}
