//! The house rules that a machine is able to hold: which crate may depend on which, and that every
//! file says what it answers for.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Who may depend on whom. `cli` alone sees the step types, and only as data.
const DIRECTIONS: &[(&str, &[&str])] = &[
    ("runbook-model", &[]),
    ("runbook-lang", &["runbook-model"]),
    ("runbook-remote", &["runbook-model"]),
    (
        "runbook-exec",
        &["runbook-model", "runbook-lang", "runbook-remote"],
    ),
    ("runbook-report", &["runbook-model"]),
    ("runbook-steps", &[]),
    (
        "runbook-cli",
        &[
            "runbook-model",
            "runbook-lang",
            "runbook-remote",
            "runbook-exec",
            "runbook-report",
            "runbook-steps",
        ],
    ),
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap()
        .to_path_buf()
}

fn metadata() -> serde_json::Value {
    let cargo = std::env::var("CARGO").unwrap();
    let output = Command::new(cargo)
        .args(["metadata", "--format-version=1", "--no-deps", "--offline"])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn dependencies_point_one_way() {
    let allowed: BTreeMap<&str, &[&str]> = DIRECTIONS.iter().copied().collect();
    let metadata = metadata();
    let mut seen = 0;
    for package in metadata["packages"].as_array().unwrap() {
        let name = package["name"].as_str().unwrap();
        if name == "runbook-tests" {
            continue;
        }
        seen += 1;
        let allowed = allowed
            .get(name)
            .unwrap_or_else(|| panic!("`{name}` has no place in the table"));
        for dependency in package["dependencies"].as_array().unwrap() {
            let on = dependency["name"].as_str().unwrap();
            let test_only = dependency["kind"] == "dev";
            if on.starts_with("runbook-") && !(test_only && name == "runbook-exec") {
                assert!(allowed.contains(&on), "`{name}` must not depend on `{on}`");
            }
        }
    }
    assert_eq!(seen, DIRECTIONS.len());
}

#[test]
fn only_the_command_line_prints() {
    for crate_name in ["model", "lang", "remote", "exec", "report"] {
        for file in rust_files(&root().join("engine").join(crate_name).join("src")) {
            let text = std::fs::read_to_string(&file).unwrap();
            let code = text.split("#[cfg(test)]").next().unwrap();
            for word in [
                "println!(",
                "eprintln!(",
                "std::env::var",
                "std::process::exit",
            ] {
                assert!(!code.contains(word), "{} uses `{word}`", file.display());
            }
        }
    }
}

#[test]
fn every_module_says_what_it_answers_for() {
    let mut sizes = Vec::new();
    for folder in ["engine", "stdlib-steps", "tests"] {
        for file in rust_files(&root().join(folder)) {
            let text = std::fs::read_to_string(&file).unwrap();
            assert!(
                text.starts_with("//!"),
                "{} has no module documentation",
                file.display()
            );
            sizes.push(text.lines().count());
        }
    }
    sizes.sort_unstable();
    assert!(
        sizes[sizes.len() / 2] < 250,
        "the median file has {} lines",
        sizes[sizes.len() / 2]
    );
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && !path.ends_with("target") {
            found.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found
}
