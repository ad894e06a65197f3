//! Phases.

use runbook_model::plan::{Order, Part};
use runbook_model::step::OnFailure;

use super::StepDef;
use super::input::head;
use super::step::on_failure;
use crate::diagnostic::Code;
use crate::fields::{Cx, Fields, Share, share};
use crate::keys::{Name, Section};
use crate::source::{Span, Spanned};
use crate::yaml::{Entry, Node};

/// A part of a runbook, with a barrier at its end.
#[derive(Debug, Clone)]
pub struct Phase {
    /// Its name; `main` in a runbook that has only `steps`, `finally` for what runs on every ending.
    pub id: Spanned<String>,
    /// The procedure, going back, or the ending.
    pub part: Part,
    /// A selector: where its steps run unless they say otherwise.
    pub on: Option<Spanned<String>>,
    /// A condition.
    pub when: Option<Spanned<String>>,
    /// How its steps follow each other.
    pub order: Order,
    /// What a failure does to the others.
    pub on_failure: OnFailure,
    /// How many hosts may fail.
    pub max_failures: Option<Spanned<u32>>,
    /// Batch by batch.
    pub rolling: Option<Rolling>,
    /// Another runbook in its place.
    pub import: Option<ImportDef>,
    /// What stands in its place in the whole.
    pub linked: Linked,
    /// Its steps, in order.
    pub steps: Vec<StepDef>,
}

/// What a phase has from the imports that brought it in; nothing, of a phase of its own runbook.
#[derive(Debug, Clone, Default)]
pub struct Linked {
    /// The imports with a `when` that it belongs to, each by a number of its own.
    pub under: Vec<usize>,
    /// Its `when` says nothing but what those imports say.
    pub only_theirs: bool,
    /// Of an ending: the first phase of its import.
    pub follows: Option<String>,
}

/// The whole list of steps batch by batch.
#[derive(Debug, Clone)]
pub struct Rolling {
    /// Sizes of the batches; at least one, the last one repeats.
    pub batch: Vec<Spanned<Share>>,
    /// A host variable that a batch never mixes.
    pub by: Option<Spanned<String>>,
    /// How many hosts may fail.
    pub max_failures: Option<Spanned<u32>>,
    /// How many hosts must not have failed.
    pub min_ok: Option<Spanned<u32>>,
    /// Between two batches, in milliseconds.
    pub pause_ms: u64,
    /// Where `rolling` is written.
    pub span: Span,
}

/// Another runbook as a phase.
#[derive(Debug, Clone)]
pub struct ImportDef {
    /// Its file.
    pub file: Spanned<String>,
    /// The prefix of its ids.
    pub prefix: Spanned<String>,
    /// Its inputs.
    pub with: Vec<Entry>,
    /// Its names of groups, and ours.
    pub groups: Vec<(Spanned<String>, Spanned<String>)>,
    /// Where `import` is written.
    pub span: Span,
}

impl Phase {
    /// A phase of the procedure with nothing but steps.
    pub(super) fn of_steps(id: Spanned<String>, part: Part, steps: Vec<StepDef>) -> Self {
        Self {
            id,
            part,
            on: None,
            when: None,
            order: Order::Steps,
            on_failure: OnFailure::Stop,
            max_failures: None,
            rolling: None,
            import: None,
            linked: Linked::default(),
            steps,
        }
    }

    /// Whether it may be skipped although every import that it belongs to is not.
    pub fn decides(&self) -> bool {
        self.when.is_some() && !self.linked.only_theirs
    }

    pub(super) fn read(cx: &mut Cx<'_>, node: &Node, part: Part) -> Option<Self> {
        let fields = Fields::read(cx, Section::Phase, node, head(node))?;
        // Steps are read even if the phase has no usable name: all mistakes at once.
        let steps: Vec<_> = fields
            .items("steps")
            .into_iter()
            .filter_map(|item| StepDef::read(cx, item))
            .collect();
        let id = fields.text("phase")?;
        let import = fields
            .entry("import")
            .and_then(|e| import(cx, &e.value, e.key.span, &id));
        if node.get("import").is_some() {
            only_import(cx, &fields);
        } else if fields.node("steps").is_none() && node.get("steps").is_none() {
            cx.error(
                Code::MissingKey,
                format!("the phase `{}` has no `steps`", id.value),
                id.span,
                "",
                None,
            );
        }
        let phase = Self {
            part,
            on: fields.text("on"),
            when: fields.text("when"),
            order: order(&fields),
            on_failure: on_failure(&fields),
            max_failures: count(&fields, "max_failures"),
            rolling: fields
                .entry("rolling")
                .and_then(|e| rolling(cx, &e.value, e.key.span)),
            import,
            linked: Linked::default(),
            steps,
            id,
        };
        phase.check_budgets(cx, fields.node("on_failure").is_some());
        Some(phase)
    }

    /// A budget that nothing can use is a misunderstanding.
    fn check_budgets(&self, cx: &mut Cx<'_>, says_what_failure_does: bool) {
        let Some(budget) = self.max_failures.filter(|n| n.value > 0) else {
            return;
        };
        if self
            .rolling
            .as_ref()
            .is_some_and(|r| r.max_failures.is_some())
        {
            cx.error(
                Code::Conflict,
                "the phase and its `rolling` both have `max_failures`",
                budget.span,
                "",
                Some("keep the one of `rolling`".to_owned()),
            );
        } else if self.on_failure == OnFailure::Stop
            && (self.rolling.is_none() || says_what_failure_does)
        {
            cx.error(
                Code::Conflict,
                "with `on_failure: stop` nothing starts after the first failure",
                budget.span,
                "a budget for more",
                Some("add `on_failure: continue`, or leave `max_failures` out".to_owned()),
            );
        }
    }
}

fn order(fields: &Fields<'_>) -> Order {
    match fields
        .text("order")
        .as_ref()
        .map(|word| word.value.as_str())
    {
        Some("per_host") => Order::PerHost,
        Some("graph") => Order::Graph,
        _ => Order::Steps,
    }
}

fn count(fields: &Fields<'_>, name: &str) -> Option<Spanned<u32>> {
    let number = fields.int(name)?;
    Some(Spanned::new(u32::try_from(number.value).ok()?, number.span))
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
    Some(Rolling {
        batch,
        by: fields.text("by"),
        max_failures: count(&fields, "max_failures"),
        min_ok: count(&fields, "min_ok"),
        pause_ms: fields.duration("pause").map_or(0, |pause| pause.value),
        span,
    })
}

/// What an import would say twice, or not at all.
fn only_import(cx: &mut Cx<'_>, fields: &Fields<'_>) {
    for key in [
        "steps",
        "on",
        "order",
        "rolling",
        "on_failure",
        "max_failures",
    ] {
        if let Some(span) = fields.key_span(key) {
            let help = match key {
                "steps" => "move the steps into a phase of their own",
                _ => "say it in the runbook that is imported",
            };
            cx.error(
                Code::Conflict,
                format!("a phase that is an `import` has no `{key}`"),
                span,
                "",
                Some(help.to_owned()),
            );
        }
    }
}

fn import(cx: &mut Cx<'_>, node: &Node, span: Span, phase: &Spanned<String>) -> Option<ImportDef> {
    let fields = Fields::read(cx, Section::Import, node, span)?;
    let groups = fields.map("groups").into_iter().filter_map(|entry| {
        let ours = entry.value.as_str()?.to_owned();
        Some((entry.key.clone(), Spanned::new(ours, entry.value.site())))
    });
    let groups: Vec<_> = groups
        .filter(|(_, ours)| Name::Id.check(&ours.value).is_ok())
        .collect();
    Some(ImportDef {
        file: fields.text("file")?,
        prefix: fields.text("as").unwrap_or_else(|| phase.clone()),
        with: fields.map("with").into_iter().cloned().collect(),
        groups,
        span,
    })
}
