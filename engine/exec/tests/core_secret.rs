//! Secret outputs are in no journal: a later controller has them again before a reader starts.
#![allow(clippy::unwrap_used, reason = "a test helper")]

mod core_bench;

use core_bench::{Bench, fail, problem, satisfied, undo_it};
use runbook_exec::dispatcher::Action;
use runbook_exec::world::Sketch;
use runbook_model::event::{Purpose, Verdict};
use runbook_model::step_type::{InDoubt, Output, Shape, TypeKind};
use runbook_model::transition::Stage;
use runbook_model::{FailureKind, NodeIx, RunResult};

/// The type of this step has a secret output.
fn give_secret(sketch: &mut Sketch, node: NodeIx) {
    let output = Output {
        shape: Shape::String,
        secret: true,
        help: String::new(),
    };
    let uses = sketch.step(node).uses.clone();
    let of = sketch.plan().types.get_mut(&uses).unwrap();
    of.outputs.insert("token".into(), output);
}

/// A probe with a secret output, a gate, and a step that reads the probe.
fn bench() -> (Bench, [NodeIx; 3]) {
    let mut sketch = Sketch::new();
    let token = sketch.probe("token", "h1");
    let gate = sketch.instance("gate", "control", TypeKind::Gate, InDoubt::Check);
    let reader = sketch.ordinary("reader", "h2");
    sketch.requires(token, reader);
    sketch.order(gate, reader);
    give_secret(&mut sketch, token);
    let mut bench = Bench::open(sketch);
    ready(&mut bench);
    bench.looked(token, satisfied());
    (bench, [token, gate, reader])
}

fn ready(bench: &mut Bench) {
    ["h1", "h2", "control"].iter().for_each(|h| bench.ready(h));
}

fn derives(bench: &Bench) -> usize {
    let derive = |a: &&Action| {
        matches!(
            a,
            Action::Look {
                purpose: Purpose::Derive,
                ..
            }
        )
    };
    bench.actions().iter().filter(derive).count()
}

#[test]
fn whoever_looked_has_them() {
    let (mut bench, [_, gate, reader]) = bench();
    bench.answered(gate, true);
    assert_eq!(bench.looking(reader), Some(Purpose::Before));
    assert_eq!(derives(&bench), 0);
}

#[test]
fn a_later_controller_asks_for_them_once_and_writes_nothing_down() {
    let (bench, [token, gate, reader]) = bench();
    let mut bench = bench.crash();
    ready(&mut bench);
    assert_eq!(derives(&bench), 0, "nobody reads them yet");
    bench.answered(gate, true);
    assert_eq!((derives(&bench), bench.stage(reader)), (1, Stage::Waiting));
    let before = bench.words().len();
    bench.looked_as(bench.look_number(token), token, satisfied(), &[]);
    assert_eq!(bench.words()[before..], ["looking"]);
    assert_eq!(bench.stage(token), Stage::Done);
    bench.looked(reader, satisfied());
    assert_eq!(bench.end(), Some(RunResult::Succeeded));
    assert_eq!(derives(&bench), 1);
}

#[test]
fn without_them_the_reader_fails() {
    let (bench, [token, gate, reader]) = bench();
    let mut bench = bench.crash();
    ready(&mut bench);
    bench.answered(gate, true);
    let look = bench.look_number(token);
    bench.looked_as(look, token, Verdict::Error(problem()), &[]);
    assert_eq!(bench.failed(reader), Some(FailureKind::Value));
}

#[test]
fn what_is_taken_back_has_them_again_too() {
    let (mut bench, [token, gate, reader]) = bench();
    bench.answered(gate, true);
    fail(&mut bench, reader);
    assert_eq!(bench.end(), Some(RunResult::Failed));
    let mut bench = bench.roll_back(None);
    ready(&mut bench);
    assert_eq!(derives(&bench), 1);
    assert!(!bench.state().undos.contains_key(&reader), "it waits");
    bench.looked_as(bench.look_number(token), token, satisfied(), &[]);
    undo_it(&mut bench, reader);
    assert_eq!(bench.end(), Some(RunResult::RolledBack));
    assert_eq!(derives(&bench), 1);
}

#[test]
fn without_them_nothing_is_taken_back_and_it_is_said() {
    let (mut bench, [token, gate, reader]) = bench();
    bench.answered(gate, true);
    fail(&mut bench, reader);
    let mut bench = bench.roll_back(None);
    ready(&mut bench);
    let look = bench.look_number(token);
    bench.looked_as(look, token, Verdict::Error(problem()), &[]);
    let failure = bench.state().undos[&reader].failure.clone().unwrap();
    assert_eq!(failure.kind, FailureKind::Value);
    assert!(failure.message.contains("secret outputs of `token@h1`"));
    assert_eq!(bench.end(), Some(RunResult::Failed));
}

#[test]
fn who_gives_them_may_need_some_of_others() {
    let mut sketch = Sketch::new();
    let [first, second] = ["first", "second"].map(|name| {
        let node = sketch.probe(name, "h1");
        give_secret(&mut sketch, node);
        node
    });
    let gate = sketch.instance("gate", "control", TypeKind::Gate, InDoubt::Check);
    let reader = sketch.ordinary("reader", "h2");
    sketch.requires(first, second);
    sketch.requires(second, reader);
    sketch.order(gate, reader);
    let mut bench = Bench::open(sketch);
    ready(&mut bench);
    bench.looked(first, satisfied());
    bench.looked(second, satisfied());
    let mut bench = bench.crash();
    ready(&mut bench);
    bench.answered(gate, true);
    assert_eq!(derives(&bench), 1, "the first one comes first");
    bench.looked_as(bench.look_number(first), first, satisfied(), &[]);
    assert_eq!((derives(&bench), bench.stage(reader)), (2, Stage::Waiting));
    bench.looked_as(bench.look_number(second), second, satisfied(), &[]);
    assert_eq!(bench.looking(reader), Some(Purpose::Before));
}

#[test]
fn a_lost_link_has_them_asked_for_again() {
    let (bench, [token, gate, reader]) = bench();
    let mut bench = bench.crash();
    ready(&mut bench);
    bench.answered(gate, true);
    let first = bench.look_number(token);
    bench.lost("h1");
    bench.ready("h1");
    assert!(bench.look_number(token) > first);
    bench.looked_as(first, token, Verdict::Error(problem()), &[]);
    assert_eq!(bench.stage(reader), Stage::Waiting, "an old answer");
    bench.looked_as(bench.look_number(token), token, satisfied(), &[]);
    assert_eq!(bench.looking(reader), Some(Purpose::Before));
}
