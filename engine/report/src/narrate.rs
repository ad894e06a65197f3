//! A run told in lines: which events a person wants to hear about, and in which words.

mod ending;
mod holds;
mod words;

use std::collections::{HashMap, HashSet};

use runbook_model::event::{AttemptEnd, Intent, Purpose, Verdict};
use runbook_model::text::printable;
use runbook_model::{Event, Millis, NodeIx, NodeKind, Outcome, Plan, Record, RunState};

use crate::facts::{self, REASON, node_id};
use crate::text::{bounded, count, names, reasons, value_text};
use crate::time::{length, written};
use crate::{Tally, Tone};

pub(crate) use words::{failure_text, stopping};

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
        Self {
            quiet,
            ..Self::default()
        }
    }

    /// When this controller took the run.
    pub(crate) fn opened_at(&self) -> Millis {
        self.opened_at
    }

    /// What there is to tell of one event; `state` includes it.
    pub(crate) fn tell(&mut self, record: &Record, plan: &Plan, state: &RunState) -> Vec<Told> {
        let at = record.at;
        let one = |tone, text: String| {
            vec![Told {
                at,
                tone,
                text,
                more: Vec::new(),
            }]
        };
        match &record.event {
            Event::RunCreated { .. } | Event::Decided { .. } | Event::Launched { .. } => Vec::new(),
            Event::Opened { .. } => self.opened(record, plan, state),
            Event::HostReady {
                host,
                clock_offset_ms,
                ..
            } => {
                let off = clock_offset_ms.saturating_abs();
                let word = if *clock_offset_ms < 0 {
                    "behind"
                } else {
                    "ahead"
                };
                match off > CLOCK_OFF_MS {
                    true => one(
                        Tone::Warn,
                        format!("{host} ready, its clock is {} {word}", length(off)),
                    ),
                    false if self.quiet => Vec::new(),
                    false => one(Tone::Quiet, format!("{host} ready")),
                }
            }
            Event::HostUnusable { host, problem } => one(
                Tone::Bad,
                format!("{host} cannot be used: {}", bounded(problem, REASON)),
            ),
            Event::VarTaken { name, value } => {
                let value = bounded(&value_text(value), 120);
                one(Tone::Quiet, format!("vars.{} is {value}", printable(name)))
            }
            Event::SecretSettled { name, origin } => one(
                Tone::Quiet,
                format!("the secret {} is {}", printable(name), origin.word()),
            ),
            Event::Looking { node, purpose } => {
                self.purposes.insert(*node, *purpose);
                match purpose {
                    Purpose::Doubt => one(
                        Tone::Warn,
                        format!(
                            "{} is in doubt: looking at what is there",
                            node_id(plan, *node)
                        ),
                    ),
                    _ => Vec::new(),
                }
            }
            Event::Looked { node, verdict, .. } => self
                .looked(plan, *node, verdict)
                .map_or_else(Vec::new, |text| one(Tone::Plain, text)),
            Event::Dispatched {
                instances, host, ..
            } => {
                let lines = instances
                    .iter()
                    .map(|i| self.dispatched(plan, i, host.as_str()));
                lines
                    .map(|text| Told {
                        at,
                        tone: Tone::Plain,
                        text,
                        more: Vec::new(),
                    })
                    .collect()
            }
            Event::Ended { attempt, end } => {
                let Some(a) = state.attempts.get(attempt) else {
                    return Vec::new();
                };
                let id = node_id(plan, a.node);
                match end {
                    AttemptEnd::Completed { .. } => {
                        self.ended.remove(&a.node);
                        Vec::new()
                    }
                    AttemptEnd::Failed(failure) => {
                        let text =
                            format!("attempt {} failed: {}", a.number, failure_text(failure));
                        self.ended.insert(a.node, text);
                        Vec::new()
                    }
                    AttemptEnd::NeverBegan => one(
                        Tone::Plain,
                        format!("{id}: attempt {} never began", a.number),
                    ),
                    AttemptEnd::Lost => {
                        one(Tone::Warn, format!("{id}: attempt {} was lost", a.number))
                    }
                }
            }
            Event::Doubted { attempt, found } => {
                let id = state
                    .attempts
                    .get(attempt)
                    .map(|a| node_id(plan, a.node))
                    .unwrap_or_default();
                one(
                    Tone::Warn,
                    format!("{id} is in doubt: {}", bounded(found, REASON)),
                )
            }
            Event::OverTime { attempt } => {
                let Some(a) = state.attempts.get(attempt) else {
                    return Vec::new();
                };
                let id = node_id(plan, a.node);
                one(
                    Tone::Bad,
                    format!(
                        "{id} takes longer than its limit; it is critical and left running on {}",
                        a.host
                    ),
                )
            }
            Event::Pausing {
                node,
                until,
                reason,
            } => {
                // A look that differs was told when it was made; only a failed attempt is told here.
                let Some(failed) = self.ended.remove(node) else {
                    return Vec::new();
                };
                let wait = written((until - at).max(0).unsigned_abs());
                let why = if failed.is_empty() {
                    bounded(reason, REASON)
                } else {
                    failed
                };
                one(
                    Tone::Warn,
                    format!("{} {why}; again in {wait}", node_id(plan, *node)),
                )
            }
            // On a terminal the one who asks shows all of it.
            Event::Asked { .. } if self.quiet => Vec::new(),
            Event::Asked {
                node,
                message,
                shown,
            } => {
                let more = shown
                    .iter()
                    .map(|(name, v)| format!("{}: {}", printable(name), value_text(v)));
                let text = format!("{} asks: {}", node_id(plan, *node), bounded(message, 1_000));
                vec![Told {
                    at,
                    tone: Tone::Head,
                    text,
                    more: more.collect(),
                }]
            }
            Event::Answered { node, approved, by } => {
                let word = if *approved { "approved" } else { "refused" };
                let tone = if *approved { Tone::Good } else { Tone::Bad };
                one(
                    tone,
                    format!("{} {word} by {}", node_id(plan, *node), bounded(by, 80)),
                )
            }
            Event::Finished { node, outcome, .. } => self.finished(at, plan, state, *node, outcome),
            Event::Reopened { node, reason } => {
                if let Some(left) = self.left_of(plan, *node) {
                    *left += 1;
                }
                self.said.remove(node);
                one(
                    Tone::Quiet,
                    format!(
                        "{} again: {}",
                        node_id(plan, *node),
                        bounded(reason, REASON)
                    ),
                )
            }
            Event::Held { .. }
            | Event::HoldOver { .. }
            | Event::Released { .. }
            | Event::ReleaseAsked { .. }
            | Event::Undoing { .. }
            | Event::UndoLooked { .. }
            | Event::Undone { .. } => holds::told(plan, state, &record.event)
                .map_or_else(Vec::new, |(tone, text)| one(tone, text)),
            Event::Ending { result } => one(
                Tone::Head,
                match result.is_final() {
                    true => "the procedure is done; what follows on every ending".to_owned(),
                    false => "the procedure has stopped; what follows on every ending".to_owned(),
                },
            ),
            Event::Stopping { reason } => one(Tone::Warn, stopping(plan, state, reason)),
            Event::Detached { running } => {
                let ids: Vec<String> = running
                    .iter()
                    .filter_map(|id| state.attempts.get(id))
                    .map(|a| node_id(plan, a.node))
                    .collect();
                let what = if ids.is_empty() {
                    "nothing".to_owned()
                } else {
                    names(&ids, 8)
                };
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
            if let (NodeKind::PhaseBegin { phase }, Some(Outcome::Skipped { .. })) =
                (&node.kind, &n.outcome)
            {
                self.skipped_phases.insert(*phase);
            }
        }
        let run = state.run.as_ref().map_or("?", |r| r.as_str());
        let name = printable(&plan.runbook);
        let all = Tally::of(plan, state, None);
        let text = match record.epoch.0 {
            0 | 1 => {
                let work = count(all.total, "instance");
                let version = match plan.version.as_str() {
                    "" => String::new(),
                    version => format!(" {}", printable(version)),
                };
                format!(
                    "run {run}: {name}{version}, {work} on {}",
                    count(facts::hosts(plan), "host")
                )
            }
            epoch => {
                let open = match state.open_attempts().count() {
                    0 => String::new(),
                    n => format!(", {} to settle", count(n, "attempt")),
                };
                format!(
                    "run {run} goes on: {name}, {} of {} done{open} (epoch {epoch})",
                    all.done - all.failed,
                    all.total
                )
            }
        };
        let more = vec![format!("if it stops: runbook resume {run}")];
        vec![Told {
            at: record.at,
            tone: Tone::Head,
            text,
            more,
        }]
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
        let own = plan
            .instance(intent.node)
            .is_some_and(|(_, h)| h.as_str() == host);
        let on = if own {
            String::new()
        } else {
            format!(" on {host}")
        };
        match self.differs.remove(&intent.node) {
            Some(why) => format!("{id} begins{on}{again}: {why}"),
            None => format!("{id} begins{on}{again}"),
        }
    }
}
