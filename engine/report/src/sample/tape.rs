//! Runs of the sample plan, event by event; every one is legal by the table of transitions.

mod gates;
mod holds;
mod rests;

use std::collections::BTreeMap;

use runbook_model::event::{
    AttemptEnd, Controller, Intent, NodeSummary, Purpose, StopReason, Verdict,
};
use runbook_model::gate::Terms;
use runbook_model::{
    AttemptId, Epoch, Event, Failure, FailureKind, Millis, NodeIx, Outcome, Plan, Record, RunId,
    RunResult, RunState, Watcher,
};
use serde_json::json;

pub(crate) use gates::{asked, taken_back, to_be_taken_back};
pub(crate) use holds::{forgotten, held, left_behind, released, urged};
pub(crate) use rests::{failed_twice, looked_at, patient, reopened, unanswered};

use super::{host, plan};

/// 2026-11-22 19:00:00 UTC.
const BEGIN: Millis = 1_795_374_000_000;

/// A run: its plan and its records.
pub(crate) struct Tape {
    pub(crate) plan: Plan,
    pub(crate) records: Vec<Record>,
    now: Millis,
    epoch: u32,
}

impl Tape {
    pub(crate) fn begin(plan: Plan) -> Self {
        let mut tape = Self {
            plan,
            records: Vec::new(),
            now: BEGIN,
            epoch: 1,
        };
        let nodes = tape
            .plan
            .nodes
            .iter()
            .map(|n| NodeSummary {
                id: n.id.clone(),
                phase: String::new(),
                host: None,
            })
            .collect();
        let (runbook, digest) = (tape.plan.runbook.clone(), tape.plan.digest.clone());
        tape.add(Event::RunCreated {
            run: RunId::new("k3x9").unwrap(),
            runbook,
            plan: digest,
            nodes,
        });
        tape.open();
        tape
    }

    fn open(&mut self) {
        let controller = Controller {
            host: "laptop".into(),
            pid: 4711,
            user: "op".into(),
            engine: "0.1.0".into(),
        };
        self.add(Event::Opened { controller });
    }

    fn add(&mut self, event: Event) {
        let seq = self.records.len() as u64 + 1;
        self.records.push(Record {
            seq,
            epoch: Epoch(self.epoch),
            at: self.now,
            event,
        });
    }

    fn after(&mut self, ms: Millis) -> &mut Self {
        self.now += ms;
        self
    }

    fn node(&self, id: &str) -> NodeIx {
        self.plan.node(id).unwrap_or_else(|| panic!("no node {id}"))
    }

    fn ready(&mut self) {
        for (name, offset) in [
            ("db01", 0),
            ("quay01", 40),
            ("quay02", -3_100),
            ("quay03", 0),
        ] {
            let event = Event::HostReady {
                host: host(name),
                boot: format!("boot-{name}"),
                machine: format!("machine-{name}"),
                clock_offset_ms: offset,
            };
            self.add(event);
        }
    }

    fn point(&mut self, id: &str) {
        self.finished(id, Outcome::Passed);
    }

    fn finished(&mut self, id: &str, outcome: Outcome) {
        let node = self.node(id);
        self.add(Event::Finished {
            node,
            outcome,
            outputs: BTreeMap::new(),
        });
    }

    pub(crate) fn looking(&mut self, id: &str, purpose: Purpose) {
        let node = self.node(id);
        self.add(Event::Looking { node, purpose });
    }

    fn look(&mut self, id: &str, purpose: Purpose, verdict: Verdict) {
        let node = self.node(id);
        self.looking(id, purpose);
        self.after(200).add(Event::Looked {
            node,
            verdict,
            outputs: BTreeMap::new(),
        });
    }

    fn differs(&mut self, id: &str, purpose: Purpose, why: &str) {
        self.look(id, purpose, Verdict::Differs(vec![why.into()]));
    }

    fn dispatch(&mut self, id: &str, number: u32) -> AttemptId {
        let node = self.node(id);
        let name = format!("{}-{number}", id.replace(['@', '_'], "-"));
        let attempt = AttemptId::new(name).unwrap();
        let on = self.plan.instance(node).unwrap().1.clone();
        self.add(Event::Dispatched {
            unit: attempt.clone(),
            instances: vec![Intent {
                node,
                attempt: attempt.clone(),
                number,
                before: BTreeMap::new(),
            }],
            host: on.clone(),
            boot: format!("boot-{on}"),
        });
        self.after(50).add(Event::Launched {
            unit: attempt.clone(),
        });
        attempt
    }

    fn ended(&mut self, attempt: &AttemptId, end: AttemptEnd) {
        self.add(Event::Ended {
            attempt: attempt.clone(),
            end,
        });
    }

    fn probe(&mut self, id: &str) {
        self.look(id, Purpose::Probe, Verdict::Satisfied);
        self.finished(id, Outcome::Looked);
    }

    fn change(&mut self, id: &str, why: &str, took: Millis) {
        self.differs(id, Purpose::Before, why);
        let attempt = self.dispatch(id, 1);
        self.after(took).ended(
            &attempt,
            AttemptEnd::Completed {
                outputs: BTreeMap::new(),
            },
        );
        self.look(id, Purpose::After, Verdict::Satisfied);
        self.finished(id, Outcome::Changed);
    }

    fn no_change(&mut self, id: &str) {
        self.look(id, Purpose::Before, Verdict::Satisfied);
        self.finished(id, Outcome::Satisfied);
    }

    fn pause(&mut self, id: &str, ms: Millis, reason: &str) {
        let (node, until) = (self.node(id), self.now + ms);
        self.add(Event::Pausing {
            node,
            until,
            reason: reason.into(),
        });
        self.after(ms);
    }

    fn fail(&mut self, id: &str, failure: Failure) {
        let node = self.node(id);
        self.finished(id, Outcome::Failed(failure));
        self.add(Event::Stopping {
            reason: StopReason::Failure(node),
        });
    }

    fn close(&mut self, result: RunResult) {
        self.add(Event::Closed { result });
    }

    /// The phases before the gate, and the question.
    fn up_to_question(&mut self) {
        self.ready();
        self.point("phase survey");
        for id in ["survey@quay01", "survey@quay02", "survey@quay03"] {
            self.probe(id);
        }
        self.add(Event::VarTaken {
            name: "state".into(),
            value: json!("before"),
        });
        self.no_change("pull@quay01");
        self.differs("pull@quay02", Purpose::Before, "the image is not there");
        let first = self.dispatch("pull@quay02", 1);
        let failure = Failure {
            status: Some(125),
            ..Failure::new(FailureKind::Apply, "registry says 503")
        };
        self.after(2_300).ended(&first, AttemptEnd::Failed(failure));
        self.pause("pull@quay02", 5_000, "retry");
        self.differs("pull@quay02", Purpose::Before, "the image is not there");
        let second = self.dispatch("pull@quay02", 2);
        self.after(61_000).ended(
            &second,
            AttemptEnd::Completed {
                outputs: BTreeMap::new(),
            },
        );
        self.look("pull@quay02", Purpose::After, Verdict::Satisfied);
        self.finished("pull@quay02", Outcome::Changed);
        self.no_change("pull@quay03");
        self.point("end of phase survey");
        self.point("phase decide");
        let node = self.node("approve@control");
        let shown = vec![
            ("survey".into(), json!({ "version": "v3.7.0" })),
            ("size".into(), json!("12\u{1b}GiB")),
        ];
        self.add(Event::Asked {
            node,
            message: "All registry nodes stop.".into(),
            shown,
            terms: Terms::default(),
        });
    }

    fn answer(&mut self, approved: bool) {
        let node = self.node("approve@control");
        self.after(30_000).add(Event::Answered {
            node,
            approved,
            by: "op".into(),
            rollback: false,
        });
    }

    fn freeze(&mut self) {
        self.answer(true);
        self.point("approve@control");
        self.point("end of phase decide");
        self.point("phase freeze");
        self.change("stop@quay01", "the container runs", 3_000);
        self.no_change("stop@quay02");
        self.change("stop@quay03", "the container runs", 4_000);
        self.differs("dump@db01", Purpose::Before, "there is no dump of this run");
    }

    /// Shows the whole run to a watcher.
    pub(crate) fn play(&self, watcher: &mut dyn Watcher) {
        let mut state = RunState::default();
        for record in &self.records {
            state.apply(record).expect("the tape is legal");
            watcher.record(record, &self.plan, &state);
        }
    }

    /// What the records add up to.
    pub(crate) fn state(&self) -> RunState {
        let mut state = RunState::default();
        for record in &self.records {
            state.apply(record).expect("the tape is legal");
        }
        state
    }

    /// Cut in the middle of the dump.
    pub(crate) fn until_gate_passed(mut self) -> Self {
        let dump = self.node("dump@db01");
        let launched = self.records.iter().position(|r| match &r.event {
            Event::Dispatched { instances, .. } => instances[0].node == dump,
            _ => false,
        });
        self.records.truncate(launched.unwrap() + 2);
        self
    }
}

/// The first node never gets healthy, in the outage.
pub(crate) fn failed() -> Tape {
    let mut t = Tape::begin(plan());
    t.up_to_question();
    t.freeze();
    let dump = t.dispatch("dump@db01", 1);
    t.after(130_000).ended(
        &dump,
        AttemptEnd::Completed {
            outputs: BTreeMap::new(),
        },
    );
    t.look("dump@db01", Purpose::After, Verdict::Satisfied);
    t.finished("dump@db01", Outcome::Changed);
    t.point("end of phase freeze");
    t.point("phase first");
    for why in [
        "/health says 503",
        "/health says 503",
        "/health says 200, database false",
    ] {
        t.differs("healthy@quay01", Purpose::Probe, why);
        t.pause("healthy@quay01", 5_000, why);
    }
    t.differs("healthy@quay01", Purpose::Probe, "/health says nothing");
    let failure = Failure {
        status: Some(1),
        tail: (1..=14)
            .map(|n| format!("line {n}\t\x1b[31mTraceback\n"))
            .collect(),
        ..Failure::new(
            FailureKind::Fatal,
            "the container restarted 3 times\nlast: \x1b]0;exit 1",
        )
    };
    t.fail("healthy@quay01", failure);
    t.close(RunResult::Failed);
    t
}

/// A controller died while a dump ran; another goes on.
pub(crate) fn resumed() -> Tape {
    let mut t = failed().until_gate_passed();
    t.now += 3_600_000;
    t.epoch = 2;
    t.open();
    t.ready();
    let dump = AttemptId::new("dump-db01-1").unwrap();
    t.add(Event::Doubted {
        attempt: dump.clone(),
        found: "the host was booted since".into(),
    });
    t.ended(&dump, AttemptEnd::Lost);
    t.differs("dump@db01", Purpose::Doubt, "the dump is not complete");
    let again = t.dispatch("dump@db01", 2);
    t.add(Event::OverTime {
        attempt: again.clone(),
    });
    t.add(Event::Stopping {
        reason: StopReason::OverTime(again),
    });
    t.close(RunResult::Failed);
    t
}

/// Nobody approves.
pub(crate) fn refused() -> Tape {
    let mut t = Tape::begin(plan());
    t.up_to_question();
    t.answer(false);
    t.fail(
        "approve@control",
        Failure::new(FailureKind::Refused, "refused by op"),
    );
    t.close(RunResult::Refused);
    t
}

/// Ctrl-C in the dump, once or twice.
pub(crate) fn interrupted(detached: bool) -> Tape {
    let mut t = Tape::begin(plan());
    t.up_to_question();
    t.freeze();
    let dump = t.dispatch("dump@db01", 1);
    t.after(12_000).add(Event::Stopping {
        reason: StopReason::Interrupt,
    });
    if detached {
        t.after(800).add(Event::Detached {
            running: vec![dump],
        });
    } else {
        t.after(130_000).ended(
            &dump,
            AttemptEnd::Completed {
                outputs: BTreeMap::new(),
            },
        );
        t.look("dump@db01", Purpose::After, Verdict::Satisfied);
        t.finished("dump@db01", Outcome::Changed);
    }
    t.close(RunResult::Stopped);
    t
}

/// The window closes in the dump.
pub(crate) fn out_of_window() -> Tape {
    let mut t = interrupted(false);
    for record in &mut t.records {
        match &mut record.event {
            Event::Stopping { reason } => *reason = StopReason::WindowClosed(record.at),
            Event::Closed { result } => *result = RunResult::Refused,
            _ => {}
        }
    }
    t
}

/// Ctrl-C while a node is not healthy yet.
pub(crate) fn impatient() -> Tape {
    let mut t = failed();
    let last = t
        .records
        .iter()
        .rposition(|r| matches!(r.event, Event::Looking { .. }));
    t.records.truncate(last.unwrap() + 1);
    t.add(Event::Stopping {
        reason: StopReason::Interrupt,
    });
    t.close(RunResult::Stopped);
    t
}

/// Two hosts cannot be used at the start.
pub(crate) fn unreachable() -> Tape {
    let mut t = Tape::begin(plan());
    for (name, problem) in [
        ("quay02", "Connection refused"),
        ("db01", "sudo: a password is required\n"),
    ] {
        t.add(Event::HostUnusable {
            host: host(name),
            problem: problem.into(),
        });
    }
    t.add(Event::Stopping {
        reason: StopReason::Host(host("quay02")),
    });
    t.close(RunResult::Failed);
    t
}

/// The host of a dump was booted while it ran, and nothing can tell what became of it.
pub(crate) fn in_doubt() -> Tape {
    let mut t = failed().until_gate_passed();
    let dump = AttemptId::new("dump-db01-1").unwrap();
    t.add(Event::Doubted {
        attempt: dump,
        found: "the host was booted since".into(),
    });
    let failure = Failure::new(FailureKind::InDoubt, "the host was booted while it ran");
    t.fail("dump@db01", failure);
    t.close(RunResult::Failed);
    t
}
