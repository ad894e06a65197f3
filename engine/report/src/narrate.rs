//! A run told in lines: which events a person wants to hear about, and in which words.

use std::collections::{HashMap, HashSet};

use runbook_model::event::{AttemptEnd, Intent, Purpose, StopReason, Verdict};
use runbook_model::step_type::TypeKind;
use runbook_model::text::printable;
use runbook_model::{Event, Failure, Millis, NodeIx, NodeKind, Outcome, Plan, Record, RunResult, RunState, StepIx};

use crate::facts::{REASON, node_id};
use crate::text::{bounded, count, names, reasons, value_text};
use crate::time::{length, written};
use crate::{Tally, Tone};

/// A clock that is off by more is told.
const CLOCK_OFF_MS: i64 = 2_000;

/// One thing that is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Told {
    /// When it happened.
    pub(crate) at: Millis,
    /// Its tone.
    pub(crate) tone: Tone,
    /// One printable line.
    pub(crate) text: String,
    /// Printable lines that belong to it.
    pub(crate) more: Vec<String>,
}

/// Tells a run, and remembers what was told already.
#[derive(Debug, Default)]
pub(crate) struct Narrator {
    /// What did not change anything is only counted, and told once a step.
    quiet: bool,
    opened_at: Millis,
    purposes: HashMap<NodeIx, Purpose>,
    /// Why the last look of a node differed.
    differs: HashMap<NodeIx, String>,
    /// The last reason that was told of a node.
    said: HashMap<NodeIx, String>,
    /// Nodes whose last event was the end of an attempt, and how it failed.
    ended: HashMap<NodeIx, String>,
    skipped_phases: HashSet<u32>,
    /// Instances of each step that have not ended.
    left: Vec<usize>,
}

impl Narrator {
    pub(crate) fn new(quiet: bool) -> Self {
        Self { quiet, ..Self::default() }
    }

    /// When this controller took the run.
    pub(crate) fn opened_at(&self) -> Millis {
        self.opened_at
    }

    /// What there is to tell of one event; `state` includes it.
    pub(crate) fn tell(&mut self, record: &Record, plan: &Plan, state: &RunState) -> Vec<Told> {
        let at = record.at;
        let one = |tone, text: String| vec![Told { at, tone, text, more: Vec::new() }];
        match &record.event {
            Event::RunCreated { .. } | Event::Decided { .. } | Event::Launched { .. } => Vec::new(),
            Event::Opened { .. } => self.opened(record, plan, state),
            Event::HostReady { host, clock_offset_ms, .. } => {
                let off = clock_offset_ms.saturating_abs();
                let word = if *clock_offset_ms < 0 { "behind" } else { "ahead" };
                match off > CLOCK_OFF_MS {
                    true => one(Tone::Warn, format!("{host} ready, its clock is {} {word}", length(off))),
                    false if self.quiet => Vec::new(),
                    false => one(Tone::Quiet, format!("{host} ready")),
                }
            }
            Event::HostUnusable { host, problem } => {
                one(Tone::Bad, format!("{host} cannot be used: {}", bounded(problem, REASON)))
            }
            Event::VarTaken { name, value } => {
                let value = bounded(&value_text(value), 120);
                one(Tone::Quiet, format!("vars.{} is {value}", printable(name)))
            }
            Event::Looking { node, purpose } => {
                self.purposes.insert(*node, *purpose);
                match purpose {
                    Purpose::Doubt => {
                        one(Tone::Warn, format!("{} is in doubt: looking at what is there", node_id(plan, *node)))
                    }
                    Purpose::Before | Purpose::After | Purpose::Probe => Vec::new(),
                }
            }
            Event::Looked { node, verdict, .. } => {
                self.looked(plan, *node, verdict).map_or_else(Vec::new, |text| one(Tone::Plain, text))
            }
            Event::Dispatched { instances, host, .. } => {
                let lines = instances.iter().map(|i| self.dispatched(plan, i, host.as_str()));
                lines.map(|text| Told { at, tone: Tone::Plain, text, more: Vec::new() }).collect()
            }
            Event::Ended { attempt, end } => {
                let Some(a) = state.attempts.get(attempt) else { return Vec::new() };
                let id = node_id(plan, a.node);
                match end {
                    AttemptEnd::Completed { .. } => {
                        self.ended.remove(&a.node);
                        Vec::new()
                    }
                    AttemptEnd::Failed(failure) => {
                        let text = format!("attempt {} failed: {}", a.number, failure_text(failure));
                        self.ended.insert(a.node, text);
                        Vec::new()
                    }
                    AttemptEnd::NeverBegan => one(Tone::Plain, format!("{id}: attempt {} never began", a.number)),
                    AttemptEnd::Lost => one(Tone::Warn, format!("{id}: attempt {} was lost", a.number)),
                }
            }
            Event::Doubted { attempt, found } => {
                let id = state.attempts.get(attempt).map(|a| node_id(plan, a.node)).unwrap_or_default();
                one(Tone::Warn, format!("{id} is in doubt: {}", bounded(found, REASON)))
            }
            Event::OverTime { attempt } => {
                let Some(a) = state.attempts.get(attempt) else { return Vec::new() };
                let id = node_id(plan, a.node);
                one(Tone::Bad, format!("{id} takes longer than its limit; it is critical and left running on {}", a.host))
            }
            Event::Pausing { node, until, reason } => {
                // A look that differs was told when it was made; only a failed attempt is told here.
                let Some(failed) = self.ended.remove(node) else { return Vec::new() };
                let wait = written((until - at).max(0).unsigned_abs());
                let why = if failed.is_empty() { bounded(reason, REASON) } else { failed };
                one(Tone::Warn, format!("{} {why}; again in {wait}", node_id(plan, *node)))
            }
            Event::Asked { node, message, shown } => {
                let more = shown.iter().map(|(name, v)| format!("{}: {}", printable(name), value_text(v)));
                let text = format!("{} asks: {}", node_id(plan, *node), bounded(message, 1_000));
                let more = if self.quiet { Vec::new() } else { more.collect() };
                vec![Told { at, tone: Tone::Head, text, more }]
            }
            Event::Answered { node, approved, by } => {
                let word = if *approved { "approved" } else { "refused" };
                let tone = if *approved { Tone::Good } else { Tone::Bad };
                one(tone, format!("{} {word} by {}", node_id(plan, *node), bounded(by, 80)))
            }
            Event::Finished { node, outcome, .. } => self.finished(at, plan, state, *node, outcome),
            Event::Reopened { node, reason } => {
                if let Some(left) = self.left_of(plan, *node) {
                    *left += 1;
                }
                self.said.remove(node);
                one(Tone::Quiet, format!("{} again: {}", node_id(plan, *node), bounded(reason, REASON)))
            }
            Event::Stopping { reason } => one(Tone::Warn, stopping(plan, state, reason)),
            Event::Detached { running } => {
                let ids: Vec<String> = running
                    .iter()
                    .filter_map(|id| state.attempts.get(id))
                    .map(|a| node_id(plan, a.node))
                    .collect();
                let what = if ids.is_empty() { "nothing".to_owned() } else { names(&ids, 8) };
                one(Tone::Warn, format!("detached: {what} runs on"))
            }
            Event::Closed { result } => self.closed(at, plan, state, result),
        }
    }

    fn opened(&mut self, record: &Record, plan: &Plan, state: &RunState) -> Vec<Told> {
        self.opened_at = record.at;
        self.left = vec![0; plan.steps.len()];
        for (node, step, _) in plan.instances() {
            if let (Some(left), Some(n)) = (self.left.get_mut(step.at()), state.node(node)) {
                *left += usize::from(!n.is_done());
            }
        }
        for (node, n) in plan.nodes.iter().zip(&state.nodes) {
            if let (NodeKind::PhaseBegin { phase }, Some(Outcome::Skipped { .. })) = (&node.kind, &n.outcome) {
                self.skipped_phases.insert(*phase);
            }
        }
        let run = state.run.as_ref().map_or("?", |r| r.as_str());
        let name = printable(&plan.runbook);
        let all = Tally::of(plan, state, None);
        let text = match record.epoch.0 {
            0 | 1 => {
                let work = count(all.total, "instance");
                format!("run {run}: {name} {}, {work} on {}", printable(&plan.version), count(plan.hosts.len(), "host"))
            }
            epoch => {
                let open = match state.open_attempts().count() {
                    0 => String::new(),
                    n => format!(", {} to settle", count(n, "attempt")),
                };
                format!("run {run} goes on: {name}, {} of {} done{open} (epoch {epoch})", all.done, all.total)
            }
        };
        let more = vec![format!("if it stops: runbook resume {run}")];
        vec![Told { at: record.at, tone: Tone::Head, text, more }]
    }

    /// What a look says, where it is news: under `until`, and after an attempt in doubt.
    fn looked(&mut self, plan: &Plan, node: NodeIx, verdict: &Verdict) -> Option<String> {
        self.ended.remove(&node);
        let why = match verdict {
            Verdict::Satisfied | Verdict::Skipped(_) => return None,
            Verdict::Differs(why) => reasons(why, REASON),
            Verdict::Error(failure) => bounded(&failure.message, REASON),
        };
        let (step, _) = plan.instance(node)?;
        let id = node_id(plan, node);
        match self.purposes.get(&node) {
            Some(Purpose::Doubt) => Some(format!("{id} was not done: {why}")),
            Some(Purpose::After | Purpose::Probe) if step.until.is_some() => {
                if self.said.get(&node) == Some(&why) {
                    return None;
                }
                self.said.insert(node, why.clone());
                Some(format!("{id} not yet: {why}"))
            }
            _ => {
                self.differs.insert(node, why);
                None
            }
        }
    }

    fn dispatched(&mut self, plan: &Plan, intent: &Intent, host: &str) -> String {
        let id = node_id(plan, intent.node);
        let again = match intent.number {
            0 | 1 => String::new(),
            n => format!(" (attempt {n})"),
        };
        // An instance may act on another host than the one in its name.
        let own = plan.instance(intent.node).is_some_and(|(_, h)| h.as_str() == host);
        let on = if own { String::new() } else { format!(" on {host}") };
        match self.differs.remove(&intent.node) {
            Some(why) => format!("{id} begins{on}{again}: {why}"),
            None => format!("{id} begins{on}{again}"),
        }
    }

    fn finished(
        &mut self,
        at: Millis,
        plan: &Plan,
        state: &RunState,
        node: NodeIx,
        outcome: &Outcome,
    ) -> Vec<Told> {
        let one = |tone, text: String| vec![Told { at, tone, text, more: Vec::new() }];
        self.ended.remove(&node);
        self.differs.remove(&node);
        let Some((step, _)) = plan.instance(node) else {
            return self.point(at, plan, node, outcome);
        };
        let id = node_id(plan, node);
        let took = state.node(node).and_then(|n| Some(n.finished_at? - n.started_at?)).unwrap_or(0);
        let long = if took >= 1_000 { format!(" ({})", length(took)) } else { String::new() };
        let last = self.left_of(plan, node).is_some_and(|left| {
            *left = left.saturating_sub(1);
            *left == 0
        });
        // A step of one instance has nothing to collapse.
        let collapse = self.quiet && plan.instances_of(step_of(plan, node)).nth(1).is_some();
        let mut out = match outcome {
            Outcome::Changed => one(Tone::Change, format!("{id} changed ({})", length(took))),
            Outcome::Failed(failure) => {
                one(Tone::Bad, format!("{id} FAILED: {}{long}", failure_text(failure)))
            }
            _ if collapse => Vec::new(),
            Outcome::Skipped { .. } if self.skipped_phases.contains(&step.phase) => Vec::new(),
            Outcome::Skipped { reason } => one(Tone::Quiet, format!("{id} skipped: {}", bounded(reason, REASON))),
            // The answer was told already.
            Outcome::Passed if is_gate(plan, node) => Vec::new(),
            Outcome::Satisfied => one(Tone::Quiet, format!("{id} no change{long}")),
            Outcome::Looked | Outcome::Passed => one(Tone::Good, format!("{id} {}{long}", outcome.word())),
        };
        if collapse && last && !self.skipped_phases.contains(&step.phase) {
            let mut tally = Tally::default();
            let nodes = plan.instances_of(step_of(plan, node)).filter_map(|(node, _)| state.node(node));
            nodes.for_each(|n| tally.add(n));
            if tally.no_change + tally.ok + tally.skipped > 0 {
                let hosts = count(tally.total, "instance");
                out.extend(one(Tone::Quiet, format!("{}: {} ({hosts})", step.id, tally.words())));
            }
        }
        out
    }

    /// Nodes that are not instances: phases begin; the rest is nobody's news unless it fails.
    fn point(&mut self, at: Millis, plan: &Plan, node: NodeIx, outcome: &Outcome) -> Vec<Told> {
        let one = |tone, text: String| vec![Told { at, tone, text, more: Vec::new() }];
        let phase = plan.nodes.get(node.at()).and_then(|n| match n.kind {
            NodeKind::PhaseBegin { phase } => Some((phase, plan.phases.get(phase as usize)?)),
            _ => None,
        });
        match (phase, outcome) {
            (_, Outcome::Failed(failure)) => {
                one(Tone::Bad, format!("{} FAILED: {}", node_id(plan, node), failure_text(failure)))
            }
            (Some((at, phase)), Outcome::Skipped { reason }) => {
                self.skipped_phases.insert(at);
                one(Tone::Quiet, format!("phase {} skipped: {}", phase.id, bounded(reason, REASON)))
            }
            (Some((_, phase)), _) => {
                let batches = match phase.batches.len() {
                    0 => String::new(),
                    n => format!(", {n} batches"),
                };
                one(Tone::Head, format!("phase {}{batches}", phase.id))
            }
            (None, _) => Vec::new(),
        }
    }

    fn closed(&self, at: Millis, plan: &Plan, state: &RunState, result: &RunResult) -> Vec<Told> {
        let run = state.run.as_ref().map_or("?", |r| r.as_str());
        let (tone, word) = match result {
            RunResult::Succeeded => (Tone::Good, "succeeded"),
            RunResult::AlreadyThere => (Tone::Good, "has nothing to do: everything is there already"),
            RunResult::Failed => (Tone::Bad, "failed"),
            RunResult::Refused => (Tone::Bad, "was refused"),
            RunResult::Stopped => (Tone::Warn, "stopped"),
        };
        let words = Tally::of(plan, state, None).words();
        let words = if words.is_empty() { words } else { format!(": {words}") };
        let text = format!("run {run} {word}{words} ({})", length(at - self.opened_at));
        vec![Told { at, tone, text, more: Vec::new() }]
    }

    fn left_of(&mut self, plan: &Plan, node: NodeIx) -> Option<&mut usize> {
        self.left.get_mut(step_of(plan, node).at())
    }
}

/// The step of a node; of one that is no instance, a step that does not exist.
fn step_of(plan: &Plan, node: NodeIx) -> StepIx {
    match plan.nodes.get(node.at()).map(|n| &n.kind) {
        Some(NodeKind::Instance { step, .. }) => *step,
        _ => StepIx(u32::MAX),
    }
}

/// A failure on one line.
pub(crate) fn failure_text(failure: &Failure) -> String {
    let message = bounded(&failure.message, REASON);
    match failure.status {
        Some(status) if !message.contains("status") => format!("{message} (status {status})"),
        _ => message,
    }
}

/// Why nothing new starts.
pub(crate) fn stopping(plan: &Plan, state: &RunState, reason: &StopReason) -> String {
    match reason {
        StopReason::Failure(node) if is_gate(plan, *node) => {
            format!("stopping: {} was not approved", node_id(plan, *node))
        }
        StopReason::Failure(node) => format!("stopping: {} failed; nothing new starts", node_id(plan, *node)),
        StopReason::Interrupt => "stopping: interrupted; nothing new starts, what runs is waited for".into(),
        StopReason::OverTime(attempt) => {
            let id = state.attempts.get(attempt).map(|a| node_id(plan, a.node)).unwrap_or_default();
            format!("stopping: {id} takes longer than its limit; nothing new starts")
        }
        StopReason::Host(host) => format!("stopping: {host} cannot be used; nothing new starts"),
        StopReason::AlreadyThere => "`done_when` is true: everything is there already".into(),
    }
}

fn is_gate(plan: &Plan, node: NodeIx) -> bool {
    plan.instance(node).and_then(|(step, _)| plan.type_of(step)).is_some_and(|t| t.kind == TypeKind::Gate)
}
