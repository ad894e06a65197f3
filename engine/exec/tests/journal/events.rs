//! Events for tests: one of each kind, and any at all.

use std::collections::BTreeMap;

use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use runbook_model::event::{
    AttemptEnd, Controller, HeldHow, Intent, NodeSummary, Purpose, ReleasedBy, StopReason, Verdict,
};
use runbook_model::gate::{Said, Terms};
use runbook_model::{
    AttemptId, Epoch, Event, Failure, FailureKind, HostName, NodeIx, Outcome, Record, RunId,
    RunResult, Value,
};
use serde_json::json;

pub(crate) fn host(name: &str) -> HostName {
    HostName::new(name).unwrap()
}

pub(crate) fn attempt(name: &str) -> AttemptId {
    AttemptId::new(name).unwrap()
}

pub(crate) fn controller() -> Controller {
    Controller {
        host: "laptop".into(),
        pid: 4711,
        user: "ada".into(),
        engine: "0.1.0".into(),
    }
}

/// Numbered from 1, one second apart.
pub(crate) fn records(events: impl IntoIterator<Item = Event>) -> Vec<Record> {
    let numbered = (1u64..).zip(events);
    numbered
        .map(|(seq, event)| Record {
            seq,
            epoch: Epoch(1),
            at: 1_800_000_000_000 + 1_000 * seq as i64,
            event,
        })
        .collect()
}

/// One event of every kind, with every form that matters to the format.
pub(crate) fn every_kind() -> Vec<Record> {
    let node = NodeIx(1);
    let outputs = BTreeMap::from([
        ("rows".to_owned(), json!(12)),
        ("load".to_owned(), json!(0.1)),
        (
            "list".to_owned(),
            json!([null, true, {"sum": "x\",\"sum\":\"00000000\"}"}]),
        ),
    ]);
    let before = BTreeMap::from([("now".to_owned(), "a\nb\u{1b}\u{0}ü".to_owned())]);
    let failure = Failure {
        kind: FailureKind::Apply,
        message: "no".into(),
        status: Some(3),
        tail: "x\n".into(),
    };
    let (a1, a2) = (attempt("a1"), attempt("a2"));
    records([
        Event::RunCreated {
            run: RunId::new("k3x9").unwrap(),
            runbook: "upgrade".into(),
            plan: "d1ge57".into(),
            nodes: vec![
                NodeSummary {
                    id: "begin".into(),
                    phase: "one".into(),
                    host: None,
                },
                NodeSummary {
                    id: "stop@quay01".into(),
                    phase: "one".into(),
                    host: Some(host("quay01")),
                },
            ],
        },
        Event::Opened {
            controller: controller(),
        },
        Event::HostReady {
            host: host("quay01"),
            boot: "b00t".into(),
            machine: "m".into(),
            clock_offset_ms: -250,
        },
        Event::HostUnusable {
            host: host("quay02"),
            problem: "no route".into(),
        },
        Event::VarTaken {
            name: "from".into(),
            value: json!("3.7.0"),
        },
        Event::Decided { node },
        Event::Looking {
            node,
            purpose: Purpose::Before,
        },
        Event::Looked {
            node,
            verdict: Verdict::Differs(vec!["runs".into(), "is old".into()]),
            outputs,
        },
        Event::Dispatched {
            unit: a1.clone(),
            instances: vec![Intent {
                node,
                attempt: a1.clone(),
                number: 1,
                before,
            }],
            host: host("quay01"),
            boot: "b00t".into(),
        },
        Event::Launched { unit: a1.clone() },
        Event::OverTime {
            attempt: a1.clone(),
        },
        Event::Ended {
            attempt: a1,
            end: AttemptEnd::Failed(failure.clone()),
        },
        Event::Doubted {
            attempt: a2.clone(),
            found: "rebooted".into(),
        },
        Event::Ended {
            attempt: a2.clone(),
            end: AttemptEnd::Lost,
        },
        Event::Ended {
            attempt: a2.clone(),
            end: AttemptEnd::Completed {
                outputs: BTreeMap::new(),
            },
        },
        Event::Pausing {
            node,
            until: 1_800_000_099_000,
            reason: "not up yet".into(),
        },
        Event::Asked {
            node,
            message: "Go on?".into(),
            shown: vec![("outage".into(), json!("10m"))],
            terms: Terms::default(),
        },
        Event::Answered {
            node,
            approved: true,
            by: "ada".into(),
            rollback: false,
        },
        Event::Finished {
            node,
            outcome: Outcome::Failed(failure),
            outputs: BTreeMap::new(),
        },
        Event::Reopened {
            node,
            reason: "resumed".into(),
        },
        Event::Finished {
            node,
            outcome: Outcome::Skipped {
                reason: "when".into(),
            },
            outputs: BTreeMap::new(),
        },
        Event::Stopping {
            reason: StopReason::Failure(node),
        },
        Event::Detached { running: vec![a2] },
        Event::Closed {
            result: RunResult::Failed,
        },
    ])
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        "[\\x00-\\x7f]{0,20}",
        Just(r#"","sum":"00000000"}"#.to_owned()),
        Just("\n".into())
    ]
}

fn value() -> impl Strategy<Value = Value> {
    let float =
        any::<f64>().prop_filter_map("JSON has finite numbers", serde_json::Number::from_f64);
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        float.prop_map(Value::Number),
        text().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::from),
            btree_map(text(), inner, 0..4).prop_map(|map| map.into_iter().collect()),
        ]
    })
}

fn values() -> impl Strategy<Value = BTreeMap<String, Value>> {
    btree_map(text(), value(), 0..4)
}

fn node() -> impl Strategy<Value = NodeIx> {
    any::<u32>().prop_map(NodeIx)
}

fn a_host() -> impl Strategy<Value = HostName> {
    "[a-zA-Z0-9][a-zA-Z0-9._-]{0,20}".prop_map(|t| host(&t))
}

fn an_attempt() -> impl Strategy<Value = AttemptId> {
    "[a-z][a-z0-9-]{0,20}".prop_map(|t| attempt(&t))
}

fn failure() -> impl Strategy<Value = Failure> {
    let kind = prop_oneof![
        Just(FailureKind::Check),
        Just(FailureKind::NotConverged),
        Just(FailureKind::InDoubt)
    ];
    (kind, text(), any::<Option<i32>>(), text()).prop_map(|(kind, message, status, tail)| Failure {
        kind,
        message,
        status,
        tail,
    })
}

fn verdict() -> impl Strategy<Value = Verdict> {
    prop_oneof![
        Just(Verdict::Satisfied),
        vec(text(), 0..3).prop_map(Verdict::Differs),
        text().prop_map(Verdict::Skipped),
        failure().prop_map(Verdict::Error),
    ]
}

fn end() -> impl Strategy<Value = AttemptEnd> {
    prop_oneof![
        values().prop_map(|outputs| AttemptEnd::Completed { outputs }),
        failure().prop_map(AttemptEnd::Failed),
        Just(AttemptEnd::NeverBegan),
        Just(AttemptEnd::Lost),
    ]
}

fn outcome() -> impl Strategy<Value = Outcome> {
    prop_oneof![
        Just(Outcome::Satisfied),
        Just(Outcome::Changed),
        Just(Outcome::Looked),
        Just(Outcome::Passed),
        text().prop_map(|reason| Outcome::Skipped { reason }),
        failure().prop_map(Outcome::Failed),
        failure().prop_map(Outcome::Recorded),
        failure().prop_map(Outcome::Left),
        text().prop_map(|reason| Outcome::LeftOut { reason }),
    ]
}

fn stop() -> impl Strategy<Value = StopReason> {
    prop_oneof![
        node().prop_map(StopReason::Failure),
        Just(StopReason::Interrupt),
        an_attempt().prop_map(StopReason::OverTime),
        a_host().prop_map(StopReason::Host),
        Just(StopReason::AlreadyThere),
        any::<u32>().prop_map(StopReason::Budget),
        any::<i64>().prop_map(StopReason::NotOpen),
        any::<i64>().prop_map(StopReason::WindowClosed),
    ]
}

fn created() -> impl Strategy<Value = Event> {
    let summary = (text(), text(), proptest::option::of(a_host()))
        .prop_map(|(id, phase, host)| NodeSummary { id, phase, host });
    ("[a-z0-9]{1,20}", text(), text(), vec(summary, 0..4)).prop_map(
        |(run, runbook, plan, nodes)| Event::RunCreated {
            run: RunId::new(run).unwrap(),
            runbook,
            plan,
            nodes,
        },
    )
}

fn opened() -> impl Strategy<Value = Event> {
    (text(), any::<u32>(), text(), text()).prop_map(|(host, pid, user, engine)| Event::Opened {
        controller: Controller {
            host,
            pid,
            user,
            engine,
        },
    })
}

fn dispatched() -> impl Strategy<Value = Event> {
    let intent = (
        node(),
        an_attempt(),
        any::<u32>(),
        btree_map(text(), text(), 0..3),
    )
        .prop_map(|(node, attempt, number, before)| Intent {
            node,
            attempt,
            number,
            before,
        });
    (an_attempt(), vec(intent, 0..3), a_host(), text()).prop_map(|(unit, instances, host, boot)| {
        Event::Dispatched {
            unit,
            instances,
            host,
            boot,
        }
    })
}

/// Any event, of any kind.
pub(crate) fn event() -> impl Strategy<Value = Event> {
    let purpose = prop_oneof![
        Just(Purpose::Before),
        Just(Purpose::After),
        Just(Purpose::Probe),
        Just(Purpose::Doubt)
    ];
    let result = prop_oneof![
        Just(RunResult::Succeeded),
        Just(RunResult::AlreadyThere),
        Just(RunResult::Failed),
        Just(RunResult::Refused),
        Just(RunResult::Stopped),
    ];
    let hosts = prop_oneof![
        (a_host(), text(), text(), any::<i64>()).prop_map(
            |(host, boot, machine, clock_offset_ms)| {
                Event::HostReady {
                    host,
                    boot,
                    machine,
                    clock_offset_ms,
                }
            }
        ),
        (a_host(), text()).prop_map(|(host, problem)| Event::HostUnusable { host, problem }),
    ];
    let nodes = prop_oneof![
        node().prop_map(|node| Event::Decided { node }),
        (node(), purpose).prop_map(|(node, purpose)| Event::Looking { node, purpose }),
        (node(), verdict(), values()).prop_map(|(node, verdict, outputs)| Event::Looked {
            node,
            verdict,
            outputs
        }),
        (node(), any::<i64>(), text()).prop_map(|(node, until, reason)| Event::Pausing {
            node,
            until,
            reason
        }),
        (node(), text(), vec((text(), value()), 0..3)).prop_map(|(node, message, shown)| {
            Event::Asked {
                node,
                message,
                shown,
                terms: Terms::Confirm("open".into()),
            }
        }),
        (node(), text(), text()).prop_map(|(node, word, by)| Event::Said {
            node,
            said: Said::Choice(word),
            by
        }),
        (node(), any::<bool>(), text(), any::<bool>()).prop_map(
            |(node, approved, by, rollback)| {
                Event::Answered {
                    node,
                    approved,
                    by,
                    rollback,
                }
            }
        ),
        (node(), outcome(), values()).prop_map(|(node, outcome, outputs)| Event::Finished {
            node,
            outcome,
            outputs
        }),
        (node(), text()).prop_map(|(node, reason)| Event::Reopened { node, reason }),
    ];
    let attempts = prop_oneof![
        dispatched(),
        an_attempt().prop_map(|unit| Event::Launched { unit }),
        (an_attempt(), end()).prop_map(|(attempt, end)| Event::Ended { attempt, end }),
        (an_attempt(), text()).prop_map(|(attempt, found)| Event::Doubted { attempt, found }),
        an_attempt().prop_map(|attempt| Event::OverTime { attempt }),
    ];
    let run = prop_oneof![
        created(),
        opened(),
        (text(), value()).prop_map(|(name, value)| Event::VarTaken { name, value }),
        stop().prop_map(|reason| Event::Stopping { reason }),
        vec(an_attempt(), 0..3).prop_map(|running| Event::Detached { running }),
        result.prop_map(|result| Event::Closed { result }),
    ];
    let by = prop_oneof![node().prop_map(ReleasedBy::Step), Just(ReleasedBy::Undo)];
    let how = prop_oneof![
        Just(HeldHow::Changed),
        Just(HeldHow::Already),
        Just(HeldHow::Partly)
    ];
    let holds = prop_oneof![
        (node(), how).prop_map(|(node, how)| Event::Held { node, how }),
        node().prop_map(|node| Event::HoldOver { node }),
        (node(), by).prop_map(|(node, by)| Event::Released { node, by }),
        (vec(node(), 0..3), text(), text()).prop_map(|(nodes, by, reason)| Event::ReleaseAsked {
            nodes,
            by,
            reason,
            result: RunResult::Failed
        }),
        (node(), an_attempt(), any::<u32>(), a_host(), text()).prop_map(
            |(node, attempt, number, host, boot)| Event::Undoing {
                node,
                attempt,
                number,
                host,
                boot
            }
        ),
        (node(), verdict()).prop_map(|(node, verdict)| Event::UndoLooked { node, verdict }),
        (node(), proptest::option::of(failure()))
            .prop_map(|(node, failure)| Event::Undone { node, failure }),
        Just(Event::Ending {
            result: RunResult::Succeeded
        }),
        Just(Event::Interrupted),
    ];
    // Boxed: all of them together are too large for a stack.
    prop_oneof![
        hosts.boxed(),
        nodes.boxed(),
        attempts.boxed(),
        run.boxed(),
        holds.boxed()
    ]
}
