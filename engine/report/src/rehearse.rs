//! A rehearsal for people: what happens in which order, what its end leaves behind, what a resume
//! and a rollback would do then, and what had to be made up.

mod course;
mod json;

use std::fmt::Write as _;

use runbook_model::step::Outage;
use runbook_model::text::printable;
use runbook_model::{Event, NodeIx, Plan, Record, RunResult, RunState, Value};

use crate::facts::{self, node_id};
use crate::rollback::{Back, rollback_text};
use crate::text::{bounded, count, names, value_text, wrap};
use crate::{Style, Tone};
use course::course;

pub use json::rehearse_json;

/// Names in one line.
const NAMES: usize = 12;
/// Lines of one section.
const LINES: usize = 400;

/// How a controller's part of a rehearsal ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RehearsedEnd {
    /// It closed.
    Closed(RunResult),
    /// It died.
    Died,
    /// The engine could not go on, and why.
    Broken(String),
}

/// One controller's part of a rehearsal.
#[derive(Debug, Clone)]
pub struct RehearsedPart<'a> {
    /// Its events.
    pub records: &'a [Record],
    /// What all events up to its end add up to.
    pub state: &'a RunState,
    /// How it ended.
    pub end: RehearsedEnd,
}

/// Something that was made up.
#[derive(Debug, Clone, PartialEq)]
pub struct Made<'a> {
    /// The step.
    pub step: &'a str,
    /// The output.
    pub output: &'a str,
    /// The value.
    pub value: &'a Value,
    /// A test of the step's type has it.
    pub from_test: bool,
}

/// What a rehearsal found.
#[derive(Debug, Clone)]
pub struct Rehearsed<'a> {
    /// What was rehearsed.
    pub plan: &'a Plan,
    /// What was to fail.
    pub fail: Option<NodeIx>,
    /// After how many events the controller was to die.
    pub kill_at: Option<u64>,
    /// The first controller.
    pub first: RehearsedPart<'a>,
    /// What was changed, and is there, when it ended.
    pub changed: &'a [NodeIx],
    /// A second controller, if something was left to do.
    pub resumed: Option<RehearsedPart<'a>>,
    /// What a rollback would do, or why nothing.
    pub back: Result<Back<'a>, String>,
    /// Values that nobody can know before a run.
    pub made_up: &'a [Made<'a>],
    /// Conditions that were taken as they should be.
    pub assumed: &'a [String],
}

/// The whole rehearsal.
#[must_use]
pub fn rehearse_text(all: &Rehearsed<'_>, style: &Style) -> String {
    let mut out = Page {
        out: String::new(),
        style,
    };
    let plan = all.plan;
    let name = format!(
        "rehearsal of {} {}",
        printable(&plan.runbook),
        printable(&plan.version)
    );
    out.line(Tone::Head, name.trim_end());
    out.text("on simulated hosts: nothing was reached, and nothing was changed. Every change has still to be made and works, probes are content, people say yes. The order is that of a run; how long things take is not known here.");
    for wish in wishes(all) {
        out.text(&wish);
    }
    out.head("what happens");
    out.course(&course(plan, &all.first, None, all.fail));
    out.text(&ended(plan, &all.first));
    if all.first.end != RehearsedEnd::Closed(RunResult::Succeeded) {
        out.head("what that leaves behind");
        out.lines(left(all));
    }
    if let Some(resumed) = &all.resumed {
        let title = match all.fail {
            Some(_) => "what `runbook resume` would do, when the cause is gone",
            None => "what `runbook resume` would do",
        };
        out.head(title);
        out.lines(accounted(all, resumed));
        out.course(&course(plan, resumed, Some(all.first.state), None));
        out.text(&ended(plan, resumed));
    }
    out.head("what `runbook rollback` would do at that moment");
    match &all.back {
        Err(why) => out.text(&bounded(why, facts::REASON)),
        Ok(back) => {
            let text = rollback_text(plan, all.first.state, back, style);
            let body = text.split_once('\n').map_or("", |(_, body)| body);
            for line in body.lines().filter(|line| !line.is_empty()) {
                let _ = writeln!(out.out, "  {line}");
            }
        }
    }
    if !all.made_up.is_empty() {
        out.head("made up, because nobody knows it before a run");
        out.lines(all.made_up.iter().map(made).collect());
    }
    if !all.assumed.is_empty() {
        out.head("taken for granted, because it depends on what is made up");
        out.lines(
            all.assumed
                .iter()
                .map(|text| bounded(text, facts::REASON))
                .collect(),
        );
    }
    out.out
}

struct Page<'a> {
    out: String,
    style: &'a Style,
}

impl Page<'_> {
    fn line(&mut self, tone: Tone, text: &str) {
        let _ = writeln!(self.out, "{}", self.style.paint(tone, text));
    }

    fn head(&mut self, title: &str) {
        self.out.push('\n');
        self.line(Tone::Head, title);
    }

    fn text(&mut self, text: &str) {
        wrap(&mut self.out, "  ", 2, text, self.style.width);
    }

    /// Lines, each with how it begins.
    fn course(&mut self, all: &[(String, String)]) {
        for (first, line) in all.iter().take(LINES) {
            let first = format!("  {first}");
            let hang = first.chars().count().max(4);
            wrap(&mut self.out, &first, hang, line, self.style.width);
        }
        if all.len() > LINES {
            let _ = writeln!(self.out, "  and {}", count(all.len() - LINES, "more line"));
        }
    }

    fn lines(&mut self, all: Vec<String>) {
        let all: Vec<_> = all.into_iter().map(|line| (String::new(), line)).collect();
        self.course(&all);
    }
}

fn wishes(all: &Rehearsed<'_>) -> Vec<String> {
    let mut out = Vec::new();
    if let Some(node) = all.fail {
        let id = node_id(all.plan, node);
        let began = all
            .first
            .state
            .node(node)
            .is_some_and(|n| n.started_at.is_some());
        out.push(match began {
            true => format!("{id} is made to fail."),
            false => format!("{id} was to fail, and never began."),
        });
    }
    if let Some(at) = all.kill_at {
        out.push(match all.first.end {
            RehearsedEnd::Died => format!("The controller is killed after event {at}."),
            _ => format!("The controller was to be killed after event {at}; it ended before that."),
        });
    }
    out
}

fn ended(plan: &Plan, part: &RehearsedPart<'_>) -> String {
    let failed: Vec<String> = facts::failures(plan, part.state)
        .map(|(node, ..)| node_id(plan, node))
        .collect();
    match &part.end {
        RehearsedEnd::Died => "=> the controller is dead; what runs on hosts runs on".to_owned(),
        RehearsedEnd::Broken(why) => format!(
            "=> the engine cannot go on: {}",
            bounded(why, facts::REASON)
        ),
        RehearsedEnd::Closed(result) => match result {
            RunResult::Succeeded => "=> the run succeeds".to_owned(),
            RunResult::AlreadyThere => "=> everything is there already: nothing is done".to_owned(),
            RunResult::Refused => {
                "=> the run stops: a person said no, or its time has not come".to_owned()
            }
            _ if failed.is_empty() => "=> the run stops".to_owned(),
            _ => format!("=> the run stops: {} failed", names(&failed, NAMES)),
        },
    }
}

/// What was changed where, what is held, who is served.
fn left(all: &Rehearsed<'_>) -> Vec<String> {
    let (plan, state) = (all.plan, all.first.state);
    let mut out: Vec<String> = Vec::new();
    for (step, hosts) in course::by_step(plan, all.changed) {
        out.push(format!("changed: {step} on {}", names(&hosts, NAMES)));
    }
    if all.changed.is_empty() {
        out.push("nothing was changed".to_owned());
    }
    for (_, attempt) in facts::open(state) {
        out.push(format!(
            "begun, and its end not known to the journal: {}",
            node_id(plan, attempt.node)
        ));
    }
    for (node, _) in state.held() {
        let by = facts::released_by(plan, node);
        out.push(format!("held: {}; {by} releases it", node_id(plan, node)));
    }
    out.extend(served(plan, state));
    out.extend(facts::no_return(plan, state));
    out.extend(facts::of_ending(plan, state));
    out
}

/// Whether clients are served; nothing where the runbook marks no outage.
fn served(plan: &Plan, state: &RunState) -> Option<String> {
    let marked = |mark: Outage| {
        let nodes = plan.instances().map(|(node, ..)| node);
        nodes.filter(move |node| {
            let step = plan.instance(*node).map(|(step, _)| step);
            step.is_some_and(|step| step.outage == Some(mark))
        })
    };
    let first = marked(Outage::Begin).next()?;
    let (step, _) = plan.instance(first)?;
    let acted = |node: NodeIx| {
        let mut attempts = state.attempts_of(node);
        let effect = attempts.any(|(_, a)| !a.undo && a.began());
        effect || state.node(node).is_some_and(|n| n.is_success())
    };
    let begun = marked(Outage::Begin).any(acted);
    let over = marked(Outage::End).all(|node| state.node(node).is_some_and(|n| n.is_success()));
    Some(match (begun, over) {
        (false, _) => format!(
            "clients are served: the outage (`{}`) has not begun",
            step.id
        ),
        (true, true) => "clients are served again: the outage is over".to_owned(),
        (true, false) => format!("clients are cut off: the outage (`{}`) has begun", step.id),
    })
}

/// What a resume does before it goes on.
fn accounted(all: &Rehearsed<'_>, resumed: &RehearsedPart<'_>) -> Vec<String> {
    let (plan, before) = (all.plan, all.first.state);
    let finished = |node: NodeIx| {
        let ended = |record: &Record| matches!(&record.event, Event::Finished { node: of, .. } if *of == node);
        resumed.records.iter().any(ended)
    };
    let mut out = Vec::new();
    let done = plan.instances().filter(|(node, ..)| {
        before.node(*node).is_some_and(|n| n.is_success()) && !finished(*node)
    });
    let done = done.count();
    if done > 0 {
        out.push(format!("not done again: {}", count(done, "instance")));
    }
    for (_, attempt) in facts::open(before) {
        let id = node_id(plan, attempt.node);
        out.push(format!(
            "asked about: {} is asked what became of {id}",
            attempt.host
        ));
    }
    for record in resumed.records {
        if let Event::Doubted { attempt, .. } = &record.event
            && let Some(a) = resumed.state.attempts.get(attempt)
        {
            out.push(format!("in doubt: {}", node_id(plan, a.node)));
        }
    }
    out
}

fn made(one: &Made<'_>) -> String {
    let from = match one.from_test {
        true => "as in a test of its type",
        false => "any value of its kind",
    };
    let value = bounded(&value_text(one.value), 80);
    let value = if value.is_empty() {
        "''".to_owned()
    } else {
        value
    };
    format!(
        "{}.{}: {value} ({from})",
        printable(one.step),
        printable(one.output)
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::sample;

    fn split(tape: &sample::Tape, epoch: u32) -> (Vec<Record>, Vec<Record>) {
        let of = |first: bool| {
            let records = tape.records.iter().cloned();
            records.filter(|r| (r.epoch.0 < epoch) == first).collect()
        };
        (of(true), of(false))
    }

    fn state(records: &[Record]) -> RunState {
        let mut state = RunState::default();
        for record in records {
            state.apply(record).unwrap();
        }
        state
    }

    #[test]
    fn a_failure_and_its_resume() {
        let tape = sample::failed();
        let plan = tape.plan.clone();
        let at = tape.state();
        let changed: Vec<NodeIx> = ["pull@quay01", "stop@quay01"]
            .map(|id| plan.node(id).unwrap())
            .into();
        let all = Rehearsed {
            plan: &plan,
            fail: plan.node("healthy@quay01"),
            kill_at: Some(900),
            first: RehearsedPart {
                records: &tape.records,
                state: &at,
                end: RehearsedEnd::Closed(RunResult::Failed),
            },
            changed: &changed,
            resumed: None,
            back: Ok(Back {
                procedure: false,
                back: &changed,
                stays: &[],
                passed: &[],
            }),
            made_up: &[Made {
                step: "survey",
                output: "version",
                value: &json!("v3\x1b"),
                from_test: true,
            }],
            assumed: &["`ready` holds\x1b".to_owned()],
        };
        let text = rehearse_text(&all, &Style::plain(100));
        assert!(!text.chars().any(|c| c.is_control() && c != '\n'), "{text}");
        insta::assert_snapshot!(text);
        assert_eq!(rehearse_json(&all)["run"]["end"], "failed");
    }

    #[test]
    fn a_dead_controller_and_the_next_one() {
        let tape = sample::resumed();
        let plan = tape.plan.clone();
        let (first, second) = split(&tape, 2);
        let (before, after) = (state(&first), tape.state());
        let all = Rehearsed {
            plan: &plan,
            fail: None,
            kill_at: Some(first.len() as u64),
            first: RehearsedPart {
                records: &first,
                state: &before,
                end: RehearsedEnd::Died,
            },
            changed: &[],
            resumed: Some(RehearsedPart {
                records: &second,
                state: &after,
                end: RehearsedEnd::Closed(RunResult::Succeeded),
            }),
            back: Err("the run has succeeded".to_owned()),
            made_up: &[],
            assumed: &[],
        };
        insta::assert_snapshot!(rehearse_text(&all, &Style::plain(80)));
    }
}
