//! The shipped runbooks compile, and their graphs have the order that the procedures demand.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::collections::BTreeSet;

use runbook_lang::compile::Given;
use runbook_model::{NodeIx, Plan};
use runbook_tests::{compile_texts, root};

fn upgrade() -> Plan {
    let read = |name: &str| std::fs::read_to_string(root().join("runbooks").join(name)).unwrap();
    let plan = compile_texts(
        &read("upgrade-geo.yaml"),
        &read("inventory.example.yaml"),
        &Given::default(),
        true,
    );
    plan.unwrap_or_else(|diagnostics| panic!("{diagnostics}"))
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
    let node = |id: &str| {
        plan.node(id)
            .unwrap_or_else(|| panic!("the plan has no `{id}`"))
    };
    before(plan, node(then)).contains(&node(first))
}

#[test]
fn the_upgrade_has_its_order() {
    let plan = upgrade();
    let chain = [
        "survey@quay03",
        "approve@control",
        "stop_mirror@quay01",
        "drain@db01",
        "stop@quay02",
        "fence@db01",
        "none_runs@quay03",
        "no_sessions@db01",
        "dump@db01",
        "dump_valid@db01",
        "dump_away@control",
        "clear@quay02",
        "unfence@db01",
        "migrate@quay01",
        "schema_after@db01",
        "start_first@quay01",
        "healthy_first@quay01",
        "approve_rest@control",
        "start_rest@quay02",
        "healthy_rest@quay02",
        "start_rest@quay03",
        "one_version@control",
        "start_mirror@quay01",
        "record@control",
    ];
    for pair in chain.windows(2) {
        assert!(
            precedes(&plan, pair[0], pair[1]),
            "{} must come before {}",
            pair[0],
            pair[1]
        );
    }
}

#[test]
fn nodes_stop_and_are_cleared_side_by_side() {
    let plan = upgrade();
    for step in ["stop", "clear"] {
        for (a, b) in [
            ("quay01", "quay02"),
            ("quay02", "quay03"),
            ("quay03", "quay01"),
        ] {
            let (a, b) = (format!("{step}@{a}"), format!("{step}@{b}"));
            assert!(!precedes(&plan, &a, &b), "{a} must not hold up {b}");
        }
    }
}

#[test]
fn all_nodes_are_stopped_before_anything_migrates() {
    let plan = upgrade();
    for host in ["quay01", "quay02", "quay03"] {
        assert!(precedes(&plan, &format!("stop@{host}"), "migrate@quay01"));
        assert!(precedes(
            &plan,
            &format!("none_runs@{host}"),
            "migrate@quay01"
        ));
    }
}
