//! What proves that an upgrade happened once and in order: the database that all stand-ins write
//! to, and the journal of the run. Each proof is a list of what is wrong.

use std::collections::BTreeMap;

use runbook_model::event::{AttemptEnd, Event};
use runbook_model::plan::Part;
use runbook_model::step_type::TypeKind;
use runbook_model::{NodeIx, Outcome, Plan, Record, RunResult, RunState};

use crate::lab::{Lab, LabEvent, NODES};

const OLD: &str = "v3.7.0";
const NEW: &str = "v3.8.0";

/// What is wrong with the database of an upgrade that is done.
#[must_use]
pub fn of_database(events: &[LabEvent]) -> Vec<String> {
    let mut wrong = Vec::new();
    let places = |version: &str, node: &str, mode: &str, event: &str| -> Vec<usize> {
        let is_it = |e: &LabEvent| {
            e.version == version && e.node == node && e.mode == mode && e.event == event
        };
        events
            .iter()
            .enumerate()
            .filter(|(_, e)| is_it(e))
            .map(|(at, _)| at)
            .collect()
    };
    let mut once = |version: &str, node: &str, mode: &str, event: &str| -> usize {
        let found = places(version, node, mode, event);
        if found.len() != 1 {
            wrong.push(format!(
                "{} times: {event} of {mode} {version} on {node}",
                found.len()
            ));
        }
        found.first().copied().unwrap_or_default()
    };
    let begin = once(NEW, NODES[0], "migrate", "migrate_begin");
    let end = once(NEW, NODES[0], "migrate", "migrate_end");
    let stops = NODES.map(|node| once(OLD, node, "registry", "stop"));
    let worker_stop = once(OLD, NODES[0], "repomirror", "stop");
    let starts = NODES.map(|node| once(NEW, node, "registry", "start"));
    let ready = NODES.map(|node| once(NEW, node, "registry", "ready"));
    let worker = once(NEW, NODES[0], "repomirror", "start");
    once(NEW, NODES[0], "repomirror", "ready");
    for (holds, problem) in [
        (
            stops.iter().chain([&worker_stop]).all(|at| *at < begin),
            "something of the old version stopped after the migration began",
        ),
        (
            starts.iter().all(|at| *at > end),
            "a node started before the migration ended",
        ),
        (
            starts[1..].iter().all(|at| *at > ready[0]),
            "a node started before the first one was ready",
        ),
        (
            ready.iter().all(|at| *at < worker),
            "the mirror worker started before a node was ready",
        ),
    ] {
        if !holds {
            wrong.push(problem.to_owned());
        }
    }
    let expected = |e: &LabEvent| match (e.event.as_str(), e.mode.as_str()) {
        ("start" | "ready" | "stop", _) => true,
        ("migrate_begin" | "migrate_end", mode) => mode == "migrate",
        _ => false,
    };
    wrong.extend(
        events
            .iter()
            .filter(|e| !expected(e))
            .map(|e| format!("it should not be there: {e:?}")),
    );
    let old = events
        .iter()
        .filter(|e| e.version == OLD && e.event != "stop");
    wrong.extend(old.map(|e| format!("the old version came back: {e:?}")));
    wrong
}

/// What is wrong with the journal of an upgrade that is done, whoever was killed on the way.
#[must_use]
pub fn of_journal(plan: &Plan, records: &[Record], state: &RunState) -> Vec<String> {
    let mut wrong = Vec::new();
    let id = |node: NodeIx| plan.nodes.get(node.at()).map_or("?", |n| n.id.as_str());
    if state.result != Some(RunResult::Succeeded) {
        wrong.push(format!("the run ended as {:?}", state.result));
    }
    let forward = |at: usize| {
        let node = u32::try_from(at).map_or(NodeIx(u32::MAX), NodeIx);
        plan.part_of(node) != Part::Rollback
    };
    for (at, node) in state
        .nodes
        .iter()
        .enumerate()
        .filter(|(at, _)| forward(*at))
    {
        if !node.outcome.as_ref().is_some_and(Outcome::is_success) {
            wrong.push(format!("{} ended as {:?}", plan.nodes[at].id, node.outcome));
        }
    }
    wrong.extend(of_attempts(plan, records, state));
    let mut nodes = BTreeMap::new();
    let mut changed: BTreeMap<NodeIx, usize> = BTreeMap::new();
    let mut effects: BTreeMap<NodeIx, usize> = BTreeMap::new();
    for record in records {
        match &record.event {
            Event::Dispatched { instances, .. } => {
                nodes.extend(instances.iter().map(|i| (i.attempt.clone(), i.node)));
            }
            Event::Ended { attempt, end } => {
                let node = nodes.get(attempt).copied();
                if let Some(node) = node.filter(|node| may_have_done_something(plan, *node, end)) {
                    *effects.entry(node).or_default() += 1;
                }
            }
            Event::Finished {
                node,
                outcome: Outcome::Changed,
                ..
            } => *changed.entry(*node).or_default() += 1,
            _ => {}
        }
    }
    // What runs on every ending has run once for each.
    let once = |node: &NodeIx| plan.part_of(*node) != Part::Finally;
    let twice = changed
        .iter()
        .filter(|(node, times)| **times > 1 && once(node));
    wrong.extend(twice.map(|(node, times)| format!("{} changed {times} times", id(*node))));
    let effects_twice = effects
        .iter()
        .filter(|(node, times)| **times > 1 && once(node));
    wrong.extend(
        effects_twice.map(|(node, times)| format!("{} took effect {times} times", id(*node))),
    );
    let without = changed
        .keys()
        .filter(|node| !effects.contains_key(node) && !is_engine(plan, **node));
    wrong.extend(
        without.map(|node| format!("{} changed without an attempt that took effect", id(*node))),
    );
    if !first_alone(plan, records) {
        wrong.push("another node was started before the first one was healthy".to_owned());
    }
    wrong
}

/// What is wrong with the attempts of a run that is over: each ends once, after its intent.
#[must_use]
pub fn of_attempts(plan: &Plan, records: &[Record], state: &RunState) -> Vec<String> {
    let mut wrong = Vec::new();
    let id = |node: NodeIx| plan.nodes.get(node.at()).map_or("?", |n| n.id.as_str());
    let mut ends = BTreeMap::new();
    for record in records {
        match &record.event {
            Event::Dispatched { instances, .. } => {
                ends.extend(instances.iter().map(|i| (&i.attempt, 0)));
            }
            Event::Undoing { attempt, .. } => drop(ends.insert(attempt, 0)),
            Event::Ended { attempt, .. } => match ends.get_mut(attempt) {
                None => wrong.push(format!("{attempt} ended and was never intended")),
                Some(times) => *times += 1,
            },
            _ => {}
        }
    }
    for (attempt, times) in ends {
        let known = state.attempts.get(attempt);
        let name = known.map_or("?", |a| id(a.node));
        // What a person has decided is an end without an event of its own.
        if times > 1 || known.is_none_or(|a| a.end.is_none()) {
            wrong.push(format!("{attempt} of {name} has {times} ends"));
        }
    }
    wrong
}

/// What is wrong with the containers of the nodes after the upgrade.
#[must_use]
pub fn of_containers(lab: &Lab) -> Vec<String> {
    let mut wrong = Vec::new();
    for (node, region) in NODES.iter().zip(["a", "a", "b"]) {
        let containers = lab.containers(node);
        let mut wanted = vec![*node];
        wanted.extend((*node == NODES[0]).then_some("mirror"));
        let running: Vec<_> = containers
            .iter()
            .filter(|c| c.status == "running")
            .collect();
        let mut names: Vec<_> = running.iter().map(|c| c.name.as_str()).collect();
        names.sort_unstable();
        wanted.sort_unstable();
        if names != wanted {
            wrong.push(format!("{node} runs {names:?}"));
        }
        let preference = format!("QUAY_DISTRIBUTED_STORAGE_PREFERENCE=region_{region}");
        let without = running.iter().filter(|c| !c.create.contains(&preference));
        wrong.extend(
            without.map(|c| format!("{} on {node} has no {preference}: {}", c.name, c.create)),
        );
    }
    wrong
}

/// An attempt whose host says that it ran. One that the engine itself made ends with its
/// controller, and is then made again: it moves a file into place whole. One that failed may be
/// made again where the runbook says so.
fn may_have_done_something(plan: &Plan, node: NodeIx, end: &AttemptEnd) -> bool {
    match end {
        AttemptEnd::Completed { .. } | AttemptEnd::Converged { .. } => true,
        AttemptEnd::Failed(_) => !is_engine(plan, node) && !is_repeated(plan, node),
        AttemptEnd::Lost => !is_engine(plan, node),
        AttemptEnd::NeverBegan | AttemptEnd::Looked { .. } => false,
    }
}

fn is_engine(plan: &Plan, node: NodeIx) -> bool {
    let step_type = plan.instance(node).and_then(|(step, _)| plan.type_of(step));
    step_type.is_some_and(|of| matches!(of.kind, TypeKind::Copy | TypeKind::Record))
}

fn is_repeated(plan: &Plan, node: NodeIx) -> bool {
    plan.instance(node)
        .is_some_and(|(step, _)| step.retry.attempts > 1)
}

fn first_alone(plan: &Plan, records: &[Record]) -> bool {
    let is = |node: NodeIx, start: &str| {
        plan.nodes
            .get(node.at())
            .is_some_and(|n| n.id.starts_with(start))
    };
    let healthy = records.iter().position(
        |r| matches!(&r.event, Event::Finished { node, outcome, .. } if is(*node, "healthy_first@") && outcome.is_success()),
    );
    let other = records.iter().position(
        |r| matches!(&r.event, Event::Dispatched { instances, .. } if instances.iter().any(|i| is(i.node, "start_rest@"))),
    );
    matches!((healthy, other), (Some(healthy), Some(other)) if healthy < other)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(lines: &str) -> Vec<LabEvent> {
        let event = |line: &str| {
            let mut words = line.split_whitespace().map(str::to_owned);
            let mut word = || words.next().unwrap();
            LabEvent {
                node: word(),
                version: word(),
                mode: word(),
                event: word(),
                container: String::new(),
            }
        };
        lines.lines().map(event).collect()
    }

    const GOOD: &str = "quay01 v3.7.0 repomirror stop
quay01 v3.7.0 registry stop
quay02 v3.7.0 registry stop
quay03 v3.7.0 registry stop
quay01 v3.8.0 migrate start
quay01 v3.8.0 migrate migrate_begin
quay01 v3.8.0 migrate migrate_end
quay01 v3.8.0 migrate stop
quay01 v3.8.0 registry start
quay01 v3.8.0 registry ready
quay02 v3.8.0 registry start
quay02 v3.8.0 registry ready
quay03 v3.8.0 registry start
quay03 v3.8.0 registry ready
quay01 v3.8.0 repomirror start
quay01 v3.8.0 repomirror ready";

    #[test]
    fn a_good_upgrade_is_good() {
        assert_eq!(of_database(&table(GOOD)), Vec::<String>::new());
    }

    #[test]
    fn every_line_matters() {
        let lines: Vec<&str> = GOOD.lines().collect();
        let spare = ["migrate start", "migrate stop"];
        for (at, line) in lines.iter().enumerate() {
            let mut less = lines.clone();
            less.remove(at);
            if !spare.iter().any(|end| line.ends_with(end)) {
                assert_ne!(
                    of_database(&table(&less.join("\n"))),
                    Vec::<String>::new(),
                    "without {line}"
                );
                let more = format!("{GOOD}\n{line}");
                assert_ne!(
                    of_database(&table(&more)),
                    Vec::<String>::new(),
                    "twice {line}"
                );
            }
        }
    }

    #[test]
    fn what_must_not_happen_is_seen() {
        for line in [
            "quay02 v3.8.0 registry overlap",
            "quay02 v3.7.0 registry refused",
            "quay01 v3.8.0 migrate migrate_failed",
            "quay02 v3.8.0 registry migrate_begin",
            "quay03 v3.7.0 registry start",
        ] {
            assert_ne!(
                of_database(&table(&format!("{GOOD}\n{line}"))),
                Vec::<String>::new(),
                "{line}"
            );
        }
    }

    #[test]
    fn the_order_matters() {
        let swapped = |a: usize, b: usize| {
            let mut lines: Vec<&str> = GOOD.lines().collect();
            lines.swap(a, b);
            of_database(&table(&lines.join("\n")))
        };
        for (a, b) in [(3, 5), (6, 8), (9, 10), (13, 14)] {
            assert_ne!(swapped(a, b), Vec::<String>::new(), "{a} and {b}");
        }
    }
}
