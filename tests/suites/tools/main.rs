//! The shipped step types on the real tools: what a step does is there, is taken back, is noticed when somebody changes it by hand,
//! and touches nothing else. `tests/effects` says what is tried; a lab with `LAB_TOOLS=1` must be up.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod broken;
mod drive;

use std::collections::BTreeSet;
use std::path::PathBuf;

use runbook_tests::effects::Effects;
use runbook_tests::root;
use runbook_tests::terminal::say;
use runbook_tests::tools::Tools;

use drive::Drive;

/// One test for each file.
macro_rules! files {
    ($($name:ident)*) => {
        const FILES: &[&str] = &[$(stringify!($name)),*];
        $(#[test] fn $name() { tried(stringify!($name)); })*
    };
}

files! { files accounts system firewall containers balancer database ceph programs }

/// The file whose tools are missing, hang and answer in German in every test run.
const SAMPLE: &str = "accounts";

fn folder() -> PathBuf {
    root().join("tests/effects")
}

#[test]
fn every_file_is_tried() {
    let mut found: Vec<String> = std::fs::read_dir(folder())
        .unwrap()
        .filter_map(|entry| {
            entry
                .unwrap()
                .file_name()
                .into_string()
                .unwrap()
                .strip_suffix(".yaml")
                .map(str::to_owned)
        })
        .collect();
    found.sort();
    let mut named = FILES.to_vec();
    named.sort_unstable();
    assert_eq!(found, named);
}

/// Types that no file can try, each with what tries it instead.
const UNTRIED: &[(&str, &str)] = &[
    (
        "ceph.orch_apply",
        "the host has no orchestrator of cephadm: scripted answers",
    ),
    (
        "ceph.orch_host",
        "the host has no orchestrator of cephadm: scripted answers",
    ),
    (
        "cephadm.bootstrap",
        "it wants a host of its own and images of Ceph: scripted answers",
    ),
    ("clair.config", "there is no Clair: scripted answers"),
    ("clair.ready", "there is no Clair: scripted answers"),
    (
        "host.reboot",
        "the watch for secrets would end with the host: `tests/survive/restart.yaml` has it",
    ),
    (
        "quay.config",
        "no shipped runbook of the lab writes one: scripted answers",
    ),
    (
        "quay.config_valid",
        "the suite `lab`, on a stand-in for Quay",
    ),
    ("quay.health", "the suite `lab`, on a stand-in for Quay"),
    (
        "quay.image_schema",
        "the suite `lab`, on a stand-in for Quay",
    ),
    ("quay.instance", "the suite `lab`, on a stand-in for Quay"),
    (
        "quay.none_running",
        "the suite `lab`, on a stand-in for Quay",
    ),
    (
        "quay.superuser",
        "there is no Quay with an API: scripted answers",
    ),
    (
        "registry.push_pull",
        "there is no registry with tokens: scripted answers",
    ),
    (
        "selinux.boolean",
        "no SELinux in a container: scripted answers",
    ),
    (
        "selinux.context",
        "no SELinux in a container: scripted answers",
    ),
    (
        "subscription.registered",
        "no subscription of Red Hat: scripted answers",
    ),
    (
        "subscription.repos",
        "no subscription of Red Hat: scripted answers",
    ),
];

#[test]
fn every_type_is_tried() {
    let folder = root().join("stdlib-steps/types");
    let shipped: BTreeSet<String> = std::fs::read_dir(folder)
        .unwrap()
        .filter_map(|entry| {
            let name = entry.unwrap().file_name().into_string().unwrap();
            name.strip_suffix(".yaml").map(str::to_owned)
        })
        .collect();
    let mut tried = BTreeSet::new();
    for name in FILES {
        let effects = effects(name);
        let steps = effects.steps.iter().map(|effect| &effect.step);
        let probes = effects.probes.iter().map(|probe| &probe.step);
        tried.extend(
            steps
                .chain(probes)
                .map(|step| step["uses"].as_str().unwrap().to_owned()),
        );
    }
    let listed: BTreeSet<String> = UNTRIED.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(listed.len(), UNTRIED.len(), "a type is listed twice");
    let none: [&String; 0] = [];
    let forgotten = shipped
        .difference(&tried)
        .filter(|name| !listed.contains(*name));
    assert_eq!(
        forgotten.collect::<Vec<_>>(),
        none,
        "neither tried nor listed"
    );
    let both = listed.intersection(&tried);
    assert_eq!(
        both.collect::<Vec<_>>(),
        none,
        "tried, and listed as untried"
    );
    let unknown = listed.difference(&shipped);
    assert_eq!(
        unknown.collect::<Vec<_>>(),
        none,
        "listed, and no shipped type"
    );
}

fn effects(name: &str) -> Effects {
    Effects::read(&folder().join(format!("{name}.yaml")))
}

fn tried(name: &str) {
    let effects = effects(name);
    let tools = Tools::fresh();
    tools.must("prepare", &effects.prepare);
    let mut drive = Drive::new(&tools, &effects);
    let secrets: Vec<String> = effects.secrets.values().cloned().collect();
    let watch = tools.watch(&secrets);
    drive.effects();
    drive.probes();
    // A tool that hangs takes as long as the limit of its type, so that an ordinary test run has a sample.
    if name == SAMPLE || std::env::var_os("RUNBOOK_TOOLS_BROKEN").is_some() {
        broken::tools(&mut drive);
    }
    drive.wrong.extend(watch.end());
    tools.must("after", &effects.after);
    say(&format!(
        "{name}: {} steps, {} probes, {} runs",
        effects.steps.len(),
        effects.probes.len(),
        drive.runs
    ));
    assert!(
        drive.wrong.is_empty(),
        "{name}:\n{}",
        drive.wrong.join("\n")
    );
}
