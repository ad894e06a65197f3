//! A node of a drawing: its shape, its words, and the marks that a reader must not miss.

use std::collections::BTreeSet;

use runbook_model::step::{OnFailure, Outage, Step};
use runbook_model::step_type::TypeKind;
use runbook_model::text::printable;
use runbook_model::{NodeKind, Plan, StepIx};

use super::{Drawn, Unit};
use crate::plan::who::{self, Who, listed};
use crate::text::{bounded, count, cut};

/// The longest text that is written into a drawing.
const ROOM: usize = 170;
/// The longest text that a drawing shows when it is asked.
pub(super) const WHOLE: usize = 4_000;

/// What kind of thing a node is; each has a shape of its own, so that colour is not needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// Something is changed.
    Change,
    /// Something is looked at.
    Look,
    /// A person decides.
    Gate,
    /// Conditions must hold.
    Assert,
    /// Time passes.
    Wait,
    /// The run's own files.
    Record,
    /// Whether everything is there already.
    Decision,
    /// Everybody waits for everybody.
    Point,
}

impl Shape {
    /// What it means, for programs.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Change => "change",
            Self::Look => "look",
            Self::Gate => "gate",
            Self::Assert => "assert",
            Self::Wait => "wait",
            Self::Record => "record",
            Self::Decision => "decision",
            Self::Point => "point",
        }
    }
}

/// Something that a reader must not miss.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Mark {
    Critical,
    OutageBegins,
    OutageEnds,
    NoReturn(String),
    Held(String),
    When(String),
    Continues,
    Nowhere,
}

impl Mark {
    /// The mark in words, as far as a drawing has room for them.
    pub(crate) fn short(&self) -> String {
        short(&self.text())
    }

    /// The mark in words, all of them.
    pub(crate) fn text(&self) -> String {
        match self {
            Self::Critical => "critical".into(),
            Self::OutageBegins => "OUTAGE BEGINS".into(),
            Self::OutageEnds => "OUTAGE ENDS".into(),
            Self::NoReturn(lost) => format!("NO RETURN: {lost}"),
            Self::Held(until) => format!("held until {until}"),
            Self::When(text) => format!("only when {text}"),
            Self::Continues => "a failure does not stop the run".into(),
            Self::Nowhere => "on no host".into(),
        }
    }
}

/// What a drawing has room for.
pub(super) fn short(text: &str) -> String {
    cut(text, ROOM)
}

impl Drawn {
    /// Its words.
    pub(super) fn words(&self) -> Vec<String> {
        let marks = self.marks.iter().map(Mark::text);
        std::iter::once(self.title.clone())
            .chain(self.lines.iter().cloned())
            .chain(marks)
            .collect()
    }

    /// The colour of its inside; what it says stands in its words too.
    pub(super) fn fill(&self) -> &'static str {
        let has = |wanted: fn(&Mark) -> bool| self.marks.iter().any(wanted);
        if has(|m| matches!(m, Mark::NoReturn(_))) {
            "#f8cfcf"
        } else if has(|m| matches!(m, Mark::OutageBegins | Mark::OutageEnds)) {
            "#fbe3b8"
        } else if has(|m| matches!(m, Mark::Held(_))) {
            "#ece0f8"
        } else {
            match self.shape {
                Shape::Gate => "#d9e7fb",
                Shape::Look | Shape::Assert => "#eef5ee",
                Shape::Record | Shape::Wait | Shape::Decision => "#f2f2f2",
                Shape::Change | Shape::Point => "#ffffff",
            }
        }
    }

    pub(super) fn is_critical(&self) -> bool {
        self.marks.contains(&Mark::Critical)
    }
}

impl Unit {
    pub(super) fn drawn(
        &self,
        plan: &Plan,
        unit: usize,
        cluster: &dyn Fn(usize) -> Option<usize>,
    ) -> Drawn {
        match self {
            Self::Step(at) => of_step(plan, *at, cluster),
            Self::Node(at) => match &plan.nodes[*at].kind {
                NodeKind::Instance { step, .. } => of_instance(plan, *at, *step, cluster),
                kind => of_point(plan, unit, kind, cluster),
            },
        }
    }
}

fn of_step(plan: &Plan, at: usize, cluster: &dyn Fn(usize) -> Option<usize>) -> Drawn {
    let step = &plan.steps[at];
    let ix = StepIx(u32::try_from(at).unwrap_or(u32::MAX));
    let all = who::instances(plan, ix);
    let mut marks = marks(plan, step);
    if all.is_empty() {
        marks.push(Mark::Nowhere);
    }
    Drawn {
        id: format!("s{at}"),
        cluster: cluster(step.phase as usize),
        shape: shape(plan, step),
        title: step.id.to_string(),
        lines: lines(step, &all),
        marks,
    }
}

fn of_instance(
    plan: &Plan,
    at: usize,
    step: StepIx,
    cluster: &dyn Fn(usize) -> Option<usize>,
) -> Drawn {
    let Some(step) = plan.steps.get(step.at()) else {
        return of_point(plan, at, &NodeKind::DoneWhen, cluster);
    };
    Drawn {
        id: format!("n{at}"),
        cluster: cluster(step.phase as usize),
        shape: shape(plan, step),
        title: bounded(&plan.nodes[at].id, 80),
        lines: vec![printable(&step.uses).into_owned()],
        marks: marks(plan, step),
    }
}

fn of_point(
    plan: &Plan,
    unit: usize,
    kind: &NodeKind,
    cluster: &dyn Fn(usize) -> Option<usize>,
) -> Drawn {
    let mut out = Drawn {
        id: format!("p{unit}"),
        cluster: None,
        shape: Shape::Point,
        title: String::new(),
        lines: Vec::new(),
        marks: Vec::new(),
    };
    match kind {
        NodeKind::Barrier { phase, .. } => out.cluster = cluster(*phase as usize),
        NodeKind::DoneWhen => {
            out.shape = Shape::Decision;
            out.title = "already there?".into();
            out.lines = plan
                .done_when
                .iter()
                .map(|expr| bounded(&expr.text, WHOLE))
                .collect();
        }
        NodeKind::PhaseBegin { .. } | NodeKind::Instance { .. } => {}
    }
    out
}

fn shape(plan: &Plan, step: &Step) -> Shape {
    match plan.type_of(step).map(|t| t.kind) {
        Some(TypeKind::Probe) => Shape::Look,
        Some(TypeKind::Gate) => Shape::Gate,
        Some(TypeKind::Assert) => Shape::Assert,
        Some(TypeKind::Wait) => Shape::Wait,
        Some(TypeKind::Record) => Shape::Record,
        Some(TypeKind::Ordinary | TypeKind::Always | TypeKind::Copy) | None => Shape::Change,
    }
}

/// The type, and where it runs; many hosts are counted.
fn lines(step: &Step, all: &[Who<'_>]) -> Vec<String> {
    let mut out = vec![printable(&step.uses).into_owned()];
    let hosts: BTreeSet<&str> = all.iter().map(|w| w.host.as_str()).collect();
    match hosts.len() {
        0 => return out,
        1..=3 => out.push(listed(all.iter().map(|w| w.host.as_str()))),
        n => out.push(count(n, "host")),
    }
    let via: BTreeSet<&str> = all
        .iter()
        .filter_map(|w| w.via.map(|h| h.as_str()))
        .collect();
    match via.len() {
        0 => {}
        1..=3 => out.push(format!("on {}", listed(via.into_iter()))),
        n => out.push(format!("on {}", count(n, "host"))),
    }
    let items: BTreeSet<&str> = all
        .iter()
        .filter_map(|w| w.item.map(|i| i.name.as_str()))
        .collect();
    if !items.is_empty() {
        out.push(format!("for each of {}", count(items.len(), "item")));
    }
    out
}

fn marks(plan: &Plan, step: &Step) -> Vec<Mark> {
    let mut out = Vec::new();
    match step.outage {
        Some(Outage::Begin) => out.push(Mark::OutageBegins),
        Some(Outage::End) => out.push(Mark::OutageEnds),
        None => {}
    }
    if let Some(lost) = &step.no_return {
        out.push(Mark::NoReturn(bounded(&lost.text, WHOLE)));
    }
    if step.critical {
        out.push(Mark::Critical);
    }
    if let Some(hold) = &step.hold {
        let ids: Vec<_> = hold
            .release
            .iter()
            .filter_map(|at| plan.step_id(*at))
            .map(|id| id.as_str())
            .collect();
        out.push(Mark::Held(match ids.is_empty() {
            true => "the end".into(),
            false => ids.join(" or "),
        }));
    }
    if let Some(when) = &step.when {
        out.push(Mark::When(bounded(&when.text, WHOLE)));
    }
    if step.on_failure == OnFailure::Continue {
        out.push(Mark::Continues);
    }
    out
}

/// A text in lines of at most `wide` characters where it has spaces.
pub(super) fn broken(text: &str, wide: usize) -> Vec<String> {
    let mut out = String::new();
    crate::text::wrap(&mut out, "", 0, text, wide);
    out.lines().map(str::to_owned).collect()
}
