//! The fold: what follows, and what is refused.

use super::*;
use crate::Outcome;
use crate::event::{Intent, NodeSummary, Purpose};

fn created() -> Event {
    let node = |id: &str| NodeSummary {
        id: id.into(),
        phase: "one".into(),
        host: None,
    };
    Event::RunCreated {
        run: RunId::new("r1").unwrap(),
        runbook: "test".into(),
        plan: "digest".into(),
        nodes: vec![node("a@h"), node("b@h")],
    }
}

fn fold(events: Vec<Event>) -> Result<RunState, FoldError> {
    let mut state = RunState::default();
    for (seq, event) in (1..).zip(events) {
        state.apply(&Record {
            seq,
            epoch: Epoch(1),
            at: 1_000 + seq as i64,
            event,
        })?;
    }
    Ok(state)
}

fn opened() -> Event {
    let controller = Controller {
        host: "c".into(),
        pid: 1,
        user: "u".into(),
        engine: "0".into(),
    };
    Event::Opened { controller }
}

fn dispatched(attempt: &str) -> Event {
    let attempt = AttemptId::new(attempt).unwrap();
    Event::Dispatched {
        unit: attempt.clone(),
        instances: vec![Intent {
            node: NodeIx(0),
            attempt,
            number: 1,
            before: BTreeMap::new(),
        }],
        host: HostName::new("h").unwrap(),
        boot: "b".into(),
    }
}

#[test]
fn an_open_attempt_survives_a_new_controller() {
    let looked = Event::Looked {
        node: NodeIx(0),
        verdict: Verdict::Differs(vec!["missing".into()]),
        outputs: BTreeMap::new(),
    };
    let looking = Event::Looking {
        node: NodeIx(0),
        purpose: Purpose::Before,
    };
    let state = fold(vec![
        created(),
        opened(),
        looking,
        looked,
        dispatched("a1"),
        opened(),
    ])
    .unwrap();
    assert_eq!(state.nodes[0].stage, Stage::Intended);
    assert_eq!(state.open_attempts().count(), 1);
}

#[test]
fn a_look_does_not_survive_a_new_controller() {
    let looking = Event::Looking {
        node: NodeIx(0),
        purpose: Purpose::Before,
    };
    let state = fold(vec![created(), opened(), looking, opened()]).unwrap();
    assert_eq!(state.nodes[0].stage, Stage::Waiting);
}

#[test]
fn an_effect_without_an_intent_is_refused() {
    let unit = AttemptId::new("a1").unwrap();
    let error = fold(vec![created(), opened(), Event::Launched { unit }]).unwrap_err();
    assert_eq!(
        error,
        FoldError::Unknown {
            seq: 3,
            what: "unit a1".into()
        }
    );
}

#[test]
fn an_attempt_id_is_never_used_twice() {
    let end = Event::Ended {
        attempt: AttemptId::new("a1").unwrap(),
        end: AttemptEnd::NeverBegan,
    };
    assert!(
        fold(vec![
            created(),
            opened(),
            dispatched("a1"),
            end,
            dispatched("a1")
        ])
        .is_err()
    );
}

#[test]
fn what_was_before_the_first_attempt_stays_through_generations() {
    let with = |attempt: &str, text: &str| match dispatched(attempt) {
        Event::Dispatched {
            unit,
            mut instances,
            host,
            boot,
        } => {
            instances[0].before = BTreeMap::from([("state".to_owned(), text.to_owned())]);
            Event::Dispatched {
                unit,
                instances,
                host,
                boot,
            }
        }
        other => other,
    };
    let failure = crate::Failure::new(crate::FailureKind::Apply, "half done");
    let end = AttemptEnd::Failed(failure.clone());
    let events = vec![
        created(),
        opened(),
        with("a1", "old"),
        Event::Ended {
            attempt: AttemptId::new("a1").unwrap(),
            end,
        },
        Event::Finished {
            node: NodeIx(0),
            outcome: Outcome::Failed(failure),
            outputs: BTreeMap::new(),
        },
        Event::Reopened {
            node: NodeIx(0),
            reason: "failed before".into(),
        },
        with("a2", "half"),
    ];
    let state = fold(events).unwrap();
    assert_eq!(state.nodes[0].before["state"], "old");
    assert_eq!(state.nodes[0].generation, 2);
}

#[test]
fn an_older_controller_is_refused() {
    let mut state = fold(vec![created(), opened()]).unwrap();
    let late = Record {
        seq: 3,
        epoch: Epoch(0),
        at: 0,
        event: opened(),
    };
    assert!(matches!(
        state.apply(&late),
        Err(FoldError::OldEpoch { .. })
    ));
    assert_eq!(state.seq, 2);
}

#[test]
fn a_gap_is_refused() {
    let mut state = fold(vec![created()]).unwrap();
    let late = Record {
        seq: 3,
        epoch: Epoch(1),
        at: 0,
        event: opened(),
    };
    assert_eq!(state.apply(&late), Err(FoldError::Gap { after: 1, got: 3 }));
}

fn undoing(attempt: &str) -> Event {
    Event::Undoing {
        node: NodeIx(0),
        attempt: AttemptId::new(attempt).unwrap(),
        number: 1,
        host: HostName::new("h").unwrap(),
        boot: "b".into(),
    }
}

fn held(how: crate::event::HeldHow) -> Event {
    Event::Held {
        node: NodeIx(0),
        how,
    }
}

#[test]
fn an_undo_goes_its_own_way_beside_its_node() {
    use crate::event::{HeldHow, ReleasedBy};
    let node = NodeIx(0);
    let attempt = AttemptId::new("u1").unwrap();
    let mut events = vec![
        created(),
        opened(),
        Event::Finished {
            node,
            outcome: Outcome::Changed,
            outputs: BTreeMap::new(),
        },
        held(HeldHow::Changed),
        undoing("u1"),
    ];
    let state = fold(events.clone()).unwrap();
    assert_eq!(state.nodes[0].stage, Stage::Done);
    assert_eq!(state.undos[&node].stage, Stage::Intended);
    assert!(state.attempts[&attempt].undo);
    assert_eq!(state.attempts_of(node).count(), 1);
    events.extend([
        Event::Launched {
            unit: attempt.clone(),
        },
        Event::Ended {
            attempt,
            end: AttemptEnd::Completed {
                outputs: BTreeMap::new(),
            },
        },
        Event::Looking {
            node,
            purpose: Purpose::Undo,
        },
        Event::UndoLooked {
            node,
            verdict: Verdict::Differs(Vec::new()),
        },
        Event::Undone {
            node,
            failure: None,
        },
        Event::Released {
            node,
            by: ReleasedBy::Undo,
        },
    ]);
    let state = fold(events.clone()).unwrap();
    assert_eq!(state.held().count(), 0);
    assert_eq!(state.nodes[0].outcome, Some(Outcome::Changed));
    assert!(state.nodes[0].taken_back);
    let mut again = events.clone();
    again.push(Event::Reopened {
        node,
        reason: "what it held was released".into(),
    });
    assert!(!fold(again).unwrap().nodes[0].taken_back);
    // The next one begins anew, whatever became of this one.
    events.push(undoing("u2"));
    assert_eq!(fold(events).unwrap().undos[&node].attempts.len(), 1);
}

#[test]
fn an_undo_cannot_end_before_it_has_begun() {
    let looked = Event::UndoLooked {
        node: NodeIx(0),
        verdict: Verdict::Satisfied,
    };
    assert!(matches!(
        fold(vec![created(), opened(), looked]),
        Err(FoldError::Illegal { .. })
    ));
    let released = Event::HoldOver { node: NodeIx(1) };
    assert!(matches!(
        fold(vec![created(), opened(), released]),
        Err(FoldError::Unknown { .. })
    ));
}

#[test]
fn a_hold_that_goes_on_keeps_its_begin() {
    use crate::event::HeldHow;
    let state = fold(vec![
        created(),
        opened(),
        held(HeldHow::Partly),
        Event::HoldOver { node: NodeIx(0) },
        held(HeldHow::Changed),
    ])
    .unwrap();
    let hold = &state.holds[&NodeIx(0)];
    assert_eq!((hold.since, hold.over), (1_003, true));
    assert_eq!(hold.how, HeldHow::Changed);
}

#[test]
fn what_could_not_be_taken_back_is_not_taken_back() {
    let failure = crate::Failure::new(crate::FailureKind::Apply, "no");
    let attempt = AttemptId::new("u1").unwrap();
    let state = fold(vec![
        created(),
        opened(),
        undoing("u1"),
        Event::Ended {
            attempt,
            end: AttemptEnd::Failed(failure.clone()),
        },
        Event::Undone {
            node: NodeIx(0),
            failure: Some(failure),
        },
    ])
    .unwrap();
    assert!(!state.nodes[0].taken_back);
}

#[test]
fn an_interrupt_is_forgotten_by_the_next_controller() {
    let mut events = vec![created(), opened(), Event::Interrupted];
    assert!(fold(events.clone()).unwrap().interrupted);
    events.push(opened());
    assert!(!fold(events).unwrap().interrupted);
}

#[test]
fn an_ending_is_remembered_until_it_is_closed() {
    let ending = Event::Ending {
        result: RunResult::Failed,
    };
    let closed = Event::Closed {
        result: RunResult::Failed,
    };
    let state = fold(vec![created(), opened(), ending.clone(), opened()]).unwrap();
    assert_eq!(state.ending, Some((RunResult::Failed, Epoch(1))));
    let state = fold(vec![created(), opened(), ending, closed, opened()]).unwrap();
    assert_eq!(state.ending, None);
}

/// The run goes on with `c@h` in front of `a@h` and without `b@h`.
fn edited(again: bool) -> Event {
    use crate::event::{AgainNode, EditedPlan};
    let node = |id: &str| NodeSummary {
        id: id.into(),
        phase: "one".into(),
        host: None,
    };
    let edit = EditedPlan {
        number: 2,
        plan: "another".into(),
        nodes: vec![node("c@h"), node("a@h")],
        kept: if again {
            Vec::new()
        } else {
            vec![(NodeIx(0), NodeIx(1))]
        },
        again: again
            .then_some(AgainNode {
                from: NodeIx(0),
                node: NodeIx(1),
                decided: false,
                anew: true,
            })
            .into_iter()
            .collect(),
        ..EditedPlan::default()
    };
    Event::Edited {
        by: "ada".into(),
        edit: Box::new(edit),
    }
}

fn done_once() -> Vec<Event> {
    let attempt = AttemptId::new("a1").unwrap();
    vec![
        created(),
        opened(),
        dispatched("a1"),
        Event::Ended {
            attempt,
            end: AttemptEnd::Completed {
                outputs: BTreeMap::new(),
            },
        },
        Event::Finished {
            node: NodeIx(0),
            outcome: Outcome::Changed,
            outputs: BTreeMap::new(),
        },
        held(crate::event::HeldHow::Changed),
        Event::Released {
            node: NodeIx(0),
            by: crate::event::ReleasedBy::Step(NodeIx(1)),
        },
        opened(),
    ]
}

#[test]
fn what_is_kept_has_another_number_and_is_as_it_was() {
    let mut events = done_once();
    let before = fold(events.clone()).unwrap();
    events.push(edited(false));
    let state = fold(events).unwrap();
    assert_eq!(state.nodes[1].outcome, before.nodes[0].outcome);
    assert!(state.nodes[1].has_acted() && state.nodes[0].stage == Stage::Waiting);
    let ids: Vec<_> = state
        .attempts_of(NodeIx(1))
        .map(|(id, _)| id.as_str())
        .collect();
    assert_eq!(ids, ["a1"]);
    assert_eq!(state.attempts_of(NodeIx(0)).count(), 0);
    // Whoever released it is gone; it is released all the same.
    let by = state.holds[&NodeIx(1)].released.map(|(_, by)| by);
    assert_eq!(by, Some(crate::event::ReleasedBy::Past));
    assert_eq!((state.plan.as_str(), state.plan_number), ("another", 2));
    assert!(state.gone.is_empty());
}

#[test]
fn what_was_done_with_other_values_is_history() {
    let mut events = done_once();
    events.push(edited(true));
    let state = fold(events.clone()).unwrap();
    let n = &state.nodes[1];
    assert_eq!(
        (n.stage, n.generation, n.has_acted()),
        (Stage::Waiting, 2, false)
    );
    assert!(state.attempts.is_empty() && state.by_unit.is_empty());
    assert_eq!(state.all_attempts().count(), 1);
    assert!(state.gone[0].acted && state.gone[0].changed && state.gone[0].began());
    // Not twice, and not while something may still run.
    events.push(edited(true));
    assert!(fold(events).is_err());
    let open = vec![
        created(),
        opened(),
        dispatched("a1"),
        opened(),
        edited(true),
    ];
    assert!(matches!(fold(open), Err(FoldError::Unknown { .. })));
}
