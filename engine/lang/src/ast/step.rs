//! Steps.

use runbook_model::step::{Outage, Retry};

use super::input::head;
use crate::diagnostic::Code;
use crate::fields::{Cx, Fields};
use crate::keys::{Name, Section};
use crate::source::{Span, Spanned};
use crate::yaml::{Entry, Node};

/// One intent.
#[derive(Debug, Clone)]
pub struct StepDef {
    /// Its name, unique in the runbook.
    pub id: Spanned<String>,
    /// The name of its step type; empty if that was reported, so that others can refer to the step.
    pub uses: Spanned<String>,
    /// A selector.
    pub on: Option<Spanned<String>>,
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
        let critical = fields.bool("critical").unwrap_or(false);
        if let (true, Some(retry)) = (critical, &retry) {
            let message = "a critical step is never retried by itself";
            cx.error(
                Code::Conflict,
                message,
                retry.span,
                "remove `retry` or `critical`",
                None,
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
                None,
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
