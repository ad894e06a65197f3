//! Runbooks that import others: what comes out is one runbook, and what cannot be imported is said.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot read its files fails"
)]

use std::collections::{BTreeMap, BTreeSet};

use runbook_lang::ast::parse_runbook;
use runbook_lang::compile::{Given, Request, compile};
use runbook_lang::import::{Files, link};
use runbook_lang::inventory::parse_inventory;
use runbook_lang::source::{Source, SourceId, Sources};
use runbook_lang::steptype::{Catalog, SHIPPED};
use runbook_model::Plan;
use runbook_model::plan::{Part, Var};

/// Files by name, each read once.
struct Memory {
    sources: Sources,
    texts: BTreeMap<&'static str, &'static str>,
    read: BTreeMap<String, Source>,
}

impl Files for Memory {
    fn read(&mut self, _: SourceId, file: &str) -> Result<Option<Source>, String> {
        if let Some(source) = self.read.get(file) {
            return Ok(Some(source.clone()));
        }
        let text = self.texts.get(file).ok_or("there is no such file")?;
        let source = self.sources.add(file, text.as_bytes()).unwrap();
        self.read.insert(file.to_owned(), source.clone());
        Ok(Some(source))
    }
}

const TYPES: [(&str, &str); 2] = [
    ("test.look", include_str!("compile/types/test.look.yaml")),
    ("test.state", include_str!("compile/types/test.state.yaml")),
];

fn compiled(main: &'static str, others: &[(&'static str, &'static str)]) -> (Option<Plan>, String) {
    let mut files = Memory {
        sources: Sources::new(),
        texts: others.iter().copied().collect(),
        read: BTreeMap::new(),
    };
    let source = files.sources.add("main.yaml", main.as_bytes()).unwrap();
    files.read.insert("main.yaml".to_owned(), source.clone());
    let (runbook, mut diagnostics) = parse_runbook(&source);
    let (runbook, found) = link(runbook.unwrap(), &mut files);
    diagnostics.extend(found);
    let mut sources = files.sources;
    let hosts = include_str!("compile/inventory.yaml");
    let hosts = sources.add("inventory.yaml", hosts.as_bytes()).unwrap();
    let mut catalog = Catalog::new();
    for (name, text) in TYPES {
        let source = sources.add(name, text.as_bytes()).unwrap();
        diagnostics.extend(catalog.add(name, SHIPPED, &source));
    }
    let request = Request {
        sources: &sources,
        source: &source,
        runbook: &runbook,
        inventory: &parse_inventory(&hosts).0.unwrap(),
        catalog: &catalog,
        given: &Given::default(),
        allow_missing: false,
    };
    let (plan, found) = compile(&request);
    diagnostics.extend(found);
    diagnostics.sort();
    let plan = plan.filter(|_| !diagnostics.has_errors());
    (plan, diagnostics.render(&sources))
}

fn plan(main: &'static str, others: &[(&'static str, &'static str)]) -> Plan {
    let (plan, found) = compiled(main, others);
    plan.unwrap_or_else(|| panic!("{found}"))
}

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
