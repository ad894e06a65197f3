//! A run told in lines: which events a person wants to hear about, and in which words.

mod ending;
mod gate;
mod holds;
mod look;
mod orders;
mod words;

use std::collections::{HashMap, HashSet};

use runbook_model::event::{AttemptEnd, Intent, Purpose, Verdict};
use runbook_model::text::printable;
use runbook_model::{Command, Event, Millis, NodeIx, NodeKind, Outcome, Plan, Record, RunState};

use crate::facts::{self, Pause, REASON, node_id};
use crate::text::{bounded, count, names, value_text};
use crate::time::{length, moment, written};
use crate::{Style, Tally, Tone};

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
#[derive(Debug)]
pub(crate) struct Narrator {
    /// What did not change anything is only counted, and told once a step.
    quiet: bool,
    /// How times are written.
    style: Style,
    opened_at: Millis,
    purposes: HashMap<NodeIx, Purpose>,
    /// Why the last look of a node differed.
    differs: HashMap<NodeIx, Why>,
    /// The last reason that was told of a node.
    said: HashMap<NodeIx, Why>,
    /// Nodes whose last event was the end of an attempt, and how it failed.
    ended: HashMap<NodeIx, String>,
    skipped_phases: HashSet<u32>,
    /// Instances of each step that have not ended.
    left: Vec<usize>,
    /// What somebody has released by hand; then nothing else is done.
    releasing: Option<Vec<NodeIx>>,
}

/// A reason: what stands on the line, and what below it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Why {
    line: String,
    more: Vec<String>,
}

impl Why {
    fn line(line: String) -> Self {
        let more = Vec::new();
        Self { line, more }
    }
}

impl Narrator {
    pub(crate) fn new(quiet: bool, style: Style) -> Self {
        Self {
            quiet,
            style,
            opened_at: 0,
            purposes: HashMap::new(),
            differs: HashMap::new(),
            said: HashMap::new(),
            ended: HashMap::new(),
            skipped_phases: HashSet::new(),
            left: Vec::new(),
            releasing: None,
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
            Event::Looked { node, verdict, .. } => {
                let told = self.looked(plan, *node, verdict).map(|why| Told {
                    at,
                    tone: Tone::Plain,
                    text: why.line,
                    more: why.more,
                });
                told.into_iter().collect()
            }
            Event::Dispatched {
                instances, host, ..
            } if instances.len() > 1 => {
                let id = |intent: &Intent| node_id(plan, intent.node);
                let ends = (instances.first().map(id), instances.last().map(id));
                let (Some(first), Some(last)) = ends else {
                    return Vec::new();
                };
                let (count, host) = (instances.len(), printable(host.as_str()));
                one(
                    Tone::Quiet,
                    format!("{first} to {last}: {count} in a row go to {host}"),
                )
            }
            Event::Began {
                attempt, reasons, ..
            } => {
                let Some(a) = state.attempts.get(attempt) else {
                    return Vec::new();
                };
                let verdict = Verdict::Differs(reasons.clone());
                self.purposes.insert(a.node, Purpose::Before);
                let told = self.looked(plan, a.node, &verdict);
                let intent = Intent {
                    node: a.node,
                    attempt: attempt.clone(),
                    number: a.number,
                    before: Default::default(),
                };
                let begins = self.dispatched(plan, &intent, &a.host);
                let all = told.into_iter().chain([begins]);
                all.map(|why| Told {
                    at,
                    tone: Tone::Plain,
                    text: why.line,
                    more: why.more,
                })
                .collect()
            }
            Event::Dispatched {
                instances, host, ..
            } => {
                let lines = instances.iter().map(|i| self.dispatched(plan, i, host));
                lines
                    .map(|why| Told {
                        at,
                        tone: Tone::Plain,
                        text: why.line,
                        more: why.more,
                    })
                    .collect()
            }
            Event::Ended { attempt, end } => {
                let Some(a) = state.attempts.get(attempt) else {
                    return Vec::new();
                };
                let id = node_id(plan, a.node);
                match end {
                    AttemptEnd::Completed { .. }
                    | AttemptEnd::Converged { .. }
                    | AttemptEnd::Looked { .. } => {
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
                if let Some(text) = self.waits(plan, *node, at, *until) {
                    return one(Tone::Quiet, text);
                }
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
                ..
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
            Event::Said { node, said, by } => {
                let question = state.node(*node).and_then(|n| n.question.as_ref());
                let wants = question.map_or(1, |question| question.terms.approvers());
                gate::told(said, wants).map_or_else(Vec::new, |what| {
                    let text = format!("{}: {} {what}", node_id(plan, *node), bounded(by, 80));
                    one(Tone::Plain, text)
                })
            }
            Event::Answered {
                node,
                approved,
                by,
                rollback,
            } => {
                let (id, by) = (node_id(plan, *node), bounded(by, 80));
                let (tone, text) = match (approved, rollback) {
                    (true, _) => (Tone::Good, format!("{id} approved by {by}")),
                    (_, true) => (Tone::Bad, format!("{id}: {by} has the run rolled back")),
                    _ => (Tone::Bad, format!("{id} refused by {by}")),
                };
                one(tone, text)
            }
            Event::Finished { node, outcome, .. } => self.finished(at, plan, state, *node, outcome),
            // What is no instance has a name for the engine only.
            Event::Reopened { node, .. } if plan.instance(*node).is_none() => Vec::new(),
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
            Event::ReleaseAsked { nodes, .. } => {
                self.releasing = Some(nodes.clone());
                holds::told(plan, state, &record.event)
                    .map_or_else(Vec::new, |(tone, text)| one(tone, text))
            }
            Event::Held { .. }
            | Event::HoldOver { .. }
            | Event::Released { .. }
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
            // What is said at a gate is told by itself; why it is said is not.
            Event::Ordered { order, .. }
                if matches!(order.command, Command::Answer { .. }) && order.reason.is_empty() =>
            {
                Vec::new()
            }
            Event::Ordered { order, nodes } => {
                let (tone, text) = orders::told(plan, order, nodes);
                one(tone, text)
            }
            Event::Edited { by, edit } => {
                self.purposes.clear();
                self.differs.clear();
                self.said.clear();
                self.ended.clear();
                let (tone, text) = orders::edited(plan, by, edit);
                one(tone, text)
            }
            Event::OrderRefused { problem, .. } => {
                let (tone, text) = orders::refused(problem);
                one(tone, text)
            }
            Event::Stopping { reason } => one(Tone::Warn, stopping(plan, state, reason)),
            Event::Interrupted => one(Tone::Warn, words::interrupted(state)),
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
        self.releasing = state.release.as_ref().map(|of| of.nodes.clone());
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

    /// That time has to pass before the next batch, or because the runbook says so.
    fn waits(&mut self, plan: &Plan, node: NodeIx, at: Millis, until: Millis) -> Option<String> {
        let when = moment(until, at, &self.style);
        let text = match facts::pause_of(plan, node)? {
            Pause::Batch => format!("the next batch begins at {when}"),
            Pause::Wait => format!("{} waits until {when}", node_id(plan, node)),
        };
        let why = Why::line(text.clone());
        (self.said.insert(node, why.clone()).as_ref() != Some(&why)).then_some(text)
    }
}
