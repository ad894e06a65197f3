//! Plans at random, with everything that a step and a phase may have.

use std::collections::BTreeMap;

use runbook_model::plan::Part;
use runbook_model::step::{Hold, HoldOnFailure, OnFailure};
use runbook_model::step_type::{InDoubt, TypeKind};
use runbook_model::{HostName, NodeIx, NodeKind, Plan};

use super::host::Behaviour;
use super::random::Random;
use super::sketch::{Sketch, some_expr};

/// How large a plan may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// Phases.
    pub layers: u64,
    /// Rows of instances in a phase.
    pub rows: u64,
    /// Instances in a row.
    pub parts: u64,
}

impl Size {
    /// A handful of instances: most mistakes show in small plans.
    pub const SMALL: Self = Self {
        layers: 2,
        rows: 2,
        parts: 1,
    };
    /// A few dozen.
    pub const LARGE: Self = Self {
        layers: 4,
        rows: 4,
        parts: 3,
    };
}

/// A large plan: see [`plan_of`].
#[must_use]
pub fn plan(random: &mut Random) -> (Plan, Vec<Behaviour>) {
    plan_of(random, Size::LARGE)
}

/// A plan in layers, one phase a layer, with everything that a step may have, and how each of its
/// instances behaves; all from the seed.
#[must_use]
pub fn plan_of(random: &mut Random, size: Size) -> (Plan, Vec<Behaviour>) {
    let mut sketch = Sketch::new();
    let mut behaviours = Vec::new();
    let hosts = ["h1", "h2", "h3", "control"];
    let mut earlier: Vec<NodeIx> = Vec::new();
    let mut barrier = None;
    for layer in 0..1 + random.below(size.layers) {
        let begin = sketch.phase(&format!("p{layer}"), random.chance(200));
        behaviours.push(Behaviour::default());
        random_policy(&mut sketch, random);
        if let Some(barrier) = barrier {
            sketch.order(barrier, begin);
        }
        let mut mine = Vec::new();
        for at in 0..1 + random.below(size.rows) {
            let mut last: BTreeMap<&str, NodeIx> = BTreeMap::new();
            for part in 0..1 + random.below(size.parts) {
                let host = *random.pick(&hosts);
                let node =
                    random_instance(&mut sketch, random, &format!("s{layer}_{at}_{part}"), host);
                behaviours.push(random_behaviour(&mut sketch, random, node));
                if host != "control" && random.chance(100) {
                    let through = random.pick(&["h1", "h2", "lb"]);
                    sketch.via(node, through);
                }
                hold_something(&mut sketch, random, node, &earlier);
                sketch.order(begin, node);
                if let Some(before) = last.insert(host, node) {
                    sketch.requires(before, node);
                }
                for _ in 0..random.below(3) {
                    if !earlier.is_empty() {
                        sketch.requires(*random.pick(&earlier), node);
                    }
                }
                earlier.push(node);
                mine.push(node);
            }
        }
        let end = sketch.barrier(&format!("end of p{layer}"));
        behaviours.push(Behaviour::default());
        for node in mine {
            sketch.order(node, end);
        }
        barrier = Some(end);
        if layer == 0 && random.chance(150) {
            let done = sketch.done_when();
            behaviours.push(Behaviour::default());
            sketch.order(end, done);
            barrier = Some(done);
        }
        if random.chance(200) {
            barrier = Some(roll(&mut sketch, random, &mut behaviours, layer, barrier));
        }
    }
    if random.chance(400) {
        end_with(&mut sketch, random, &mut behaviours, &earlier);
    }
    if random.chance(150) {
        back_by_procedure(&mut sketch, random, &mut behaviours);
    }
    (sketch.done(), behaviours)
}

/// What a failure does in the last phase.
fn random_policy(sketch: &mut Sketch, random: &mut Random) {
    let small = |random: &mut Random| u32::try_from(random.below(3)).expect("small");
    let phase = sketch.last_phase();
    if random.chance(300) {
        phase.on_failure = OnFailure::Continue;
    }
    if random.chance(300) {
        phase.max_failures = small(random);
    }
    if random.chance(100) {
        phase.min_ok = small(random);
    }
}

/// Something is held from here on, or what an earlier step holds is released.
fn hold_something(sketch: &mut Sketch, random: &mut Random, node: NodeIx, earlier: &[NodeIx]) {
    let changes = |sketch: &mut Sketch, node| sketch.step(node).uses == "sim.ordinary_check";
    if !changes(sketch, node) || !random.chance(250) {
        return;
    }
    let on_failure = match random.chance(500) {
        true => HoldOnFailure::Release,
        false => HoldOnFailure::Keep,
    };
    let hold = Hold {
        release: Vec::new(),
        on_failure,
        max_ms: random.chance(300).then_some(100),
    };
    if random.chance(500) || earlier.is_empty() {
        sketch.step(node).hold = Some(hold);
        return;
    }
    let holder = *random.pick(earlier);
    if changes(sketch, holder) && sketch.step(holder).hold.is_none() {
        let release = vec![sketch.step_ix(node)];
        sketch.step(holder).hold = Some(Hold { release, ..hold });
        sketch.requires(holder, node);
    }
}

/// A phase in batches of one host each.
fn roll(
    sketch: &mut Sketch,
    random: &mut Random,
    behaviours: &mut Vec<Behaviour>,
    layer: u64,
    after: Option<NodeIx>,
) -> NodeIx {
    let begin = sketch.phase(&format!("r{layer}"), random.chance(100));
    behaviours.push(Behaviour::default());
    if let Some(after) = after {
        sketch.order(after, begin);
    }
    random_policy(sketch, random);
    let hosts = ["h1", "h2", "h3"];
    let phase = sketch.last_phase();
    phase.hosts = hosts
        .map(|h| HostName::new(h).expect("a valid host name"))
        .to_vec();
    phase.batches = phase.hosts.iter().map(|h| vec![h.clone()]).collect();
    phase.pause_ms = if random.chance(500) { 40 } else { 0 };
    let mut gate = begin;
    let mut ends = Vec::new();
    let first = random_instance(sketch, random, &format!("r{layer}"), "h1");
    let second = random_instance(sketch, random, &format!("q{layer}"), "h1");
    let mut made = vec![(first, second)];
    for host in &hosts[1..] {
        made.push((sketch.also_on(first, host), sketch.also_on(second, host)));
    }
    for (first, second) in &made {
        for node in [*first, *second] {
            if behaviours.len() <= node.at() {
                behaviours.resize(node.at() + 1, Behaviour::default());
            }
            behaviours[node.at()] = random_behaviour(sketch, random, node);
        }
    }
    for (batch, (first, second)) in (0u32..).zip(made) {
        sketch.order(gate, first);
        sketch.order(gate, second);
        sketch.requires(first, second);
        for node in [first, second] {
            if let NodeKind::Instance { batch: of, .. } = &mut sketch.plan().nodes[node.at()].kind {
                *of = batch;
            }
        }
        gate = sketch.batch_end(batch);
        behaviours.push(Behaviour::default());
        sketch.order(first, gate);
        sketch.order(second, gate);
        ends.push(gate);
    }
    let end = sketch.barrier(&format!("end of r{layer}"));
    behaviours.push(Behaviour::default());
    for gate in ends {
        sketch.order(gate, end);
    }
    end
}

/// A procedure of its own to go back with.
fn back_by_procedure(sketch: &mut Sketch, random: &mut Random, behaviours: &mut Vec<Behaviour>) {
    let begin = sketch.phase("back", false);
    behaviours.push(Behaviour::default());
    sketch.last_phase().part = Part::Rollback;
    let mut last = begin;
    for (at, host) in ["h2", "h1"].into_iter().enumerate() {
        let node = sketch.ordinary(&format!("b{at}"), host);
        behaviours.push(Behaviour {
            fails_first: if random.chance(200) { 1 } else { 0 },
            takes: 1 + i64::try_from(random.below(100)).expect("small"),
            ..Behaviour::default()
        });
        sketch.requires(last, node);
        last = node;
    }
}

/// What follows on every ending; it may release what an earlier step holds.
fn end_with(
    sketch: &mut Sketch,
    random: &mut Random,
    behaviours: &mut Vec<Behaviour>,
    earlier: &[NodeIx],
) {
    let begin = sketch.phase("finally", false);
    behaviours.push(Behaviour::default());
    sketch.last_phase().part = Part::Finally;
    let mut last = begin;
    for (at, host) in ["h1", "control", "h2"].into_iter().enumerate() {
        let kind = *random.pick(&[TypeKind::Ordinary, TypeKind::Probe, TypeKind::Record]);
        let node = sketch.instance(&format!("f{at}"), host, kind, InDoubt::Check);
        behaviours.push(random_behaviour(sketch, random, node));
        sketch.order(begin, node);
        if random.chance(400) {
            sketch.requires(last, node);
        }
        if random.chance(400) {
            let holder = *random.pick(earlier);
            let release = vec![sketch.step_ix(node)];
            let of = sketch.step(holder);
            if of.uses == "sim.ordinary_check" && of.hold.is_none() {
                of.hold = Some(Hold {
                    release,
                    on_failure: HoldOnFailure::Keep,
                    max_ms: None,
                });
            }
        }
        last = node;
    }
}

fn random_instance(sketch: &mut Sketch, random: &mut Random, id: &str, host: &str) -> NodeIx {
    use TypeKind as K;
    let kinds = [
        K::Ordinary,
        K::Ordinary,
        K::Ordinary,
        K::Probe,
        K::Probe,
        K::Always,
        K::Gate,
        K::Assert,
        K::Copy,
        K::Record,
        K::Wait,
    ];
    let kind = *random.pick(&kinds);
    let in_doubt = if kind == K::Ordinary && random.chance(150) {
        InDoubt::Ask
    } else {
        InDoubt::Check
    };
    let node = sketch.instance(id, host, kind, in_doubt);
    let step = sketch.step(node);
    step.retry.attempts = 1 + u32::try_from(random.below(3)).expect("small");
    step.critical = random.chance(150);
    step.when = random.chance(150).then(some_expr);
    step.expect = random.chance(200).then(some_expr);
    step.undo_none = random.chance(100);
    let looks = matches!(kind, K::Probe | K::Assert);
    step.fresh_ms = (looks && random.chance(500)).then(|| *random.pick(&[0, 5, 100, 60_000]));
    step.once = kind == K::Probe && step.fresh_ms.is_none() && random.chance(300);
    if matches!(kind, K::Probe | K::Ordinary) && random.chance(300) {
        step.until = Some(runbook_model::step::Until {
            every_ms: 5 + random.below(50),
            passes: 1 + u32::try_from(random.below(3)).expect("small"),
            within_ms: 1_000,
            fatal: random.chance(300).then(some_expr),
        });
    }
    node
}

fn random_behaviour(sketch: &mut Sketch, random: &mut Random, node: NodeIx) -> Behaviour {
    let step = sketch.step(node);
    let small = |random: &mut Random| u32::try_from(random.below(3)).expect("small");
    let gate = step.uses.starts_with("sim.gate");
    if !gate && random.chance(60) {
        step.on_failure = OnFailure::Continue;
    }
    Behaviour {
        broken: !gate && random.chance(40),
        undo_fails_first: if random.chance(200) { small(random) } else { 0 },
        there: random.chance(200),
        fails_first: if random.chance(250) { small(random) } else { 0 },
        differs_first: if random.chance(250) { small(random) } else { 0 },
        errors_first: if random.chance(100) { small(random) } else { 0 },
        refuses_first: if random.chance(200) { 1 } else { 0 },
        says: None,
        unanswered: false,
        takes: 1 + i64::try_from(random.below(200)).expect("small"),
        looks: 1 + i64::try_from(random.below(20)).expect("small"),
        limit: (step.critical && random.chance(300)).then_some(50),
        story: None,
    }
}
