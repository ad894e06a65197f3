//! Runs in which time passes and little happens.

use runbook_model::event::{Purpose, StopReason};
use runbook_model::plan::Part;
use runbook_model::step_type::TypeKind;
use runbook_model::{Event, Failure, FailureKind, NodeKind, Outcome, RunResult};

use super::super::plan;
use super::Tape;

/// One batch has ended, the next one is not yet to begin, and a step waits.
pub(crate) fn patient() -> Tape {
    let mut plan = plan();
    for of in plan
        .types
        .values_mut()
        .filter(|of| of.name == "quay.health")
    {
        of.kind = TypeKind::Wait;
    }
    let end = plan.node("end of phase survey").unwrap();
    plan.nodes[end.at()].kind = NodeKind::Barrier {
        phase: 0,
        batch: Some(0),
    };
    let mut t = Tape::begin(plan);
    t.ready();
    t.point("phase survey");
    for (id, ms) in [
        ("end of phase survey", 90_000),
        ("healthy@quay01", 86_400_000),
    ] {
        let (node, until) = (t.node(id), t.now + ms);
        let reason = "it waits".into();
        t.add(Event::Pausing {
            node,
            until,
            reason,
        });
    }
    t
}

/// Ctrl-C at a gate.
pub(crate) fn unanswered() -> Tape {
    let mut t = Tape::begin(plan());
    t.up_to_question();
    t.after(2_000).add(Event::Stopping {
        reason: StopReason::Interrupt,
    });
    t.close(RunResult::Stopped);
    t
}

/// An instance is looked at when a run stops; or it is changed half a minute later, by a resume.
pub(crate) fn looked_at(changed: bool) -> Tape {
    let mut t = Tape::begin(plan());
    t.ready();
    t.differs("stop@quay01", Purpose::Before, "the container runs");
    t.add(Event::Stopping {
        reason: StopReason::Interrupt,
    });
    t.close(RunResult::Stopped);
    if changed {
        t.after(32_000);
        t.epoch = 2;
        t.open();
        t.ready();
        t.change("stop@quay01", "the container runs", 4_000);
        t.close(RunResult::Succeeded);
    }
    t
}

/// A failure of the procedure, and one of what follows on every ending.
pub(crate) fn failed_twice() -> Tape {
    let mut t = super::failed();
    let last = t.plan.phases.last_mut().unwrap();
    last.part = Part::Finally;
    t.records.pop();
    let failure = Failure::new(FailureKind::Apply, "no space left");
    t.finished("start@quay02", Outcome::Failed(failure));
    t.close(RunResult::Failed);
    t
}

/// An end that comes a second time.
pub(crate) fn reopened() -> Tape {
    let mut t = Tape::begin(plan());
    t.ready();
    t.point("end of phase survey");
    t.finished("survey@quay01", Outcome::Looked);
    t.after(1_000);
    for id in ["end of phase survey", "survey@quay01"] {
        let (node, reason) = (t.node(id), "the run ends again".into());
        t.add(Event::Reopened { node, reason });
    }
    t
}
