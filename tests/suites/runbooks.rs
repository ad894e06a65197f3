//! The shipped runbooks compile, and their graphs have the order that the procedures demand.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::collections::BTreeSet;

use runbook_lang::compile::Given;
use runbook_model::step::HoldOnFailure;
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
        "ready@control",
        "restore_proof@control",
        "approve@control",
        "quiet@control",
        "stop_mirror@quay01",
        "freeze@db01",
        "drain@db01",
        "stop@quay02",
        "fence@db01",
        "none_runs@quay03",
        "no_sessions@db01",
        "dump@db01",
        "dump_valid@db01",
        "dump_away@control",
        "config_away@quay01",
        "clair_dump@quay03",
        "clair_valid@quay03",
        "clair_away@quay03",
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
        "smoke_direct:quay02@control",
        "last_word@control",
        "unfreeze@db01",
        "through_lb:db01@control",
        "start_mirror@quay01",
        "loud@control",
    ];
    in_order(&plan, &chain);
}

#[test]
fn going_back_has_its_order() {
    let chain = [
        "logs@quay03",
        "schema_rb@db01",
        "choose@control",
        "rb_quiet@control",
        "rb_stop_mirror@quay01",
        "rb_freeze@db01",
        "rb_stop@quay02",
        "rb_stop_migration@quay01",
        "rb_fence@db01",
        "rb_none@quay03",
        "rb_keep@db01",
        "rb_create@db01",
        "rb_trgm@db01",
        "rb_restore@db01",
        "schema_back@db01",
        "rb_unfence@db01",
        "rb_start@quay01",
        "rb_healthy@quay01",
        "rb_start@quay03",
        "rb_look@quay02",
        "rb_one_version@control",
        "rb_open@db01",
        "rb_through_lb:db01@control",
        "rb_mirror@quay01",
        "rb_loud@control",
    ];
    in_order(&upgrade(), &chain);
}

/// Each ends before the next begins.
fn in_order(plan: &Plan, chain: &[&str]) {
    for pair in chain.windows(2) {
        assert!(
            precedes(plan, pair[0], pair[1]),
            "{} must come before {}",
            pair[0],
            pair[1]
        );
    }
}

#[test]
fn nodes_stop_and_are_cleared_side_by_side() {
    let plan = upgrade();
    for step in ["stop", "clear", "rb_stop"] {
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

#[test]
fn regions_do_not_mix_and_the_last_word_is_the_point_of_no_return() {
    let plan = upgrade();
    let rest = plan.phases.iter().find(|phase| phase.id == "rest").unwrap();
    let batches: Vec<Vec<&str>> = rest
        .batches
        .iter()
        .map(|batch| batch.iter().map(runbook_model::HostName::as_str).collect())
        .collect();
    assert_eq!(batches, [["quay02"], ["quay03"]]);
    let no_return = plan.steps.iter().filter(|step| step.no_return.is_some());
    let no_return: Vec<_> = no_return.map(|step| step.id.as_str()).collect();
    assert_eq!(no_return, ["last_word"]);
}

#[test]
fn what_is_held_stays_when_something_fails() {
    let plan = upgrade();
    let held: Vec<_> = plan
        .steps
        .iter()
        .filter_map(|step| Some((step.id.as_str(), step.hold.as_ref()?)))
        .map(|(id, hold)| {
            assert_eq!(hold.on_failure, HoldOnFailure::Keep, "{id}");
            let release = hold.release.iter();
            let release = release.map(|at| plan.steps[at.at()].id.as_str());
            (id, release.collect::<Vec<_>>())
        })
        .collect();
    let wanted = [
        ("quiet", vec!["loud", "rb_loud"]),
        ("freeze", vec!["unfreeze", "rb_open"]),
        ("fence", vec!["unfence", "rb_unfence"]),
        ("rb_quiet", vec!["rb_loud"]),
        ("rb_freeze", vec!["rb_open"]),
        ("rb_fence", vec!["rb_unfence"]),
    ];
    assert_eq!(held, wanted);
}
