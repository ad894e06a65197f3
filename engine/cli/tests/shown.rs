//! `explain` and `graph` on the shipped upgrade and on the copy of the wanted one: what a person
//! reads, and that drawings are whole.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const SHIPPED: [&str; 3] = [
    "runbooks/upgrade-geo.yaml",
    "-i",
    "runbooks/inventory.example.yaml",
];
const WANTED: [&str; 5] = [
    "tests/wanted/upgrade-geo.yaml",
    "-i",
    "tests/wanted/inventory.yaml",
    "--inputs",
    "tests/wanted/inputs.yaml",
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn runbook(words: &[&str]) -> (i32, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_runbook"))
        .args(words)
        .current_dir(root())
        .env_remove("RUNBOOK_INVENTORY")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (
        output.status.code().unwrap(),
        text(output.stdout),
        text(output.stderr),
    )
}

/// Digests and line numbers change with every edit of a type or a runbook, and mean nothing here.
fn stable(text: &str) -> String {
    let mut out = String::new();
    for line in text.lines() {
        let hex = |word: &&str| word.len() == 12 && word.bytes().all(|b| b.is_ascii_hexdigit());
        let line = match line.rsplit_once(", ") {
            Some((before, _)) if line.rsplit(' ').next().filter(hex).is_some() => {
                format!("{before}, DIGEST")
            }
            _ => line.to_owned(),
        };
        let mut rest = line.as_str();
        while let Some((before, after)) = rest.split_once(".yaml:") {
            out.push_str(before);
            out.push_str(".yaml:N");
            rest = after.trim_start_matches(|c: char| c.is_ascii_digit());
        }
        out.push_str(rest);
        out.push('\n');
    }
    out
}

fn explained(file: &[&str], step: &str) -> String {
    let inputs = [
        "--input",
        "first=quay01",
        "--input",
        "digest=sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
    ];
    let inputs = if file.len() == SHIPPED.len() {
        &inputs[..]
    } else {
        &[]
    };
    let (code, out, err) = runbook(&[&["explain"], file, &[step], inputs].concat());
    assert_eq!((code, err.as_str()), (0, ""));
    stable(&out)
}

#[test]
fn a_step_of_the_upgrade() {
    insta::assert_snapshot!(explained(&SHIPPED, "migrate"));
}

#[test]
fn a_step_of_a_rolling_phase() {
    insta::assert_snapshot!(explained(&SHIPPED, "start_rest"));
}

#[test]
fn one_instance_of_a_step() {
    insta::assert_snapshot!(explained(&SHIPPED, "stop@quay02"));
}

#[test]
fn a_step_that_holds_something() {
    insta::assert_snapshot!(explained(&WANTED, "freeze"));
}

#[test]
fn a_step_of_the_rollback() {
    insta::assert_snapshot!(explained(&WANTED, "rb_restore"));
}

#[test]
fn a_step_that_does_not_exist_is_a_mistake() {
    for (typed, meant) in [("migrat", "migrate"), ("stop@quay2", "stop@quay02")] {
        let (code, out, err) = runbook(&[&["explain"], &SHIPPED[..], &[typed]].concat());
        assert_eq!((code, out.as_str()), (2, ""), "{typed}");
        assert!(err.contains(&format!("did you mean {meant}?")), "{err}");
    }
}

#[test]
fn a_step_explained_for_programs() {
    let (code, out, _) = runbook(&[&["explain"], &WANTED[..], &["stop", "--json"]].concat());
    let json: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!((code, &json["step"]), (0, &serde_json::json!("stop")));
    assert_eq!(json["instances"].as_array().unwrap().len(), 4);
    let waits = json["waits_for"].as_array().unwrap();
    assert!(waits.iter().any(|w| w["what"] == "`drain`"), "{waits:?}");
}

/// Names of nodes and arrows of a drawing in DOT.
fn parts(dot: &str) -> (BTreeSet<&str>, BTreeSet<(&str, &str)>) {
    let (mut nodes, mut arrows) = (BTreeSet::new(), BTreeSet::new());
    for line in dot.lines().map(str::trim) {
        let name = line.split(' ').next().unwrap();
        match line.split_once(" -> ") {
            Some((from, rest)) => {
                arrows.insert((from, rest.split(' ').next().unwrap()));
            }
            None if line.contains("[label=") && name != "graph" => {
                nodes.insert(name);
            }
            None => {}
        }
    }
    (nodes, arrows)
}

#[test]
fn every_step_is_drawn_and_every_arrow_has_its_ends() {
    for part in ["main", "rollback", "finally", "all"] {
        for more in [&[][..], &["--instances"]] {
            let words = [&["graph"], &WANTED[..], &["--part", part], more].concat();
            let (code, dot, err) = runbook(&words);
            assert_eq!((code, err.as_str()), (0, ""));
            assert_eq!(dot.matches('{').count(), dot.matches('}').count());
            let (nodes, arrows) = parts(&dot);
            assert!(!nodes.is_empty());
            let points: BTreeSet<&str> = dot
                .lines()
                .filter(|l| l.contains("shape=point"))
                .map(|l| l.trim().split(' ').next().unwrap())
                .collect();
            for (from, to) in &arrows {
                for end in [from, to] {
                    assert!(nodes.contains(end) || points.contains(end), "{part}: {end}");
                }
            }
            assert_eq!(runbook(&words).1, dot, "the same plan, the same drawing");
        }
    }
}

#[test]
fn a_graph_for_programs_is_the_drawing() {
    let (code, out, err) = runbook(&[&["graph"], &WANTED[..], &["--json"]].concat());
    assert_eq!((code, err.as_str()), (0, ""));
    let json: serde_json::Value = serde_json::from_str(&out).unwrap();
    let (_, dot, _) = runbook(&[&["graph"], &WANTED[..]].concat());
    let (nodes, _) = parts(&dot);
    let all = json["nodes"].as_array().unwrap();
    let named = all.iter().filter(|n| n["name"].is_string());
    let ids: BTreeSet<&str> = named.map(|n| n["id"].as_str().unwrap()).collect();
    assert!(!ids.is_empty() && ids.is_subset(&nodes), "{ids:?}");
    let (code, out, err) =
        runbook(&[&["graph"], &WANTED[..], &["--json", "--format", "svg"]].concat());
    assert_eq!((code, out.as_str()), (2, ""));
    assert!(err.contains("ask for different things"), "{err}");
}

#[test]
fn the_name_of_the_output_says_the_language() {
    let dir = tempfile::tempdir().unwrap();
    for (name, begin) in [
        ("a.json", "{\n"),
        ("a.svg", "<svg "),
        ("a.mmd", "---\ntitle: "),
        ("a.dot", "digraph "),
    ] {
        let path = dir.path().join(name);
        let words = [&["graph"], &WANTED[..], &["-o", path.to_str().unwrap()]].concat();
        let (code, out, err) = runbook(&words);
        assert_eq!((code, out.as_str(), err.as_str()), (0, "", ""));
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.starts_with(begin), "{name}");
        for step in ["freeze", "healthy_rest", "last_word"] {
            assert!(text.contains(step), "{name}: {step}");
        }
    }
    for name in ["a.png", "a.yaml", "a"] {
        let path = dir.path().join(name);
        std::fs::write(&path, "mine").unwrap();
        let words = [&["graph"], &WANTED[..], &["-o", path.to_str().unwrap()]].concat();
        let (code, _, err) = runbook(&words);
        assert!(code == 2 && err.contains("--format"), "{name}: {err}");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "mine");
    }
    let nowhere = dir.path().join("none/a.svg");
    let words = [&["graph"], &WANTED[..], &["-o", nowhere.to_str().unwrap()]].concat();
    assert_eq!(runbook(&words).0, 2);
}
