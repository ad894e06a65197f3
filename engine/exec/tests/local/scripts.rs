//! The engine's own scripts: clean for shellcheck, and understood by every shell.

use std::path::{Path, PathBuf};
use std::process::Command;

fn scripts() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/sh");
    let files = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let scripts: Vec<_> = files
        .filter(|path| path.extension().is_some_and(|e| e == "sh"))
        .collect();
    assert!(scripts.len() >= 3, "{scripts:?}");
    scripts
}

#[test]
fn shellcheck_finds_nothing() {
    let output = Command::new("shellcheck")
        .args(scripts())
        .output()
        .expect("shellcheck is installed");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stdout)
    );
}

#[test]
fn every_shell_understands_them() {
    for shell in ["dash", "bash --posix", "busybox sh", "mksh"] {
        let words: Vec<_> = shell.split(' ').collect();
        for script in scripts() {
            let output = Command::new(words[0])
                .args(&words[1..])
                .arg("-n")
                .arg(&script)
                .output();
            let output = output.expect("every shell of the matrix is installed");
            assert!(
                output.status.success(),
                "{shell} {}: {}",
                script.display(),
                String::from_utf8_lossy(&output.stderr)
            );
        }
    }
}
