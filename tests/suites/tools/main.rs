//! The shipped step types on the real tools: what a step does is there, is taken back, is noticed when somebody changes it by hand,
//! and touches nothing else. `tests/effects` says what is tried; a lab with `LAB_TOOLS=1` must be up.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod broken;
mod drive;

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

files! { files accounts system firewall containers balancer database ceph }

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

fn tried(name: &str) {
    let effects = Effects::read(&folder().join(format!("{name}.yaml")));
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
