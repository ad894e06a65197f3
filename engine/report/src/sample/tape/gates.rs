//! Runs that are decided at a gate with terms.

use runbook_model::gate::{Approve, Follow, Said, Terms};
use runbook_model::{Command, Event, Failure, FailureKind, Order, RunResult};

use super::super::plan;
use super::Tape;

/// A gate of two people with options and a deadline; one of them has agreed.
pub(crate) fn asked() -> Tape {
    let mut t = Tape::begin(plan());
    t.up_to_question();
    let node = t.node("approve@control");
    let Some(Event::Asked { terms, .. }) = t.records.last_mut().map(|last| &mut last.event) else {
        panic!("it is asked last");
    };
    let options = [("go", Follow::Continue), ("back", Follow::Rollback)];
    *terms = Terms::Approve(Approve {
        approvers: 2,
        not_runner: true,
        expires: None,
        deadline: Some(t.now + 7_200_000),
        on_deadline: Follow::Rollback,
        options: options.map(|(name, of)| (name.into(), of)).into(),
    });
    t.after(60_000).add(Event::Said {
        node,
        said: Said::Choice("go".into()),
        by: "ann on desk".into(),
    });
    t
}

/// One of them has it taken back; no controller has begun to.
pub(crate) fn to_be_taken_back() -> Tape {
    let mut t = asked();
    let (node, by) = (t.node("approve@control"), "bob on desk");
    t.after(60_000).add(Event::Said {
        node,
        said: Said::Choice("back".into()),
        by: by.into(),
    });
    t.add(Event::Answered {
        node,
        approved: false,
        by: by.into(),
        rollback: true,
    });
    let why = format!("{by} said `back`: what was done is taken back");
    t.fail("approve@control", Failure::new(FailureKind::Refused, why));
    t.close(RunResult::Refused);
    t
}

/// And it is taken back.
pub(crate) fn taken_back() -> Tape {
    let mut t = to_be_taken_back();
    t.epoch += 1;
    t.open();
    t.add(Event::Ordered {
        order: Order {
            id: "gate-2".into(),
            by: "bob on desk".into(),
            reason: "said `back` at approve@control".into(),
            command: Command::RollBack {
                to: None,
                gate: Some("approve@control".into()),
            },
        },
        nodes: Vec::new(),
    });
    t.close(RunResult::RolledBack);
    t
}
