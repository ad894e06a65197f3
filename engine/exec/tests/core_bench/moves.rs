//! What suites say to a bench, and what they have it do as a whole.

use runbook_exec::world::Sketch;
use runbook_model::event::{AttemptEnd, Verdict};
use runbook_model::step::{Expr, Until};
use runbook_model::{Failure, FailureKind, NodeIx};

use super::Bench;

pub fn satisfied() -> Verdict {
    Verdict::Satisfied
}

pub fn differs() -> Verdict {
    Verdict::Differs(vec!["not there".into()])
}

pub fn problem() -> Failure {
    Failure::new(FailureKind::Check, "no verdict")
}

pub fn failure(kind: FailureKind) -> AttemptEnd {
    AttemptEnd::Failed(Failure::new(kind, "it failed"))
}

/// A condition; what it says is in the outputs or in a table.
pub fn some() -> Option<Expr> {
    Some(Expr {
        text: "outputs.ok".into(),
        place: Default::default(),
    })
}

pub fn until(passes: u32, within_ms: u64, fatal: bool) -> Option<Until> {
    Some(Until {
        every_ms: 100,
        passes,
        within_ms,
        fatal: if fatal { some() } else { None },
    })
}

/// One ordinary step on one host.
pub fn one(change: impl FnOnce(&mut Sketch, NodeIx)) -> (Sketch, NodeIx) {
    let mut sketch = Sketch::new();
    let node = sketch.ordinary("a", "h1");
    change(&mut sketch, node);
    (sketch, node)
}

/// An ordinary step changes something.
pub fn do_it(bench: &mut Bench, node: NodeIx) {
    bench.apply(node);
    bench.looked(node, satisfied());
}

/// An ordinary step fails in its attempt.
pub fn fail(bench: &mut Bench, node: NodeIx) {
    bench.looked(node, differs());
    let unit = bench.launched(node);
    bench.ended(&unit, failure(FailureKind::Apply));
}

/// What a step did is taken back.
pub fn undo_it(bench: &mut Bench, node: NodeIx) {
    let unit = bench.undoing(node);
    let outputs = Default::default();
    bench.undo_ended(&unit, AttemptEnd::Completed { outputs });
    bench.undo_looked(node, differs());
}
