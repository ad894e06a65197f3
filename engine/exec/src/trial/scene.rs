//! A scenario of a runbook: its plan and the real dispatcher in a world that does as the scenario says.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::Arc;

use runbook_lang::evaluate::Evaluator;
use runbook_lang::testfile::{
    Expected, Fact, Outcome as Wanted, Reply, Result as How, Said, Scenario,
};
use runbook_model::event::Verdict;
use runbook_model::state::{FoldError, NodeState};
use runbook_model::step_type::TypeKind;
use runbook_model::{
    Failure, FailureKind, NodeIx, Outcome, Plan, Record, RunResult, RunState, StepType,
};

use super::{Mismatch, TrialError, Tried};
use crate::meaning::Meaning;
use crate::rehearse::begin;
use crate::world::{Behaviour, Ending, Story, View, World};

/// What an instance says that nobody gave words to.
const SO: &str = "the scenario says so";
/// What is found of a step that runs on no host.
const NOWHERE: &str = "there is no instance";
/// How long a look takes, in milliseconds.
const LOOK: i64 = 5;
/// How long an apply takes at most, in milliseconds: a thousand years, so that times can be counted with.
const LONGEST: i64 = 365_250 * 24 * 3_600_000;

/// Runs a scenario. `secrets` are the values of secret inputs.
///
/// # Errors
/// The plan cannot be run at all.
pub fn run_scenario(
    plan: &Arc<Plan>,
    secrets: &BTreeMap<String, String>,
    scenario: &Scenario,
    group: &str,
) -> Result<Tried, TrialError> {
    let evaluator = Evaluator::new(Arc::clone(plan), secrets, "sim", "/run/sim")
        .map_err(|error| TrialError::Plan(error.to_string()))?;
    let rules = Meaning::new(Arc::clone(plan), Rc::new(evaluator));
    let behaviours = (0..plan.nodes.len())
        .map(|at| behaviour(plan, scenario, at))
        .collect();
    let mut world = World::with(Arc::clone(plan), behaviours, rules, 0);
    world.now = begin(plan).unwrap_or(world.now);
    let mut ending = world.run();
    // What a gate has decided follows without anybody.
    if world.state().is_ok_and(|state| state.due.is_some()) {
        ending = world.run();
    }
    if scenario.rolls_back {
        ending = world.roll_back(None);
    }
    let mut mismatches = Vec::new();
    match Course::of(&world.journal) {
        Ok(course) => compare(plan, &scenario.expect, &ending, &course, &mut mismatches),
        Err(error) => mismatches.push(Mismatch::new(
            "journal",
            "it can be read",
            error.to_string(),
        )),
    }
    Ok(Tried {
        group: group.to_owned(),
        title: scenario.title.value.clone(),
        mismatches,
    })
}

/// Where the run ended, and when each node first began and first ended, by the numbers of events: a
/// fresh look later on is not what an order is about.
struct Course {
    state: RunState,
    began: BTreeMap<usize, u64>,
    ended: BTreeMap<usize, u64>,
}

impl Course {
    fn of(journal: &[Record]) -> Result<Self, FoldError> {
        let mut course = Self {
            state: RunState::default(),
            began: BTreeMap::new(),
            ended: BTreeMap::new(),
        };
        for record in journal {
            course.state.apply(record)?;
            for (at, node) in course.state.nodes.iter().enumerate() {
                if node.started_at.is_some() {
                    course.began.entry(at).or_insert(record.seq);
                }
                if node.outcome.is_some() {
                    course.ended.entry(at).or_insert(record.seq);
                }
            }
        }
        Ok(course)
    }
}

/// What a scenario says of a node.
fn behaviour(plan: &Plan, scenario: &Scenario, at: usize) -> Behaviour {
    let usual = Behaviour {
        looks: LOOK,
        ..Behaviour::default()
    };
    let node = NodeIx(u32::try_from(at).unwrap_or(u32::MAX));
    let Some((step, step_type)) = plan
        .instance(node)
        .and_then(|(step, _)| Some((step, plan.type_of(step)?)))
    else {
        return usual;
    };
    let is_mine = |name: &str| name == step.id.as_str() || name == plan.nodes[at].id;
    let facts = scenario.facts.iter().filter(|fact| is_mine(&fact.of.value));
    let fact = facts.fold(Fact::default(), |all, fact| all.with(&fact.fact));
    let fails = scenario.fail.iter().any(|name| is_mine(&name.value));
    // The last answer counts: an instance may be named after its step.
    let mut said = scenario.answers.iter();
    let said = said.rfind(|(name, _)| is_mine(&name.value));
    let word = match said {
        Some((_, Reply::Word(word))) => Some(word.value.clone()),
        _ => None,
    };
    Behaviour {
        unanswered: matches!(said, Some((_, Reply::Nobody))),
        says: word,
        takes: fact.takes.unwrap_or(usual.takes).min(LONGEST),
        story: Some(Arc::new(story(step_type, &fact, fails))),
        ..usual
    }
}

fn story(step_type: &StepType, fact: &Fact, fails: bool) -> Story {
    let failure = |kind| Failure::new(kind, "the scenario says that it fails");
    let looks_only = step_type.kind == TypeKind::Probe;
    let usual = if looks_only {
        Said::Satisfied
    } else {
        Said::Differs
    };
    let mut before = views(fact, usual);
    if fails && looks_only {
        before = vec![View {
            verdict: Verdict::Error(failure(FailureKind::Check)),
            outputs: BTreeMap::new(),
        }];
    }
    // What made the first look differ is not said again after the apply.
    let mut under = fact.clone();
    (under.check, under.reasons) = (None, None);
    under.looks.clear();
    let over = under.after.take();
    let later = over.map_or(under.clone(), |over| under.with(&over));
    let attempt = match fails && !looks_only {
        true => Err(failure(FailureKind::Apply)),
        false => Ok(later.outputs.clone()),
    };
    Story {
        before,
        after: views(&later, Said::Satisfied),
        attempt: Some(attempt),
    }
}

/// One look after the other.
fn views(fact: &Fact, usual: Said) -> Vec<View> {
    let one = |fact: &Fact| {
        let reasons = fact.reasons.clone().unwrap_or_else(|| vec![SO.to_owned()]);
        let verdict = match fact.check.unwrap_or(usual) {
            Said::Satisfied => Verdict::Satisfied,
            Said::Differs => Verdict::Differs(reasons),
            Said::Skipped => Verdict::Skipped(reasons.join("; ")),
            Said::Error => Verdict::Error(Failure::new(FailureKind::Check, reasons.join("; "))),
        };
        View {
            verdict,
            outputs: fact.outputs.clone(),
        }
    };
    match fact.looks.is_empty() {
        true => vec![one(fact)],
        false => {
            let mut rest = fact.clone();
            rest.looks.clear();
            fact.looks
                .iter()
                .map(|look| one(&rest.clone().with(look)))
                .collect()
        }
    }
}

fn compare(
    plan: &Plan,
    expect: &Expected,
    ending: &Ending,
    course: &Course,
    mismatches: &mut Vec<Mismatch>,
) {
    let state = &course.state;
    let how = match ending {
        Ending::Closed(result) => Ok(how(result)),
        Ending::Crashed | Ending::TakenOver => Err("the controller died".to_owned()),
        Ending::Unwritten(text) | Ending::Damaged(text) => Err(text.clone()),
        Ending::Fault(text) => Err(format!("the engine contradicted itself: {text}")),
        Ending::Stuck => Err("nothing is under way, and it has not ended".to_owned()),
        Ending::Unreadable(error) => Err(error.to_string()),
        Ending::BadPlan(error) => Err(error.to_string()),
    };
    if how.as_ref().ok() != Some(&expect.result) {
        let found = how.map_or_else(|text| text, |how| how.word().to_owned());
        let found = [vec![found], failures(plan, state)].concat().join("\n");
        mismatches.push(Mismatch::new("result", expect.result.word(), found));
    }
    let instances = |name: &str| -> Vec<(String, &NodeState)> {
        named(plan, name)
            .filter_map(|node| Some((plan.nodes[node.at()].id.clone(), state.node(node)?)))
            .collect()
    };
    for (name, wanted) in &expect.instances {
        let all = instances(&name.value);
        if all.is_empty() {
            mismatches.push(Mismatch::new(&name.value, wanted.word(), NOWHERE));
        }
        for (id, node) in all {
            if !fits(*wanted, node.outcome.as_ref()) {
                mismatches.push(Mismatch::new(id, wanted.word(), ended(node)));
            }
        }
    }
    for name in &expect.never {
        for (id, node) in instances(&name.value) {
            let past = matches!(
                node.outcome,
                Some(Outcome::Skipped { .. } | Outcome::LeftOut { .. })
            );
            if node.started_at.is_some() && !past {
                mismatches.push(Mismatch::new(id, "it never begins", ended(node)));
            }
        }
    }
    for (first, then) in &expect.order {
        order(plan, course, &first.value, &then.value, mismatches);
    }
    for (name, part) in &expect.fails {
        let all = instances(&name.value);
        if all.is_empty() {
            mismatches.push(Mismatch::new(
                &name.value,
                format!("failed: {part}"),
                NOWHERE,
            ));
        }
        for (id, node) in all {
            match node.outcome.as_ref().and_then(Outcome::failure) {
                Some(failure) if failure.message.contains(part) => {}
                _ => mismatches.push(Mismatch::new(id, format!("failed: {part}"), ended(node))),
            }
        }
    }
}

/// The instances of a step, or the one of this name.
fn named<'p>(plan: &'p Plan, name: &'p str) -> impl Iterator<Item = NodeIx> + 'p {
    let all = plan.instances().filter(move |(node, step, _)| {
        plan.nodes[node.at()].id == name || plan.steps[step.at()].id.as_str() == name
    });
    all.map(|(node, ..)| node)
}

/// Every instance of the one ends before any of the other begins.
fn order(plan: &Plan, course: &Course, first: &str, then: &str, mismatches: &mut Vec<Mismatch>) {
    for name in [first, then] {
        if named(plan, name).next().is_none() {
            mismatches.push(Mismatch::new(
                format!("{first} before {then}"),
                "one ends, then the other begins",
                format!("{NOWHERE} of {name}"),
            ));
        }
    }
    for a in named(plan, first) {
        for b in named(plan, then) {
            let [a_id, b_id] = [a, b].map(|node| plan.nodes[node.at()].id.as_str());
            let found = match (course.ended.get(&a.at()), course.began.get(&b.at())) {
                (Some(ended), Some(begun)) if ended < begun => continue,
                (Some(_), Some(_)) => "the other begins before that".to_owned(),
                (None, _) => format!("{a_id} has not ended"),
                (_, None) => format!("{b_id} has not begun"),
            };
            let what = format!("{a_id} before {b_id}");
            mismatches.push(Mismatch::new(
                what,
                "one ends, then the other begins",
                found,
            ));
        }
    }
}

fn how(result: &RunResult) -> How {
    match result {
        RunResult::Succeeded => How::Succeeded,
        RunResult::AlreadyThere => How::AlreadyThere,
        RunResult::Failed => How::Failed,
        RunResult::Refused => How::Refused,
        RunResult::RolledBack => How::RolledBack,
        // A scenario gives no other orders: only `Stopped` is met.
        RunResult::Stopped | RunResult::Reached | RunResult::SteppedBack | RunResult::Abandoned => {
            How::Stopped
        }
    }
}

fn fits(wanted: Wanted, found: Option<&Outcome>) -> bool {
    matches!(
        (wanted, found),
        (Wanted::Satisfied, Some(Outcome::Satisfied))
            | (Wanted::Changed, Some(Outcome::Changed))
            | (Wanted::Ok, Some(Outcome::Looked))
            | (Wanted::Passed, Some(Outcome::Passed))
            | (Wanted::Skipped, Some(Outcome::Skipped { .. }))
    ) || wanted == Wanted::Failed && found.is_some_and(|found| found.failure().is_some())
}

/// How an instance ended, in words.
fn ended(node: &NodeState) -> String {
    match &node.outcome {
        Some(Outcome::Satisfied) => "satisfied".to_owned(),
        Some(Outcome::Skipped { reason }) => format!("skipped: {reason}"),
        Some(other) => match other.failure() {
            Some(failure) => format!("failed: {}", failure.message),
            None => other.word().to_owned(),
        },
        None if node.started_at.is_some() => "it has begun, and not ended".to_owned(),
        None => "it has not begun".to_owned(),
    }
}

/// Everything that failed, once.
fn failures(plan: &Plan, state: &RunState) -> Vec<String> {
    let all: BTreeSet<String> = plan
        .nodes
        .iter()
        .zip(&state.nodes)
        .filter(|(_, node)| node.outcome.as_ref().is_some_and(|o| o.failure().is_some()))
        .map(|(node, state)| format!("{}: {}", node.id, ended(state)))
        .collect();
    all.into_iter().collect()
}
