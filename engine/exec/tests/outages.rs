//! The outages of a run: one that its rollback ends, and one of the rollback's own.
#![allow(clippy::unwrap_used, reason = "a test helper")]

use runbook_exec::world::{Behaviour, Ending, Sketch, World};
use runbook_model::outage::{End, Outage, outages};
use runbook_model::plan::Part;
use runbook_model::step::Outage as Mark;
use runbook_model::{NodeIx, RunResult};

/// A procedure that shuts clients out, works and lets them in, and one of going back that does the same.
fn sketch() -> (Sketch, [NodeIx; 5]) {
    let mut sketch = Sketch::new();
    sketch.phase("change", false);
    let shut = sketch.ordinary("shut", "lb");
    let work = sketch.ordinary("work", "lb");
    let open = sketch.ordinary("open", "lb");
    sketch.requires(shut, work);
    sketch.requires(work, open);
    let begin = sketch.phase("back", false);
    sketch.last_phase().part = Part::Rollback;
    let rb_shut = sketch.ordinary("rb_shut", "lb");
    let rb_open = sketch.ordinary("rb_open", "lb");
    sketch.order(begin, rb_shut);
    sketch.requires(rb_shut, rb_open);
    for (node, mark) in [
        (shut, Mark::Begin),
        (open, Mark::End),
        (rb_shut, Mark::Begin),
        (rb_open, Mark::End),
    ] {
        sketch.step(node).outage = Some(mark);
    }
    (sketch, [shut, work, open, rb_shut, rb_open])
}

fn world(broken: bool) -> (World, [NodeIx; 5]) {
    let (sketch, nodes) = sketch();
    let plan = sketch.done();
    let mut behaviours = vec![Behaviour::default(); plan.nodes.len()];
    behaviours[nodes[1].at()].broken = broken;
    (World::new(plan, behaviours, 1), nodes)
}

/// Of each: who has begun it, and who has ended it; that what is over has a length.
fn told(world: &World) -> Vec<(String, Option<String>)> {
    let state = world.state().unwrap();
    let id = |step: runbook_model::StepIx| world.plan.steps[step.at()].id.to_string();
    let one = |of: &Outage| {
        let by = of.end.map(|End { at, by }| {
            assert!(at > of.since);
            assert_eq!(of.length(at + 1_000_000), at - of.since);
            id(by.unwrap())
        });
        assert!(by.is_some() || of.length(of.since + 5) == 5);
        (id(of.begun_by), by)
    };
    outages(&world.plan, &state).iter().map(one).collect()
}

fn of(begun: &str, ended: Option<&str>) -> (String, Option<String>) {
    (begun.to_owned(), ended.map(str::to_owned))
}

#[test]
fn an_outage_that_a_failure_leaves_open_is_ended_by_the_rollback() {
    let (mut world, [.., rb_open]) = world(true);
    assert_eq!(told(&world), []);
    assert_eq!(world.run(), Ending::Closed(RunResult::Failed));
    assert_eq!(told(&world), [of("shut", None)]);
    assert_eq!(world.roll_back(None), Ending::Closed(RunResult::RolledBack));
    assert!(world.is_there(rb_open));
    assert_eq!(told(&world), [of("shut", Some("rb_open"))]);
}

#[test]
fn a_rollback_after_the_outage_is_an_outage_of_its_own() {
    let (mut world, _) = world(false);
    assert_eq!(world.run(), Ending::Closed(RunResult::Succeeded));
    assert_eq!(told(&world), [of("shut", Some("open"))]);
    assert_eq!(world.roll_back(None), Ending::Closed(RunResult::RolledBack));
    let both = [of("shut", Some("open")), of("rb_shut", Some("rb_open"))];
    assert_eq!(told(&world), both);
}
