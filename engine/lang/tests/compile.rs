//! What is said about mistakes that only the whole shows: one runbook and one snapshot for every
//! code of the compiler, against one inventory.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot read its files fails"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use runbook_lang::ast::parse_runbook;
use runbook_lang::compile::{Given, Request, compile};
use runbook_lang::diagnostic::{Code, Diagnostics};
use runbook_lang::inventory::parse_inventory;
use runbook_lang::source::Sources;
use runbook_lang::steptype::{Catalog, SHIPPED};
use runbook_model::Plan;
use runbook_model::plan::SecretSource;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/compile")
}

/// What is given to a runbook stands in the runbook of the test: `x-given` and `x-secrets`.
fn given(text: &str) -> Given {
    let Ok(root) = serde_yaml::from_str::<serde_json::Value>(text) else {
        return Given::default();
    };
    let values = root["x-given"].as_object().cloned().unwrap_or_default();
    let secrets = root["x-secrets"].as_array().cloned().unwrap_or_default();
    let secrets = secrets.iter().map(|name| name.as_str().unwrap().to_owned());
    Given {
        texts: BTreeMap::new(),
        values: values.into_iter().collect(),
        secrets: secrets
            .map(|name| (name.clone(), SecretSource::Env(name)))
            .collect(),
    }
}

fn compiled(file: &str, text: &str, inventory: &str) -> (Option<Plan>, Diagnostics, Sources) {
    let mut sources = Sources::new();
    let source = sources.add(file, text.as_bytes()).unwrap();
    let hosts = sources.add("inventory.yaml", inventory.as_bytes()).unwrap();
    let mut catalog = Catalog::new();
    for name in ["test.look", "test.state", "test.act"] {
        let file = format!("types/{name}.yaml");
        let of_type = sources
            .add(&file, &fs::read(folder().join(&file)).unwrap())
            .unwrap();
        assert_eq!(catalog.add(name, SHIPPED, &of_type).render(&sources), "");
    }
    let (runbook, mut diagnostics) = parse_runbook(&source);
    let (inventory, found) = parse_inventory(&hosts);
    diagnostics.extend(found);
    let request = Request {
        sources: &sources,
        source: &source,
        runbook: &runbook.unwrap(),
        inventory: &inventory.unwrap(),
        catalog: &catalog,
        given: &given(text),
        allow_missing: false,
    };
    let (plan, found) = compile(&request);
    diagnostics.extend(found);
    diagnostics.sort();
    (plan, diagnostics, sources)
}

fn names() -> Vec<String> {
    let files = fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let yaml = files.filter(|path| path.extension().is_some_and(|e| e == "yaml"));
    let stems = yaml.map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned());
    let mut names: Vec<_> = stems.filter(|stem| stem != "inventory").collect();
    names.sort();
    names
}

fn read(name: &str) -> (Option<Plan>, Diagnostics, Sources) {
    let file = format!("{name}.yaml");
    let text = fs::read_to_string(folder().join(&file)).unwrap();
    compiled(&file, &text, include_str!("compile/inventory.yaml"))
}

#[test]
fn every_mistake_is_explained() {
    for name in names() {
        let (plan, diagnostics, sources) = read(&name);
        assert!(plan.is_none(), "{name}: there is a plan");
        let rendered = diagnostics.render(&sources);
        assert!(
            !rendered.contains("hunter2") || name == "secret_leak",
            "{name}: a secret is shown"
        );
        insta::assert_snapshot!(name, rendered);
    }
}

#[test]
fn every_code_of_the_compiler_has_a_runbook() {
    let mut seen = BTreeSet::new();
    for name in names() {
        seen.extend(read(&name).1.iter().map(|diagnostic| diagnostic.code));
    }
    let missing: Vec<_> = Code::ALL
        .iter()
        .filter(|code| **code > Code::BadParameter && !seen.contains(*code))
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
}

const GOOD: &str = "
runbook: good
inputs:
  to: { type: version, default: v3.8 }
  first: { type: host, in: quay, default: q2 }
  password: { type: secret, required: true }
x-secrets: [password]
vars:
  state: { cel: 'steps.look.on.all(h, steps.look.on[h].outputs.count == 0) ? \"done\" : \"before\"' }
done_when: vars.state == \"done\"
groups:
  quay: { min: 2 }
  mirror: { min: 0 }
phases:
  - phase: look
    order: per_host
    steps:
      - { step: look, uses: test.look, on: quay, once: true }
  - phase: act
    steps:
      - { step: stop, uses: test.state, on: quay, outage: begin, with: { password: '{{inputs.password}}' } }
      - { step: nobody, uses: test.state, on: mirror }
      - { step: first, uses: test.state, on: '{{inputs.first}}', needs: [nobody], outage: end }
  - phase: rest
    on: 'quay, !{{inputs.first}}'
    rolling: { batch: [1, 50%] }
    steps:
      - { step: start, uses: test.state }
      - { step: healthy, uses: test.look, needs: ['start@host'], until: { every: 1s, within: 1m } }
";

fn plan(inventory: &str) -> Plan {
    let (plan, diagnostics, sources) = compiled("good.yaml", GOOD, inventory);
    plan.unwrap_or_else(|| panic!("{}", diagnostics.render(&sources)))
}

fn instances(plan: &Plan) -> BTreeSet<&str> {
    plan.instances()
        .map(|(node, ..)| plan.nodes[node.at()].id.as_str())
        .collect()
}

/// Hosts of the group in this order.
fn inventory(names: &[&str]) -> String {
    let hosts: String = names
        .iter()
        .map(|name| format!("  {name}: {{ address: {name}.example }}\n"))
        .collect();
    format!(
        "hosts:\n{hosts}groups:\n  quay: {{ hosts: [{}] }}\n",
        names.join(", ")
    )
}

#[test]
fn the_same_files_give_the_same_plan() {
    let text = inventory(&["q1", "q2", "q3"]);
    let (one, two) = (plan(&text), plan(&text));
    assert_eq!(one, two);
    assert_eq!(
        serde_json::to_string(&one).unwrap(),
        serde_json::to_string(&two).unwrap()
    );
}

#[test]
fn neither_order_nor_number_of_hosts_renames_an_instance() {
    let (one, turned) = (
        plan(&inventory(&["q1", "q2", "q3"])),
        plan(&inventory(&["q3", "q2", "q1"])),
    );
    assert_eq!(instances(&one), instances(&turned));
    let more = plan(&inventory(&["q0", "q1", "q2", "q3", "q4"]));
    assert!(instances(&more).is_superset(&instances(&one)));
}

#[test]
fn the_digest_covers_what_runs() {
    let digest = |text: &str, hosts: &str| {
        let (plan, diagnostics, sources) = compiled("good.yaml", text, hosts);
        plan.unwrap_or_else(|| panic!("{}", diagnostics.render(&sources)))
            .digest
    };
    let hosts = inventory(&["q1", "q2"]);
    let base = digest(GOOD, &hosts);
    let others = [
        digest(&GOOD.replace("1m", "2m"), &hosts),
        digest(&GOOD.replace("v3.8", "v3.9"), &hosts),
        digest(GOOD, &inventory(&["q2", "q1"])),
        digest(GOOD, &hosts.replace("q1.example", "q9.example")),
    ];
    let all: BTreeSet<_> = others.iter().chain([&base]).collect();
    assert_eq!(all.len(), others.len() + 1);
}

#[test]
fn a_plan_holds_no_secret_and_can_be_read_again() {
    let plan = plan(&inventory(&["q1", "q2"]));
    assert_eq!(plan.inputs["password"].value, None);
    let json = serde_json::to_string(&plan).unwrap();
    assert_eq!(serde_json::from_str::<Plan>(&json).unwrap(), plan);
}
