//! The wanted upgrade, the measure of the language: it compiles as it stands, without a warning,
//! and its graph has the order of the procedure, with the edges that must not be there left out.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;
use std::sync::OnceLock;

use runbook_lang::ast::parse_runbook;
use runbook_lang::compile::{Given, Request, compile, lost_edges};
use runbook_lang::diagnostic::Diagnostics;
use runbook_lang::inventory::parse_inventory;
use runbook_lang::source::{Source, Sources};
use runbook_lang::steptype::{Catalog, SHIPPED};
use runbook_lang::yaml;
use runbook_model::plan::{Part, SecretSource};
use runbook_model::step::HoldOnFailure;
use runbook_model::{NodeIx, NodeKind, Plan};
use runbook_tests::root;

fn folder() -> PathBuf {
    root().join("tests/wanted")
}

fn add(sources: &mut Sources, path: &str) -> Source {
    let bytes = fs::read(folder().join(path)).unwrap();
    sources.add(path, &bytes).unwrap()
}

/// Everything that is found, as text, and the plan if there is one.
fn compiled(change: impl Fn(String) -> String, with_inputs: bool) -> (Option<Plan>, String) {
    let mut sources = Sources::new();
    let text = fs::read_to_string(folder().join("upgrade-geo.yaml")).unwrap();
    let source = sources
        .add("upgrade-geo.yaml", change(text).as_bytes())
        .unwrap();
    let hosts = add(&mut sources, "inventory.yaml");
    let inputs = add(&mut sources, "inputs.yaml");
    let mut diagnostics = Diagnostics::new();
    let mut catalog = Catalog::new();
    for (name, text) in runbook_steps::TYPES {
        let source = sources.add(name, text.as_bytes()).unwrap();
        diagnostics.extend(catalog.add(name, SHIPPED, &source));
    }
    let (runbook, found) = parse_runbook(&source);
    diagnostics.extend(found);
    let (inventory, found) = parse_inventory(&hosts);
    diagnostics.extend(found);
    let mut given = Given::default();
    if with_inputs {
        let values = yaml::read(&inputs, &mut diagnostics).to_value();
        given.values = values.as_object().unwrap().clone().into_iter().collect();
        let password = SecretSource::Env("SMOKE_PASSWORD".to_owned());
        given.secrets = BTreeMap::from([("smoke_password".to_owned(), password)]);
    }
    let request = Request {
        sources: &sources,
        source: &source,
        runbook: &runbook.unwrap(),
        inventory: &inventory.unwrap(),
        catalog: &catalog,
        given: &given,
        allow_missing: !with_inputs,
    };
    let (plan, found) = compile(&request);
    diagnostics.extend(found);
    (plan, diagnostics.render(&sources))
}

fn plan() -> &'static Plan {
    static PLAN: OnceLock<Plan> = OnceLock::new();
    PLAN.get_or_init(|| {
        let (plan, found) = compiled(|text| text, true);
        assert_eq!(found, "");
        plan.unwrap()
    })
}

fn node(plan: &Plan, id: &str) -> NodeIx {
    plan.node(id)
        .unwrap_or_else(|| panic!("the plan has no `{id}`"))
}

/// Everything that ends before a node begins.
fn before(plan: &Plan, node: NodeIx) -> BTreeSet<NodeIx> {
    let mut found = BTreeSet::new();
    let mut open = vec![node];
    while let Some(at) = open.pop() {
        for edge in plan.edges.iter().filter(|edge| edge.to == at) {
            if found.insert(edge.from) {
                open.push(edge.from);
            }
        }
    }
    found
}

fn precedes(plan: &Plan, first: &str, then: &str) -> bool {
    before(plan, node(plan, then)).contains(&node(plan, first))
}

/// The ids of a step's instances.
fn all(plan: &Plan, step: &str) -> Vec<String> {
    let (ix, _) = plan
        .step(step)
        .unwrap_or_else(|| panic!("the plan has no step `{step}`"));
    plan.instances_of(ix)
        .map(|(node, _)| plan.nodes[node.at()].id.clone())
        .collect()
}

/// Every instance of the first comes before every instance of the second.
fn must(plan: &Plan, first: &str, then: &str) {
    let (firsts, thens) = (all(plan, first), all(plan, then));
    assert!(!firsts.is_empty() && !thens.is_empty(), "{first} → {then}");
    for then in &thens {
        let before = before(plan, node(plan, then));
        for first in &firsts {
            assert!(
                before.contains(&node(plan, first)),
                "{first} must come before {then}"
            );
        }
    }
}

/// No instance of either waits for one of the other.
fn side_by_side(plan: &Plan, one: &str, two: &str) {
    for a in all(plan, one) {
        for b in all(plan, two) {
            for (first, then) in [(&a, &b), (&b, &a)] {
                assert!(!precedes(plan, first, then), "{first} holds up {then}");
            }
        }
    }
}

#[test]
fn it_compiles_as_it_stands_with_and_without_its_inputs() {
    let plan = plan();
    let (without, found) = compiled(|text| text, false);
    assert_eq!(found, "");
    let without = without.unwrap();
    let ids = |plan: &Plan| plan.nodes.iter().map(|n| n.id.clone()).collect::<Vec<_>>();
    assert_eq!(
        ids(&without),
        ids(plan),
        "an input that is missing leaves nothing out"
    );
    assert_eq!(lost_edges(plan), []);
}

/// The edges of the procedure, `→` of its picture.
const MUST: &[(&str, &str)] = &[
    // preflight and pull, then a person, while everything serves
    ("survey", "approve"),
    ("pull", "approve"),
    ("config", "approve"),
    ("before_health", "approve"),
    ("restore_proof", "approve"),
    ("ready", "approve"),
    // mirror workers write: they stop before writes are frozen, and the outage begins
    ("approve", "stop_mirror"),
    ("stop_mirror", "freeze"),
    ("approve", "freeze"),
    // the queue is drained behind the freeze, then every node stops
    ("freeze", "drain"),
    ("drain", "stop"),
    ("freeze", "stop"),
    // the role is fenced, and nobody is left
    ("stop", "fence"),
    ("fence", "none_runs"),
    ("fence", "no_sessions"),
    ("stop", "none_runs"),
    ("stop", "no_sessions"),
    // the dump of what nobody writes to, looked at, and away from the database host
    ("none_runs", "dump"),
    ("no_sessions", "dump"),
    ("dump", "dump_valid"),
    ("dump_valid", "dump_away"),
    ("dump", "dump_away"),
    // old containers go, then the fence opens for one migration
    ("dump_away", "clear"),
    ("dump_away", "clear_mirror"),
    ("clear", "unfence"),
    ("clear_mirror", "unfence"),
    ("dump_away", "unfence"),
    ("unfence", "migrate"),
    ("stop", "migrate"),
    ("none_runs", "migrate"),
    ("no_sessions", "migrate"),
    ("dump_away", "migrate"),
    ("migrate", "schema_after"),
    // the first node alone
    ("schema_after", "start_first"),
    ("stop", "start_first"),
    ("pull", "start_first"),
    ("start_first", "healthy_first"),
    ("healthy_first", "others_silent"),
    ("healthy_first", "approve_rest"),
    ("others_silent", "approve_rest"),
    // the rest, batch by batch
    ("approve_rest", "start_rest"),
    ("healthy_first", "start_rest"),
    ("migrate", "start_rest"),
    // one version, smoke tests past the load balancer, the last human word
    ("healthy_rest", "one_version"),
    ("healthy_rest", "smoke_direct"),
    ("one_version", "last_word"),
    ("smoke_direct", "last_word"),
    ("last_word", "unfreeze"),
    // the outage ends; through the load balancer; then what writes by itself
    ("unfreeze", "through_lb"),
    ("unfreeze", "start_mirror"),
    ("through_lb", "start_mirror"),
    ("start_first", "start_mirror"),
    // back: evidence first, a person, everything closed, then the data, then the old nodes
    ("logs", "choose"),
    ("logs_mirror", "choose"),
    ("schema_rb", "choose"),
    ("choose", "rb_stop_mirror"),
    ("choose", "rb_freeze"),
    ("rb_stop_mirror", "rb_freeze"),
    ("rb_freeze", "rb_stop"),
    ("rb_stop", "rb_fence"),
    ("rb_fence", "rb_none"),
    ("rb_none", "rb_keep"),
    ("rb_keep", "rb_create"),
    ("rb_create", "rb_trgm"),
    ("rb_trgm", "rb_restore"),
    ("rb_restore", "rb_unfence"),
    ("rb_none", "rb_unfence"),
    ("rb_unfence", "rb_start"),
    ("rb_restore", "rb_start"),
    ("rb_healthy", "rb_open"),
    ("rb_open", "rb_mirror"),
];

#[test]
fn every_edge_of_the_procedure_is_there() {
    for (first, then) in MUST {
        must(plan(), first, then);
    }
}

#[test]
fn what_goes_side_by_side_is_not_held_up() {
    let plan = plan();
    // Preflight and pull are looks and preparations on hosts that have nothing to do with each other.
    // The node that shows the new schema walks ahead: whether all is there already hangs on it.
    for (a, b) in [
        ("pull@quay02", "pull@quay03"),
        ("pull@quay03", "pull@quay01"),
        ("space@quay04", "pull@quay02"),
        ("survey@quay02", "schema_now@db01"),
        ("cert@quay01", "db_size@db01"),
        ("config@quay04", "clock@quay01"),
    ] {
        assert!(!precedes(plan, a, b), "{a} holds up {b}");
        let ahead = b == "pull@quay01";
        assert!(ahead || !precedes(plan, b, a), "{b} holds up {a}");
    }
    // All nodes stop at once, and are cleared at once.
    for step in [
        "stop",
        "none_runs",
        "clear",
        "freeze",
        "unfreeze",
        "rb_stop",
        "smoke_direct",
    ] {
        side_by_side(plan, step, step);
    }
}

#[test]
fn what_must_not_wait_does_not() {
    let plan = plan();
    for (first, then) in [
        // The mirror workers stop while clients are still served.
        ("freeze", "stop_mirror"),
        // Nothing of going back, and nothing of the ending, is in the way of the procedure.
        ("choose", "approve"),
        ("rb_open", "unfreeze"),
        ("record", "start_mirror"),
        // The other nodes never start before the first is healthy.
        ("start_rest", "healthy_first"),
        ("start_rest", "approve_rest"),
        ("unfreeze", "last_word"),
        ("migrate", "dump"),
    ] {
        for (a, b) in [(all(plan, first), all(plan, then))] {
            for first in &a {
                for then in &b {
                    assert!(!precedes(plan, first, then), "{first} comes before {then}");
                }
            }
        }
    }
}

#[test]
fn the_rest_follows_region_by_region() {
    let plan = plan();
    let batches: Vec<Vec<&str>> = plan
        .phases
        .iter()
        .find(|phase| phase.id == "rest")
        .unwrap()
        .batches
        .iter()
        .map(|batch| batch.iter().map(runbook_model::HostName::as_str).collect())
        .collect();
    assert_eq!(batches, [vec!["quay02"], vec!["quay03", "quay04"]]);
    for then in ["start_rest@quay03", "start_rest@quay04"] {
        assert!(precedes(plan, "healthy_rest@quay02", then), "{then}");
    }
    for (a, b) in [("3", "4"), ("4", "3")] {
        let (a, b) = (
            format!("healthy_rest@quay0{a}"),
            format!("start_rest@quay0{b}"),
        );
        assert!(!precedes(plan, &a, &b), "{a} holds up {b}");
    }
    assert!(
        plan.node("start_rest@quay01").is_none(),
        "the first node is no other"
    );
}

#[test]
fn already_there_is_known_before_anything_but_looks_and_pulls() {
    let plan = plan();
    let done = before(plan, node(plan, "done when"));
    let steps: BTreeSet<&str> = done
        .iter()
        .filter_map(|node| Some(plan.instance(*node)?.0.id.as_str()))
        .collect();
    let wanted = [
        "survey",
        "survey_mirror",
        "schema_now",
        "schema_target",
        "schema_source",
    ];
    for step in wanted {
        assert!(steps.contains(step), "{step}");
    }
    for step in ["approve", "stop_mirror", "freeze", "stop"] {
        assert!(!steps.contains(step), "{step}");
        assert!(
            all(plan, step)
                .iter()
                .all(|id| precedes(plan, "done when", id))
        );
    }
}

#[test]
fn parts_have_no_edges_between_them() {
    let plan = plan();
    for edge in &plan.edges {
        assert_eq!(plan.part_of(edge.from), plan.part_of(edge.to));
    }
    let parts: Vec<Part> = plan.phases.iter().map(|phase| phase.part).collect();
    assert!(parts.is_sorted());
    assert_eq!(
        parts.iter().filter(|part| **part == Part::Rollback).count(),
        6
    );
    assert_eq!(parts.last(), Some(&Part::Finally));
}

#[test]
fn what_is_held_names_what_releases_it() {
    let plan = plan();
    let releases = |step: &str| -> Vec<&str> {
        let hold = plan.step(step).unwrap().1.hold.as_ref().unwrap();
        assert_eq!(hold.on_failure, HoldOnFailure::Keep, "{step}");
        hold.release
            .iter()
            .map(|at| plan.steps[at.at()].id.as_str())
            .collect()
    };
    assert_eq!(releases("freeze"), ["unfreeze", "rb_open"]);
    assert_eq!(releases("fence"), ["unfence", "rb_unfence"]);
    assert_eq!(releases("rb_freeze"), ["rb_open"]);
}

#[test]
fn smoke_tests_are_named_by_the_node_that_they_go_to() {
    let plan = plan();
    let wanted: Vec<String> = (1..=4)
        .map(|n| format!("smoke_direct:quay0{n}@control"))
        .collect();
    assert_eq!(all(plan, "smoke_direct"), wanted);
    let NodeKind::Instance { item, .. } = &plan.nodes[node(plan, &wanted[2]).at()].kind else {
        panic!("no instance");
    };
    assert_eq!(item.as_ref().unwrap().value["address"], "198.51.100.13");
}

#[test]
fn the_window_is_three_dates_in_their_order() {
    let window = plan().window.clone().unwrap();
    assert_eq!(window.opens.as_deref(), Some("2026-11-28T22:00:00+01:00"));
    assert_eq!(
        window.no_return_before.as_deref(),
        Some("2026-11-29T02:00:00+01:00")
    );
    let swapped = |text: String| {
        text.replace(
            "closes: '{{inputs.window.closes}}'",
            "closes: '{{inputs.window.opens}}'",
        )
    };
    let (plan, found) = compiled(swapped, true);
    assert!(plan.is_none());
    assert!(found.contains("is not before `closes`"), "{found}");
}

#[test]
fn two_states_of_one_container_need_the_question_whether_all_is_there() {
    let without = |text: String| {
        let mut lines: Vec<&str> = text.lines().collect();
        lines.retain(|line| !line.starts_with("done_when:"));
        lines.join("\n")
    };
    let (plan, found) = compiled(without, true);
    assert!(plan.is_some(), "{found}");
    assert!(
        found.contains("start_first") && found.contains("done_when"),
        "{found}"
    );
}
