//! Runs in which something is held, and hosts are left behind.

use std::collections::BTreeMap;

use runbook_model::event::{AttemptEnd, HeldHow, Purpose, ReleasedBy};
use runbook_model::step::{Hold, HoldOnFailure};
use runbook_model::step_type::TypeKind;
use runbook_model::{AttemptId, Event, Failure, FailureKind, Outcome, RunResult};
use serde_json::json;

use super::super::plan;
use super::Tape;

/// What two hosts hold is taken back after a failure, on one of them in vain.
pub(crate) fn held() -> Tape {
    let mut plan = plan();
    let (at, _) = plan.step("stop").unwrap();
    let hold = Hold {
        release: Vec::new(),
        on_failure: HoldOnFailure::Release,
        max_ms: Some(60_000),
    };
    plan.steps[at.at()].hold = Some(hold);
    let mut t = Tape::begin(plan);
    t.up_to_question();
    t.freeze();
    let hold = |t: &mut Tape, id: &str, how| {
        let node = t.node(id);
        t.add(Event::Held { node, how });
    };
    hold(&mut t, "stop@quay01", HeldHow::Changed);
    hold(&mut t, "stop@quay02", HeldHow::Already);
    hold(&mut t, "stop@quay03", HeldHow::Changed);
    let node = t.node("stop@quay03");
    t.after(61_000).add(Event::HoldOver { node });
    let failure = Failure::new(FailureKind::Check, "no space left");
    t.fail("dump@db01", failure);
    let result = RunResult::Failed;
    t.add(Event::Ending {
        result: result.clone(),
    });
    t.undo("stop@quay01", None);
    let failure = Failure::new(FailureKind::Apply, "podman: status 125");
    t.undo("stop@quay03", Some(failure));
    t.close(result);
    t
}

/// A success that still holds something: what releases it was skipped. It has a record.
pub(crate) fn forgotten() -> Tape {
    let mut plan = plan();
    let (stop, _) = plan.step("stop").unwrap();
    let (start, _) = plan.step("start").unwrap();
    plan.steps[stop.at()].hold = Some(Hold {
        release: vec![start],
        on_failure: HoldOnFailure::Keep,
        max_ms: None,
    });
    for of in plan
        .types
        .values_mut()
        .filter(|of| of.name == "postgres.dump")
    {
        of.kind = TypeKind::Record;
    }
    let mut t = Tape::begin(plan);
    t.ready();
    for (id, how) in [
        ("stop@quay01", HeldHow::Changed),
        ("stop@quay02", HeldHow::Already),
    ] {
        let node = t.node(id);
        t.finished(id, Outcome::Changed);
        t.add(Event::Held { node, how });
    }
    let node = t.node("dump@db01");
    let file = json!("/home/op/.local/state/runbook/runs/k3x9/record\u{7}.json");
    t.after(20_000).add(Event::Finished {
        node,
        outcome: Outcome::Changed,
        outputs: BTreeMap::from([("file".to_owned(), file)]),
    });
    t.close(RunResult::Succeeded);
    t
}

/// What is held after that is released by hand, in vain or not.
pub(crate) fn released(failure: Option<Failure>) -> Tape {
    let mut t = held();
    t.epoch = 2;
    t.open();
    t.add(Event::ReleaseAsked {
        nodes: vec![t.node("stop@quay03")],
        by: "op on laptop".into(),
        reason: "the change is off".into(),
        result: RunResult::Failed,
    });
    t.ready();
    t.undo_again("stop@quay03", 2, failure);
    t.close(RunResult::Failed);
    t
}

/// Somebody wants it to stop while something is taken back.
pub(crate) fn urged(mut tape: Tape) -> Tape {
    let last = tape
        .records
        .iter()
        .rposition(|r| matches!(r.event, Event::Undoing { .. }));
    tape.records.truncate(last.unwrap() + 1);
    tape.add(Event::Interrupted);
    tape
}

/// A run that went on without one host.
pub(crate) fn left_behind() -> Tape {
    let mut t = Tape::begin(plan());
    t.ready();
    t.point("phase survey");
    let finding = || Failure::new(FailureKind::Finding, "the disk is full");
    t.looking("survey@quay02", Purpose::Probe);
    t.finished("survey@quay02", Outcome::Left(finding()));
    let reason = "`survey@quay02` has failed".to_owned();
    t.finished("pull@quay02", Outcome::LeftOut { reason });
    t.looking("survey@quay01", Purpose::Probe);
    t.finished("survey@quay01", Outcome::Recorded(finding()));
    t.close(RunResult::Succeeded);
    t
}

impl Tape {
    fn undo(&mut self, id: &str, failure: Option<Failure>) {
        self.undo_again(id, 1, failure);
    }

    fn undo_again(&mut self, id: &str, number: u32, failure: Option<Failure>) {
        let node = self.node(id);
        let name = format!("undo-{}-{number}", id.replace('@', "-"));
        let attempt = AttemptId::new(name).unwrap();
        let host = self.plan.instance(node).unwrap().1.clone();
        self.add(Event::Undoing {
            node,
            attempt: attempt.clone(),
            number,
            boot: format!("boot-{host}"),
            host,
        });
        let end = match &failure {
            Some(failure) => AttemptEnd::Failed(failure.clone()),
            None => AttemptEnd::Completed {
                outputs: BTreeMap::new(),
            },
        };
        self.after(900).ended(&attempt, end);
        let well = failure.is_none();
        self.add(Event::Undone { node, failure });
        if well {
            let by = ReleasedBy::Undo;
            self.add(Event::Released { node, by });
        }
    }
}
