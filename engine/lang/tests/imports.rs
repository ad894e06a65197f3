//! Runbooks that import others: what comes out is one runbook, and what cannot be imported is said.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot read its files fails"
)]

use std::collections::BTreeSet;

use runbook_model::Plan;
use runbook_model::plan::{Part, Var};
use support::imported::{compiled, plan};

mod support;

fn instances(plan: &Plan) -> BTreeSet<&str> {
    plan.instances()
        .map(|(node, ..)| plan.nodes[node.at()].id.as_str())
        .collect()
}

const MAIN: &str = "
runbook: main
inputs:
  first: { type: host, in: quay, default: q2 }
  to: { type: version, default: 3.8.1 }
phases:
  - phase: look
    steps: [{ step: stop, uses: test.look, on: db }]
  - phase: drain
    when: 'inputs.to > \"3.7\"'
    import: { file: drain.yaml, with: { node: '{{inputs.first}}', version: '{{inputs.to}}', name: 'at-{{steps.stop.only.outputs.revision}}', size: 10GiB }, groups: { nodes: quay } }
  - phase: after
    steps:
      - { step: use, uses: test.state, on: db, with: { name: '{{steps.drain.outputs.seen}}' } }
finally:
  - { step: record, uses: run.record }
";

const DRAIN: &str = "
runbook: drain
inputs:
  node: { type: host, in: nodes, required: true }
  version: { type: version, required: true }
  name: { type: string, required: true }
  size: { type: size, required: true }
  other: { type: string, default: x }
  rules: [{ check: 'inputs.version > \"3\"', message: 'old {{inputs.version}}' }]
groups:
  nodes: { min: 1, vars: { container: { type: string, default: none } } }
vars:
  label: '{{inputs.name}}-{{inputs.other}}'
  big: { cel: 'inputs.size > \"1GiB\"' }
phases:
  - phase: stop
    on: 'nodes, !{{inputs.node}}'
    when: 'inputs.version.minor == \"3.8\" && inputs[\"name\"] != \"\"'
    steps:
      - { step: stop, uses: test.look, for_each: groups.nodes, with: { name: '{{vars.label}}' } }
      - { step: check, uses: test.state, needs: [stop], when: 'vars.big && size(groups.nodes) > 1', hold: { release: undo } }
      - { step: undo, uses: test.state, with: { name: '{{#each groups.nodes}}{{name}}{{/each}}' } }
      - { step: ask, uses: gate.approve, on: control, with: { message: go, show: [stop] } }
      - { step: last, uses: test.look, on: 'nodes[0]' }
finally:
  - { step: end, uses: run.record, with: { include: [stop, times] } }
outputs:
  seen: '{{default steps.last.only.outputs.revision \"none\"}}'
";

#[test]
fn an_import_is_the_phases_of_another_runbook() {
    let drain: &'static str = Box::leak(DRAIN.replace(" && inputs[\"name\"] != \"\"", "").into());
    let plan = plan(MAIN, &[("drain.yaml", drain)]);
    let phases: Vec<_> = plan
        .phases
        .iter()
        .map(|p| (p.id.as_str(), p.part))
        .collect();
    assert_eq!(
        phases,
        [
            ("look", Part::Main),
            ("drain_stop", Part::Main),
            ("after", Part::Main),
            ("finally", Part::Finally),
            ("drain_finally", Part::Finally),
        ]
    );
    let ids = instances(&plan);
    for id in [
        "stop@db01",
        "drain_stop:q2@q1",
        "drain_check@q3",
        "drain_last@q1",
        "drain_ask@control",
        "drain_end@control",
    ] {
        assert!(ids.contains(id), "{id} of {ids:?}");
    }
    assert!(
        !ids.contains("drain_check@q2"),
        "the first node is left out"
    );
    let when = plan.phases[1].when.as_ref().unwrap();
    assert_eq!(
        when.text,
        "(inputs.to > \"3.7\") && (inputs.to.minor == \"3.8\")"
    );
    let (_, check) = plan.step("drain_check").unwrap();
    assert_eq!(
        check.when.as_ref().unwrap().text,
        "vars.drain_big && size(groups.quay) > 1"
    );
    let released = check.hold.as_ref().unwrap().release[0];
    assert_eq!(plan.steps[released.at()].id.as_str(), "drain_undo");
    let (_, undo) = plan.step("drain_undo").unwrap();
    assert_eq!(undo.with["name"], "{{#each groups.quay}}{{name}}{{/each}}");
    let Var::Template(name) = &plan.vars["drain_name"] else {
        panic!("no template");
    };
    assert_eq!(name.text, "at-{{steps.stop.only.outputs.revision}}");
    assert_eq!(
        plan.step("use").unwrap().1.with["name"],
        "{{vars.drain_out_seen}}"
    );
    assert_eq!(plan.inputs["drain_size"].value, Some("10GiB".into()));
    assert_eq!(plan.inputs["drain_other"].value, Some("x".into()));
    assert_eq!(
        plan.sources[1].name, "drain.yaml",
        "the plan holds every text"
    );
    assert_eq!(plan.hosts["q3" as &str].vars["container"], "none");
    // A place in the imported file is a place in that file.
    assert_eq!(plan.sources[check.place.source as usize].name, "drain.yaml");
}

#[test]
fn names_in_brackets_cannot_be_renamed() {
    let (plan, found) = compiled(MAIN, &[("drain.yaml", DRAIN)]);
    assert!(plan.is_none());
    insta::assert_snapshot!(found);
}

#[test]
fn imports_inside_imports_carry_both_prefixes() {
    let main = "
runbook: main
phases:
  - { phase: a, import: { file: b.yaml } }
  - { phase: again, import: { file: b.yaml } }
";
    let b = "
runbook: b
phases:
  - { phase: deep, import: { file: c.yaml, as: c, with: { word: hello } } }
  - { phase: here, steps: [{ step: x, uses: test.look, on: db, with: { name: '{{steps.c.outputs.word}}' } }] }
";
    let c = "
runbook: c
inputs: { word: { type: string, required: true } }
steps: [{ step: x, uses: test.look, on: db, with: { name: '{{inputs.word}}' } }]
outputs: { word: '{{inputs.word}}' }
";
    let plan = plan(main, &[("b.yaml", b), ("c.yaml", c)]);
    assert_eq!(
        instances(&plan),
        BTreeSet::from(["a_c_x@db01", "a_x@db01", "again_c_x@db01", "again_x@db01"])
    );
    assert_eq!(
        plan.step("again_x").unwrap().1.with["name"],
        "{{vars.again_c_out_word}}"
    );
    assert_eq!(plan.inputs["a_c_word"].value, Some("hello".into()));
}

#[test]
fn what_cannot_be_imported_is_explained() {
    let main = "
runbook: main
inputs: { first: { type: host, in: quay, required: false } }
phases:
  - { phase: none, import: { file: none.yaml } }
  - { phase: circle, import: { file: circle.yaml } }
  - { phase: whole, import: { file: whole.yaml } }
  - { phase: inner, import: { file: inner.yaml, with: { wrod: a, size: much, from: 'a{{inputs.first}}' }, groups: { lb: quay } } }
  - { phase: same, import: { file: small.yaml, as: twice } }
  - { phase: other, import: { file: small.yaml, as: twice } }
  - phase: after
    steps:
      - { step: use, uses: test.look, on: db, with: { name: '{{steps.inner.outputs.seen}}' } }
      - { step: peek, uses: test.look, on: db, with: { name: '{{steps.inner_x.only.outputs.revision}}' } }
";
    let circle = "
runbook: circle
phases:
  - { phase: back, import: { file: middle.yaml } }
";
    let middle = "
runbook: middle
phases:
  - { phase: back, import: { file: circle.yaml } }
";
    let whole = "
runbook: whole
window: { closes: '2026-11-29T04:00:00+01:00' }
done_when: 'true'
steps: [{ step: x, uses: test.look, on: db }]
rollback: { phases: [{ phase: back, steps: [{ step: y, uses: test.look, on: db }] }] }
";
    let inner = "
runbook: inner
inputs:
  word: { type: string, default: a }
  size: { type: size, required: true }
  from: { type: version, required: true }
groups: { nodes: { min: 0 } }
steps: [{ step: x, uses: test.look, on: db }]
outputs: { send: '{{inputs.word}}' }
";
    let small = "
runbook: small
steps: [{ step: x, uses: test.look, on: db }]
";
    let (plan, found) = compiled(
        main,
        &[
            ("circle.yaml", circle),
            ("middle.yaml", middle),
            ("whole.yaml", whole),
            ("inner.yaml", inner),
            ("small.yaml", small),
        ],
    );
    assert!(plan.is_none());
    insta::assert_snapshot!(found);
}

#[test]
fn too_deep_is_too_deep() {
    let itself = "
runbook: main
phases: [{ phase: a, import: { file: main.yaml } }]
";
    let (plan, found) = compiled(itself, &[]);
    assert!(plan.is_none());
    assert!(found.contains("imports itself"), "{found}");
    let names: Vec<&'static str> = (0..40)
        .map(|n| &*Box::leak(format!("f{n}.yaml").into_boxed_str()))
        .collect();
    let files: Vec<(&'static str, &'static str)> = (0..39)
        .map(|n| {
            let text = format!(
                "runbook: r\nphases: [{{ phase: a, import: {{ file: f{}.yaml }} }}]\n",
                n + 1
            );
            (names[n], &*Box::leak(text.into_boxed_str()))
        })
        .collect();
    let (plan, found) = compiled(files[0].1, &files);
    assert!(plan.is_none());
    assert!(found.contains("deeper than 16"), "{found}");
}

/// What is wrong where `main` imports `leaf`; nothing, if there is a plan.
fn found(main: &'static str, leaf: &'static str) -> String {
    let (plan, found) = compiled(main, &[("leaf.yaml", leaf)]);
    assert_eq!(plan.is_some(), found.is_empty(), "{found}");
    found
}

#[test]
fn an_ending_follows_its_import() {
    let main = "
runbook: main
inputs: { drain: { type: bool, default: false } }
phases:
  - { phase: look, steps: [{ step: l, uses: test.look, on: db }] }
  - { phase: a, when: inputs.drain, import: { file: leaf.yaml } }
  - { phase: b, import: { file: deep.yaml } }
finally: [{ step: own, uses: test.look, on: db }]
";
    let leaf = "
runbook: leaf
phases:
  - { phase: put, steps: [{ step: x, uses: test.look, on: db }] }
  - { phase: more, steps: [{ step: y, uses: test.look, on: db }] }
finally: [{ step: bye, uses: test.look, on: db }]
";
    let deep = "
runbook: deep
phases:
  - { phase: first, when: 'steps.l.only.outputs.count > 1', steps: [{ step: z, uses: test.look, on: db }] }
  - { phase: deep, import: { file: leaf.yaml } }
finally: [{ step: end, uses: test.look, on: db }]
";
    let deep: &'static str = Box::leak(
        deep.replace("steps.l.only.outputs.count > 1", "true")
            .into_boxed_str(),
    );
    let plan = plan(main, &[("leaf.yaml", leaf), ("deep.yaml", deep)]);
    let follows: Vec<_> = plan
        .phases
        .iter()
        .filter(|phase| phase.part == Part::Finally)
        .map(|phase| {
            let first = phase.follows.map(|at| plan.phases[at as usize].id.as_str());
            (phase.id.as_str(), first)
        })
        .collect();
    assert_eq!(
        follows,
        [
            ("finally", None),
            ("a_finally", Some("a_put")),
            // Its first phase may be skipped by itself, and the others not.
            ("b_finally", None),
            ("b_deep_finally", Some("b_deep_put")),
        ]
    );
}

#[test]
fn a_runbook_that_is_right_alone_may_be_imported_under_a_condition() {
    let leaf = "
runbook: leaf
vars: { seen: '{{steps.look.only.outputs.revision}}' }
phases:
  - { phase: look, steps: [{ step: look, uses: test.look, on: db }] }
  - phase: use
    when: 'steps.look.only.outputs.count > 1'
    steps: [{ step: use, uses: test.look, on: db, with: { name: '{{steps.look.only.outputs.revision}} {{vars.seen}}' } }]
outputs: { seen: '{{vars.seen}}!' }
";
    let main = "
runbook: main
phases:
  - { phase: first, steps: [{ step: l, uses: test.look, on: db }] }
  - { phase: a, when: 'steps.l.only.outputs.count > 1', import: { file: leaf.yaml } }
  - phase: after
    steps:
      - { step: one, uses: test.look, on: db, with: { name: '{{default steps.a.outputs.seen \"none\"}}' } }
";
    assert_eq!(found(main, leaf), "");
    let bare: &'static str = Box::leak(
        main.replace(
            "default steps.a.outputs.seen \"none\"",
            "steps.a.outputs.seen",
        )
        .into_boxed_str(),
    );
    insta::assert_snapshot!(found(bare, leaf));
}

#[test]
fn needs_do_not_lead_into_an_import() {
    let main = "
runbook: main
phases:
  - { phase: a, import: { file: leaf.yaml } }
  - { phase: long, import: { file: leaf.yaml, as: short } }
  - phase: b
    steps:
      - { step: one, uses: test.look, on: db, needs: [a] }
      - { step: two, uses: test.look, on: db, needs: [a_look, one, long] }
";
    let leaf = "
runbook: leaf
steps: [{ step: look, uses: test.look, on: db }]
outputs: { seen: '{{steps.look.only.outputs.revision}}' }
";
    insta::assert_snapshot!(found(main, leaf));
}
