//! What a person may type next, as whole commands.

use std::collections::BTreeSet;

use runbook_model::event::HeldHow;
use runbook_model::{Plan, RunResult, RunState, Step};

/// The id of the run.
pub(crate) fn run_id(state: &RunState) -> &str {
    state.run.as_ref().map_or("?", |r| r.as_str())
}

/// What goes on with a run that nobody has now: it is resumed, and what it holds is released.
pub(crate) fn commands(plan: &Plan, state: &RunState, running: bool) -> Vec<String> {
    if running {
        return Vec::new();
    }
    let is_over = state.result.as_ref().is_some_and(RunResult::is_final);
    let resume = (!is_over).then(|| resume(state));
    // Holds of a run without an end are not released by hand: it is resumed first.
    let releases = state.result.is_some().then(|| releases(plan, state));
    resume
        .into_iter()
        .chain(releases.into_iter().flatten())
        .collect()
}

/// Goes on with the run.
pub(crate) fn resume(state: &RunState) -> String {
    format!("runbook resume {}", run_id(state))
}

/// Decides about what nobody knows the effect of.
pub(crate) fn decisions(state: &RunState, instance: &str) -> [(String, &'static str); 2] {
    let resume = resume(state);
    [
        (
            format!("{resume} --retry {instance} --reason '…'"),
            "has it done again, if it was not",
        ),
        (
            format!("{resume} --done {instance} --evidence '…' --reason '…'"),
            "goes on, if it was",
        ),
    ]
}

/// Takes back what is held, where the type is able to: a step at once, however many hosts it holds
/// something on.
pub(crate) fn releases(plan: &Plan, state: &RunState) -> Vec<String> {
    let held = state
        .held()
        .filter(|(_, hold)| hold.how != HeldHow::Already);
    let held = held.filter_map(|(node, _)| plan.instance(node));
    let held = held.filter(|(step, _)| is_able(plan, step));
    let steps: BTreeSet<&str> = held.map(|(step, _)| step.id.as_str()).collect();
    steps.iter().map(|step| release(state, step)).collect()
}

/// Takes back what a step holds.
pub(crate) fn release(state: &RunState, step: &str) -> String {
    let run = run_id(state);
    format!("runbook release {run} {step} --reason '…'")
}

/// Whether the type of a step is able to take it back.
pub(crate) fn is_able(plan: &Plan, step: &Step) -> bool {
    plan.type_of(step)
        .is_some_and(|of| !of.scripts.undo.is_empty() || of.content.is_some())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    #[test]
    fn what_is_held_is_released_only_after_the_end() {
        let mut tape = sample::held();
        let all = |tape: &sample::Tape, running| commands(&tape.plan, &tape.state(), running);
        assert_eq!(
            all(&tape, false),
            ["runbook resume k3x9"],
            "no undo, no release"
        );
        for of in tape.plan.types.values_mut() {
            of.scripts.undo = "true".into();
        }
        let release = "runbook release k3x9 stop --reason '…'";
        assert_eq!(all(&tape, false), ["runbook resume k3x9", release]);
        assert_eq!(all(&tape, true), [""; 0]);
        tape.records.pop();
        assert_eq!(all(&tape, false), ["runbook resume k3x9"]);
    }

    #[test]
    fn a_success_is_not_resumed() {
        let tape = sample::left_behind();
        assert_eq!(commands(&tape.plan, &tape.state(), false), [""; 0]);
    }
}
