//! Steps.

use runbook_model::step::{OnFailure, Outage, Retry};

use super::HoldDef;
use super::input::head;
use crate::diagnostic::Code;
use crate::fields::{Cx, Fields};
use crate::keys::{Name, Section};
use crate::source::{Span, Spanned};
use crate::yaml::{Entry, Kind, Node};

/// One intent.
#[derive(Debug, Clone)]
pub struct StepDef {
    /// Its name, unique in the runbook.
    pub id: Spanned<String>,
    /// The name of its step type; empty if that was reported, so that others can refer to the step.
    pub uses: Spanned<String>,
    /// A selector.
    pub on: Option<Spanned<String>>,
    /// A selector: the hosts that it runs on, while it belongs to its own.
    pub via: Option<Spanned<String>>,
    /// The account that it runs as; a text with templates.
    pub account: Option<Spanned<String>>,
    /// The directory that it runs in; a text with templates.
    pub chdir: Option<Spanned<String>>,
    /// One instance for each of these.
    pub for_each: Option<ForEach>,
    /// Parameters by name; texts in them may hold templates.
    pub with: Vec<Entry>,
    /// What it waits for; `None` where the order is implied.
    pub needs: Option<Vec<Need>>,
    /// A condition.
    pub when: Option<Spanned<String>>,
    /// A condition over its outputs.
    pub expect: Option<Spanned<String>>,
    /// How apply is repeated.
    pub retry: Option<RetryDef>,
    /// How the check is repeated.
    pub until: Option<UntilDef>,
    /// Limit of one attempt, in milliseconds.
    pub timeout_ms: Option<Spanned<u64>>,
    /// Never killed, never retried by itself.
    pub critical: bool,
    /// Looked at again when older than this, in milliseconds.
    pub fresh_ms: Option<Spanned<u64>>,
    /// Where it says that it is a record, never taken again.
    pub once: Option<Span>,
    /// What it did is held until something releases it.
    pub hold: Option<HoldDef>,
    /// What its failure does to the others.
    pub on_failure: OnFailure,
    /// A mark of the outage.
    pub outage: Option<Spanned<Outage>>,
    /// What is lost by going back from here on; a text with templates.
    pub no_return: Option<Spanned<String>>,
    /// Left out of the automatic rollback.
    pub undo_none: bool,
    /// Free words.
    pub tags: Vec<Spanned<String>>,
    /// The whole step.
    pub span: Span,
}

/// What a step is repeated for.
#[derive(Debug, Clone)]
pub enum ForEach {
    /// A path, bare or as a template: `groups.quay`, `{{inputs.ports}}`.
    Path(Spanned<String>),
    /// A list or a map as it stands; its texts may hold templates.
    Literal(Node),
}

impl ForEach {
    /// Where it is written.
    #[must_use]
    pub fn span(&self) -> Span {
        match self {
            Self::Path(path) => path.span,
            Self::Literal(node) => node.site(),
        }
    }
}

/// Another step that must end first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Need {
    /// Its name.
    pub step: Spanned<String>,
    /// Only the instance on the same host.
    pub same_host: bool,
}

/// How apply is repeated.
#[derive(Debug, Clone, Copy)]
pub struct RetryDef {
    /// Numbers, defaults filled in.
    pub retry: Retry,
    /// Where `retry` is written.
    pub span: Span,
}

/// How a check is repeated until it holds.
#[derive(Debug, Clone)]
pub struct UntilDef {
    /// Between two looks, in milliseconds.
    pub every_ms: u64,
    /// How many good looks in a row.
    pub passes: u32,
    /// Wall-clock time from the first look, in milliseconds.
    pub within_ms: u64,
    /// Ends it at once when true of the outputs.
    pub fatal: Option<Spanned<String>>,
    /// Where `until` is written.
    pub span: Span,
}

/// Between two looks, unless the runbook says otherwise.
const EVERY_MS: u64 = 5_000;

impl StepDef {
    pub(super) fn read(cx: &mut Cx<'_>, node: &Node) -> Option<Self> {
        let at = node.get("step").map_or_else(|| head(node), Node::site);
        let fields = Fields::read(cx, Section::Step, node, at)?;
        let retry = fields
            .entry("retry")
            .and_then(|e| retry(cx, &e.value, e.key.span));
        let until = fields
            .entry("until")
            .and_then(|e| until(cx, &e.value, e.key.span));
        let needs = fields.node("needs").map(|_| {
            fields
                .texts("needs")
                .into_iter()
                .filter_map(|n| need(cx, n))
                .collect()
        });
        let hold = fields
            .entry("hold")
            .and_then(|e| HoldDef::read(cx, &e.value, e.key.span));
        let for_each = fields.node("for_each").and_then(|n| for_each(cx, n));
        let critical = fields.bool("critical").unwrap_or(false);
        if let (true, Some(retry)) = (critical, &retry) {
            let message = "a critical step is never retried by itself";
            cx.error(
                Code::Conflict,
                message,
                retry.span,
                "",
                Some("remove `retry` or `critical`".to_owned()),
            );
        }
        let once = fields
            .entry("once")
            .filter(|_| fields.bool("once") == Some(true))
            .map(|e| e.key.span);
        if let (Some(_), Some(span)) = (once, fields.key_span("fresh")) {
            cx.error(
                Code::Conflict,
                "`once` and `fresh` do not go together",
                span,
                "a record is never taken again",
                Some("leave `fresh` out for a record, `once` for what must not be old".to_owned()),
            );
        }
        let id = fields.text("step")?;
        let uses = fields
            .text("uses")
            .unwrap_or_else(|| Spanned::new(String::new(), id.span));
        Some(Self {
            id,
            uses,
            on: fields.text("on"),
            via: fields.text("via"),
            account: fields.text("as"),
            chdir: fields.text("chdir"),
            for_each,
            with: fields.map("with").into_iter().cloned().collect(),
            needs,
            when: fields.text("when"),
            expect: fields.text("expect"),
            retry,
            until,
            timeout_ms: fields.duration("timeout"),
            critical,
            fresh_ms: fields.duration("fresh"),
            once,
            hold,
            on_failure: on_failure(&fields),
            outage: fields.text("outage").map(|w| {
                w.map(|w| {
                    if w == "end" {
                        Outage::End
                    } else {
                        Outage::Begin
                    }
                })
            }),
            no_return: fields.text("no_return"),
            undo_none: fields.node("undo").is_some(),
            tags: fields.texts("tags"),
            span: fields.span,
        })
    }
}

pub(super) fn on_failure(fields: &Fields<'_>) -> OnFailure {
    match fields.text("on_failure") {
        Some(word) if word.value == "continue" => OnFailure::Continue,
        _ => OnFailure::Stop,
    }
}

fn for_each(cx: &mut Cx<'_>, node: &Node) -> Option<ForEach> {
    match &node.kind {
        Kind::Error => None,
        Kind::Str { text, .. } => Some(ForEach::Path(Spanned::new(text.clone(), node.site()))),
        Kind::Seq(_) | Kind::Map(_) => Some(ForEach::Literal(node.clone())),
        _ => {
            let message = format!("`for_each` is a path, a list or a map, not {}", node.noun());
            let help = Some("write `groups.quay`, `inputs.ports`, or `[a, b]`".to_owned());
            cx.error(Code::WrongType, message, node.site(), "", help);
            None
        }
    }
}

fn need(cx: &mut Cx<'_>, text: Spanned<String>) -> Option<Need> {
    let (name, same_host) = match text.value.split_once('@') {
        None => (text.value.as_str(), false),
        Some((name, "host")) => (name, true),
        Some((name, place)) => {
            let help = Some(format!(
                "write `{name}@host` for the same host, `{name}` for all of them"
            ));
            cx.error(
                Code::BadValue,
                format!("`@{place}` is not a place"),
                text.span,
                "",
                help,
            );
            return None;
        }
    };
    let good = crate::fields::name_holds(cx, Name::Id, name, text.span);
    good.then(|| Need {
        step: Spanned::new(name.to_owned(), text.span),
        same_host,
    })
}

fn retry(cx: &mut Cx<'_>, node: &Node, span: Span) -> Option<RetryDef> {
    let fields = Fields::read(cx, Section::Retry, node, span)?;
    let usual = Retry::default();
    let retry = Retry {
        attempts: fields
            .int("attempts")
            .and_then(|n| u32::try_from(n.value).ok())
            .unwrap_or(usual.attempts),
        delay_ms: fields.duration("delay").map_or(usual.delay_ms, |d| d.value),
        backoff: fields.number("backoff").unwrap_or(usual.backoff),
        max_delay_ms: fields
            .duration("max_delay")
            .map_or(usual.max_delay_ms, |d| d.value),
    };
    Some(RetryDef { retry, span })
}

fn until(cx: &mut Cx<'_>, node: &Node, span: Span) -> Option<UntilDef> {
    let fields = Fields::read(cx, Section::Until, node, span)?;
    Some(UntilDef {
        every_ms: fields.duration("every").map_or(EVERY_MS, |d| d.value),
        passes: fields
            .int("passes")
            .and_then(|n| u32::try_from(n.value).ok())
            .unwrap_or(1),
        within_ms: fields.duration("within")?.value,
        fatal: fields.text("fatal"),
        span,
    })
}
