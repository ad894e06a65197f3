//! What a change of the files means, case by case: each against a run that stands somewhere.
#![allow(clippy::unwrap_used, reason = "a test helper")]

use runbook_exec::edited::{Edit, EditError, Refusal, compare};
use runbook_exec::world::{Behaviour, Ending, Sketch, World};
use runbook_model::edit::{Fate, Reason};
use runbook_model::event::HeldHow;
use runbook_model::state::FoldError;
use runbook_model::step::{Expr, Hold, HoldOnFailure, Retry};
use runbook_model::step_type::{InDoubt, TypeKind};
use runbook_model::{
    Command, Event, HostName, NodeIx, NodeKind, Outcome, Plan, RunResult, RunState, Value,
};

/// A run with this plan that stands where `broken` never works.
fn stands(sketch: &Sketch, broken: Option<NodeIx>) -> World {
    let plan = sketch.clone().done();
    let mut behaviours = vec![Behaviour::default(); plan.nodes.len()];
    if let Some(node) = broken {
        behaviours[node.at()].broken = true;
    }
    let mut world = World::new(plan, behaviours, 1);
    let wanted = match broken {
        Some(_) => RunResult::Failed,
        None => RunResult::Succeeded,
    };
    assert_eq!(world.run(), Ending::Closed(wanted));
    world
}

fn tagged(sketch: &Sketch, node: NodeIx) -> Plan {
    let mut other = sketch.clone();
    other
        .step(node)
        .with
        .insert("tag".into(), Value::from("v2"));
    other.done()
}

fn state(world: &World) -> RunState {
    world.state().unwrap()
}

fn edit(world: &World, new: &Plan) -> Edit {
    compare(&world.plan, new, &state(world), None).unwrap()
}

fn refused(world: &World, new: &Plan) -> Vec<Refusal> {
    match compare(&world.plan, new, &state(world), None) {
        Err(EditError::Refused(reasons)) => reasons,
        other => panic!("it was not refused: {other:?}"),
    }
}

fn fate<'a>(edit: &'a Edit, id: &str) -> &'a Fate {
    let mut rows = edit.comparison.rows.iter();
    &rows.find(|row| row.id == id).unwrap().fate
}

fn again(edit: &Edit) -> Vec<(&str, Vec<Reason>)> {
    let rows = edit.comparison.rows.iter();
    rows.filter_map(|row| match &row.fate {
        Fate::Again { reasons, .. } => Some((row.id.as_str(), reasons.clone())),
        _ => None,
    })
    .collect()
}

/// `look` and `assert` need `first`, a gate comes behind all of them, and the last never works.
struct Chain {
    sketch: Sketch,
    first: NodeIx,
    other: NodeIx,
    look: NodeIx,
    gate: NodeIx,
    last: NodeIx,
}

fn chain() -> Chain {
    let mut sketch = Sketch::new();
    let begin = sketch.phase("one", false);
    let first = sketch.ordinary("first", "h1");
    let other = sketch.ordinary("other", "h1");
    let look = sketch.probe("look", "h1");
    let assert = sketch.instance("claim", "control", TypeKind::Assert, InDoubt::Check);
    let point = sketch.barrier("after all");
    let gate = sketch.instance("ask", "control", TypeKind::Gate, InDoubt::Check);
    let last = sketch.ordinary("last", "h1");
    sketch.order(begin, first);
    sketch.requires(first, other);
    sketch.requires(other, look);
    sketch.requires(first, look);
    sketch.requires(look, assert);
    sketch.order(assert, point);
    sketch.order(other, point);
    sketch.order(point, gate);
    sketch.order(gate, last);
    Chain {
        sketch,
        first,
        other,
        look,
        gate,
        last,
    }
}

#[test]
fn what_only_looks_follows_and_a_gate_is_asked_again() {
    let of = chain();
    let world = stands(&of.sketch, Some(of.last));
    let made = edit(&world, &tagged(&of.sketch, of.first));
    let tag = Reason::Param("tag".into());
    assert_eq!(
        again(&made),
        [
            ("first@h1", vec![tag]),
            ("look@h1", vec![Reason::Needs("first@h1".into())]),
            ("claim@control", vec![Reason::Needs("look@h1".into())]),
            ("ask@control", vec![Reason::Behind("first@h1".into())]),
        ]
    );
    // What changes something keeps its result, and the point behind is passed again.
    assert!(matches!(fate(&made, "other@h1"), Fate::Reused { .. }));
    let points: Vec<_> = made
        .event
        .again
        .iter()
        .map(|a| made.plan.nodes[a.node.at()].id.as_str())
        .collect();
    assert!(points.contains(&"after all"), "{points:?}");
}

#[test]
fn what_does_not_count_is_no_change() {
    let of = chain();
    let world = stands(&of.sketch, Some(of.last));
    let mut other = of.sketch.clone();
    for node in [of.first, of.other, of.look, of.gate] {
        let step = other.step(node);
        step.retry = Retry {
            attempts: 9,
            ..Retry::default()
        };
        step.timeout_ms = Some(1);
        step.tags.push("slow".into());
        step.critical = true;
    }
    other
        .step(of.gate)
        .with
        .insert("message".into(), Value::from("Shall we?"));
    for of_type in other.plan().types.values_mut() {
        of_type.digest = "another engine".into();
        of_type.summary = "better words".into();
        of_type.apply_timeout_ms += 1;
        of_type.scripts.undo += "# mended";
    }
    assert_eq!(again(&edit(&world, &other.done())), []);
}

#[test]
fn what_a_step_does_counts_with_its_place_and_its_condition() {
    let of = chain();
    let world = stands(&of.sketch, Some(of.last));
    let reasons = |change: &dyn Fn(&mut Sketch)| {
        let mut other = of.sketch.clone();
        change(&mut other);
        let made = edit(&world, &other.done());
        let mut all = again(&made);
        all.retain(|(id, _)| *id == "other@h1");
        all.pop().map(|(_, reasons)| reasons)
    };
    let expr = |text: &str| {
        Some(Expr {
            text: text.into(),
            place: Default::default(),
        })
    };
    let found = [
        reasons(&|s| s.step(of.other).when = expr("inputs.x")),
        reasons(&|s| s.step(of.other).expect = expr("outputs.x")),
        reasons(&|s| s.step(of.other).chdir = expr("/srv")),
        reasons(&|s| {
            s.plan()
                .types
                .values_mut()
                .for_each(|t| t.scripts.apply += "more")
        }),
        reasons(&|s| {
            let host = s
                .plan()
                .hosts
                .get_mut(&HostName::new("h1").unwrap())
                .unwrap();
            host.connection.address = "192.0.2.7".into();
        }),
        reasons(&|s| {
            if let NodeKind::Instance { account, .. } = &mut s.plan().nodes[of.other.at()].kind {
                *account = Some(runbook_model::Account::Sudo("root".into()));
            }
        }),
    ];
    let wanted = [
        Reason::When,
        Reason::Expect,
        Reason::Chdir,
        Reason::Type,
        Reason::Address(HostName::new("h1").unwrap()),
        Reason::Account,
    ];
    assert_eq!(found, wanted.map(|reason| Some(vec![reason])));
}

#[test]
fn a_record_of_how_things_were_is_never_taken_again() {
    let mut of = chain();
    of.sketch.step(of.look).once = true;
    let world = stands(&of.sketch, Some(of.last));
    let made = edit(&world, &tagged(&of.sketch, of.look));
    assert!(matches!(fate(&made, "look@h1"), Fate::Stays { changed, .. } if !changed.is_empty()));
    let made = edit(&world, &tagged(&of.sketch, of.first));
    assert!(matches!(fate(&made, "look@h1"), Fate::Reused { .. }));
}

#[test]
fn work_that_is_done_does_not_let_the_rest_pass() {
    // first → other → more: `other` is done, and `more`, which is new, still comes after `first`.
    let of = chain();
    let world = stands(&of.sketch, Some(of.last));
    let mut other = of.sketch.clone();
    let more = other.ordinary("more", "h1");
    other.requires(of.other, more);
    other
        .step(of.first)
        .with
        .insert("tag".into(), Value::from("v2"));
    let made = edit(&world, &other.clone().done());
    let added = made
        .plan
        .edges
        .iter()
        .find(|e| e.from == of.first && e.to == more);
    let added = added.expect("the order between them is in the plan");
    assert_eq!(added.kind, runbook_model::EdgeKind::Requires);
    assert_ne!(made.plan.digest, other.done().digest);
    assert_eq!(made.event.plan, made.plan.digest);
}

#[test]
fn what_is_gone_is_told_and_its_attempts_stay_known() {
    let of = chain();
    let mut world = stands(&of.sketch, Some(of.last));
    let mut other = of.sketch.clone();
    other.plan().nodes[of.other.at()].id = "renamed@h1".into();
    let made = edit(&world, &other.done());
    assert!(matches!(
        fate(&made, "other@h1"),
        Fate::Gone {
            leaves: true,
            outcome: Some(Outcome::Changed),
            ..
        }
    ));
    assert!(matches!(fate(&made, "renamed@h1"), Fate::New));
    let before = state(&world).all_attempts().count();
    let behaviours = vec![Behaviour::default(); made.plan.nodes.len()];
    world.edit(made, behaviours, Default::default()).unwrap();
    let after = state(&world);
    assert_eq!(after.all_attempts().count(), before);
    assert_eq!(after.gone.len(), 1);
    assert!(after.gone[0].acted && !after.gone[0].changed);
    assert_eq!(after.plan_number, 2);
    assert_eq!(world.run(), Ending::Closed(RunResult::Succeeded));
}

#[test]
fn what_was_captured_for_other_values_counts_no_more() {
    let of = chain();
    let mut world = stands(&of.sketch, Some(of.last));
    let made = edit(&world, &tagged(&of.sketch, of.first));
    let behaviours = vec![Behaviour::default(); made.plan.nodes.len()];
    world.edit(made, behaviours, Default::default()).unwrap();
    let after = state(&world);
    assert!(!after.nodes[of.first.at()].has_acted());
    assert!(after.nodes[of.other.at()].has_acted());
    assert!(
        after
            .gone
            .iter()
            .all(|gone| gone.changed && gone.id == "first@h1")
    );
    assert_eq!(world.run(), Ending::Closed(RunResult::Succeeded));
}

#[test]
fn a_run_that_may_not_be_changed_says_why() {
    let of = chain();
    let over = stands(&of.sketch, None);
    assert_eq!(
        refused(&over, &tagged(&of.sketch, of.first)),
        [Refusal::Over]
    );
    let world = World::new(of.sketch.clone().done(), vec![Behaviour::default(); 8], 1);
    assert_eq!(
        refused(&world, &tagged(&of.sketch, of.first)),
        [Refusal::NotBegun]
    );
    let world = stands(&of.sketch, Some(of.last));
    let mut other = of.sketch.clone();
    other.plan().runbook = "another".into();
    assert!(matches!(
        refused(&world, &other.done())[..],
        [Refusal::OtherRunbook(..)]
    ));
    let mut other = of.sketch.clone();
    other.done_when();
    assert_eq!(refused(&world, &other.done()), [Refusal::NewDoneWhen]);
}

#[test]
fn what_was_decided_of_done_when_stays_decided() {
    let mut sketch = Sketch::new();
    let begin = sketch.phase("one", false);
    let done = sketch.done_when();
    let last = sketch.ordinary("last", "h1");
    sketch.order(begin, last);
    sketch.order(done, last);
    let world = stands(&sketch, Some(last));
    let mut other = sketch.clone();
    other.plan().done_when.as_mut().unwrap().text = "another".into();
    assert_eq!(refused(&world, &other.done()), [Refusal::DoneWhen]);
}

#[test]
fn what_is_under_way_is_decided_first() {
    let of = chain();
    let mut sketch = of.sketch.clone();
    sketch.plan().digest = "other".into();
    let plan = of.sketch.clone().done();
    let mut world = World::new(
        plan.clone(),
        vec![Behaviour::default(); plan.nodes.len()],
        1,
    );
    let mut fork = None;
    world.run_watched(&mut |world| {
        let state = world.state().unwrap();
        if fork.is_none()
            && state
                .open_attempts()
                .any(|(_, a)| a.node == of.first && a.launched)
        {
            fork = Some(world.fork_whole());
        }
    });
    let world = fork.unwrap();
    let open = vec![Refusal::Open("first@h1".into())];
    assert_eq!(refused(&world, &tagged(&of.sketch, of.first)), open);
    let mut renamed = of.sketch.clone();
    renamed.plan().nodes[of.first.at()].id = "renamed@h1".into();
    assert_eq!(refused(&world, &renamed.done()), open);
    // Something else may change: what runs is gone on with.
    let made = edit(&world, &tagged(&of.sketch, of.last));
    assert!(matches!(
        fate(&made, "first@h1"),
        Fate::GoesOn { begun: true, .. }
    ));
    assert!(matches!(
        fate(&made, "last@h1"),
        Fate::Changed { leaves: false, .. }
    ));
}

fn holding(release: bool) -> (Sketch, NodeIx, NodeIx) {
    let mut sketch = Sketch::new();
    let begin = sketch.phase("one", false);
    let freeze = sketch.ordinary("freeze", "h1");
    let last = sketch.ordinary("last", "h1");
    let thaw = sketch.ordinary("thaw", "h1");
    let step = sketch.step_ix(thaw);
    sketch.order(begin, freeze);
    sketch.requires(freeze, last);
    sketch.requires(last, thaw);
    sketch.step(freeze).hold = Some(Hold {
        release: if release { vec![step] } else { Vec::new() },
        on_failure: HoldOnFailure::Keep,
        max_ms: None,
    });
    (sketch, freeze, last)
}

#[test]
fn a_hold_is_never_lost() {
    let (sketch, freeze, last) = holding(true);
    let world = stands(&sketch, Some(last));
    let held = state(&world);
    assert!(
        held.held()
            .any(|(node, hold)| node == freeze && hold.how == HeldHow::Changed)
    );
    let with = |change: &dyn Fn(&mut Sketch)| {
        let mut other = sketch.clone();
        change(&mut other);
        refused(&world, &other.done())
    };
    let id = || "freeze@h1".to_owned();
    assert_eq!(
        with(&|s| s.step(freeze).hold = None),
        [Refusal::HoldLost(id())]
    );
    assert_eq!(
        with(&|s| {
            s.plan().nodes.pop();
            s.plan().edges.retain(|e| e.to.at() < 3);
        }),
        [Refusal::HoldLost(id())]
    );
    assert_eq!(
        with(&|s| s.plan().nodes[freeze.at()].id = "renamed@h1".into()),
        [Refusal::HoldGone(id())]
    );
    let changed = with(&|s| {
        s.step(freeze).with.insert("tag".into(), Value::from("v2"));
    });
    assert_eq!(changed, [Refusal::HoldChanged(id())]);
    // Held to the end of the run instead: that is a way out.
    let mut other = sketch.clone();
    other.step(freeze).hold.as_mut().unwrap().release.clear();
    assert!(matches!(
        fate(&edit(&world, &other.done()), "freeze@h1"),
        Fate::Reused { .. }
    ));
}

#[test]
fn a_host_that_is_out_of_the_run_stays_out() {
    let mut sketch = Sketch::new();
    let begin = sketch.phase("one", false);
    let first = sketch.ordinary("first", "h1");
    let last = sketch.ordinary("last", "control");
    sketch.order(begin, first);
    sketch.order(first, last);
    let mut world = stands(&sketch, Some(last));
    let host = HostName::new("h1").unwrap();
    world.leave(0, Command::Exclude { host });
    assert_eq!(world.run(), Ending::Closed(RunResult::Failed));
    let mut other = sketch.clone();
    let more = other.ordinary("more", "h1");
    other.order(last, more);
    let made = edit(&world, &other.done());
    assert_eq!(fate(&made, "more@h1"), &Fate::Excluded);
    let behaviours = vec![Behaviour::default(); made.plan.nodes.len()];
    world.edit(made, behaviours, Default::default()).unwrap();
    assert_eq!(world.run(), Ending::Closed(RunResult::Succeeded));
    let outcome = &state(&world).nodes[more.at()].outcome;
    assert!(matches!(outcome, Some(Outcome::Excluded { .. })));
    // In its turn: what waits for it still waits for what is before it.
    let ends = world.journal.iter().filter_map(|r| match &r.event {
        Event::Finished { node, .. } => Some(*node),
        _ => None,
    });
    let ends: Vec<NodeIx> = ends.collect();
    assert_eq!(ends[ends.len() - 2..], [last, more]);
}

#[test]
fn a_change_that_does_not_fit_the_journal_is_no_change() {
    let of = chain();
    let mut world = stands(&of.sketch, Some(of.last));
    let before = state(&world);
    for damage in [
        &(|edit: &mut Edit| edit.event.number = 3) as &dyn Fn(&mut Edit),
        &|edit| edit.event.kept.push((NodeIx(99), NodeIx(0))),
        &|edit| edit.event.kept.push(edit.event.kept[0]),
    ] {
        let mut made = edit(&world, &tagged(&of.sketch, of.first));
        damage(&mut made);
        let event = Event::Edited {
            by: String::new(),
            edit: Box::new(made.event),
        };
        let mut state = before.clone();
        let record = runbook_model::Record {
            seq: state.seq + 1,
            epoch: state.epoch,
            at: 0,
            event,
        };
        assert!(matches!(
            state.apply(&record),
            Err(FoldError::Unknown { .. })
        ));
        assert_eq!(state, before);
    }
    assert_eq!(world.run(), Ending::Closed(RunResult::Failed));
}
