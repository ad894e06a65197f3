//! What a run holds: since when, and what ends it.

use runbook_model::event::HeldHow;
use runbook_model::state::HoldState;
use runbook_model::transition::Stage;
use runbook_model::{Millis, NodeIx, Plan, RunResult, RunState};

use super::node_id;
use crate::narrate::failure_text;
use crate::next;
use crate::time::length;

/// What releases a hold.
pub(crate) fn released_by(plan: &Plan, node: NodeIx) -> String {
    let hold = plan.instance(node).and_then(|(step, _)| step.hold.as_ref());
    let steps: Vec<String> = hold
        .into_iter()
        .flat_map(|hold| &hold.release)
        .filter_map(|step| plan.step_id(*step))
        .map(|id| format!("`{id}`"))
        .collect();
    match steps.is_empty() {
        true => "the end of the run".to_owned(),
        false => steps.join(" or "),
    }
}

/// Sentences about what is held at `now`.
pub(crate) fn held(plan: &Plan, state: &RunState, now: Millis) -> Vec<String> {
    state
        .held()
        .map(|(node, hold)| one(plan, state, node, hold, now))
        .collect()
}

fn one(plan: &Plan, state: &RunState, node: NodeIx, hold: &HoldState, now: Millis) -> String {
    let id = node_id(plan, node);
    let is_over = state.result.as_ref().is_some_and(RunResult::is_final);
    let how = match hold.how {
        HeldHow::Changed => "is held",
        HeldHow::Partly => "may be held, in part",
        HeldHow::Already => {
            let step = plan.instance(node).and_then(|(step, _)| step.hold.as_ref());
            let ends = match step.is_some_and(|hold| !hold.release.is_empty()) {
                true if is_over => "this run has not ended it".to_owned(),
                true => format!("{} ends it", released_by(plan, node)),
                false => "this run does not end it".to_owned(),
            };
            return format!("{id} was so already; {ends}");
        }
    };
    let over = if hold.over {
        ", longer than it may"
    } else {
        ""
    };
    let undo = state.undos.get(&node);
    let ends = match undo.map(|undo| (undo.stage, &undo.failure)) {
        Some((Stage::Done, Some(failure))) => {
            format!("taking it back failed: {}", failure_text(failure))
        }
        Some((stage, _)) if stage != Stage::Done => {
            "taking it back was begun, and its end is not known".to_owned()
        }
        _ if is_over => by_hand(plan, state, node),
        _ => format!("{} releases it", released_by(plan, node)),
    };
    format!("{id} {how} for {}{over}; {ends}", length(now - hold.since))
}

/// What ends a hold of a run that no step ends any more.
fn by_hand(plan: &Plan, state: &RunState, node: NodeIx) -> String {
    match plan.instance(node) {
        Some((step, _)) if next::is_able(plan, step) => {
            let release = next::release(state, step.id.as_str());
            format!("the run is over; `{release}` takes it back")
        }
        _ => "the run is over, and the type of the step has no undo: end it on the host".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    #[test]
    fn after_a_success_only_a_person_ends_a_hold() {
        let mut tape = sample::forgotten();
        let said = |tape: &sample::Tape, more| {
            let state = tape.state();
            held(&tape.plan, &state, state.last_at + more).join("\n")
        };
        let now = said(&tape, 0);
        let later = said(&tape, 60_000);
        for of in tape.plan.types.values_mut() {
            of.scripts.undo = "true".into();
        }
        let able = said(&tape, 60_000);
        tape.records.pop();
        let running = said(&tape, 60_000);
        insta::assert_snapshot!(format!("{now}\n\n{later}\n\n{able}\n\n{running}"));
    }
}
