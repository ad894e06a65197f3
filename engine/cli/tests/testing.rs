//! `runbook test` as a person and a script see it.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::fs;
use std::process::{Command, Output, Stdio};

const TYPE: &str = "\
type: motd
summary: A message
params: { text: { type: string, required: true } }
check: |
  now=$(tool show) || fail 'tool cannot show'
  [ \"$now\" = \"$text\" ] || differs \"the message is $now\"
apply: tool set \"$text\"
tests:
  - test: the message is there
    with: { text: hello }
    answers: [{ run: [tool, show], stdout: hello }]
    check: satisfied
  - test: another message is replaced
    with: { text: hello }
    answers:
      - { run: [tool, show], stdout: bye, until: set }
      - { run: [tool, show], stdout: hello }
      - { run: [tool, set, hello], sets: set }
    check: differs
    reasons: [the message is bye]
    applies: [[tool, set, hello]]
";

const RUNBOOK: &str = "\
runbook: greet
inputs: { text: { type: string, required: true } }
steps:
  - { step: greet, uses: motd, on: web, with: { text: '{{inputs.text}}' } }
  - { step: approve, uses: gate.approve, with: { message: 'Well?' } }
";

const SCENARIOS: &str = "\
inventory: |
  hosts: { a: {}, b: {} }
  groups: { web: { hosts: [a, b] } }
inputs: { text: hello }
scenarios:
  - scenario: everybody is greeted
    facts: { greet@b: { check: satisfied } }
    expect: { result: succeeded, instances: { greet@a: changed, greet@b: satisfied }, order: [greet before approve] }
  - scenario: a greeting fails
    fail: [greet@a]
    expect: { result: failed, never: [approve] }
";

/// A runbook with a type and scenarios of its own.
fn place(step_type: &str, scenarios: &str) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("types")).unwrap();
    fs::write(dir.path().join("types/motd.yaml"), step_type).unwrap();
    fs::write(dir.path().join("greet.yaml"), RUNBOOK).unwrap();
    fs::write(dir.path().join("greet.test.yaml"), scenarios).unwrap();
    dir
}

fn run(dir: &tempfile::TempDir, words: &[&str]) -> (i32, String, String) {
    let Output {
        status,
        stdout,
        stderr,
    } = Command::new(env!("CARGO_BIN_EXE_runbook"))
        .arg("test")
        .args(words)
        .current_dir(dir.path())
        .env_remove("RUNBOOK_INVENTORY")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (status.code().unwrap(), text(stdout), text(stderr))
}

#[test]
fn what_is_right_passes() {
    let dir = place(TYPE, SCENARIOS);
    let (code, out, err) = run(&dir, &["greet.yaml"]);
    assert_eq!((code, err.as_str()), (0, ""), "{out}");
    insta::assert_snapshot!(out);
}

#[test]
fn everything_that_is_wrong_is_told_at_once() {
    let dir = place(
        &TYPE.replace("applies: [[tool, set, hello]]", "applies: []"),
        &SCENARIOS.replace("never: [approve]", "never: [greet]"),
    );
    let (code, out, _) = run(&dir, &["greet.yaml"]);
    assert_eq!(code, 1);
    insta::assert_snapshot!(out);
}

#[test]
fn one_is_found_by_its_title_its_type_or_its_file() {
    let dir = place(TYPE, SCENARIOS);
    for (words, tests) in [
        (&["motd"][..], 3),
        (&["types/motd.yaml"], 3),
        (&["types"], 3),
        (&["greet.test.yaml"], 2),
        (&["."], 5),
        (&["motd", "--filter", "REPLACED"], 1),
        (&["motd", "--filter", "without"], 1),
    ] {
        let (code, out, err) = run(&dir, words);
        assert_eq!(code, 0, "{words:?} {out} {err}");
        assert_eq!(out.matches("  ok  ").count(), tests, "{words:?} {out}");
    }
    let (code, out, _) = run(&dir, &["--list", "greet.yaml"]);
    assert_eq!((code, out.lines().count()), (0, 4), "{out}");
    let (code, out, _) = run(&dir, &["--json", "motd"]);
    assert_eq!(code, 0);
    let told: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!((&told["passed"], &told["failed"]), (&3.into(), &0.into()));
}

#[test]
fn a_runbook_without_scenarios_is_said_to_have_none() {
    let dir = place(TYPE, SCENARIOS);
    fs::write(dir.path().join("other.yaml"), RUNBOOK).unwrap();
    let (code, out, err) = run(&dir, &["other.yaml"]);
    let absent = "no scenario was found: there is no other.test.yaml";
    assert_eq!(
        (code, err),
        (0, format!("{absent}\n")),
        "the types beside it are tested"
    );
    assert_eq!(out.matches("  ok  ").count(), 3, "{out}");
    fs::remove_dir_all(dir.path().join("types")).unwrap();
    let (code, out, err) = run(&dir, &["other.yaml"]);
    assert_eq!((code, out.as_str()), (2, ""));
    assert!(err.contains(absent), "{err}");
}

#[test]
fn mistakes_are_told_before_anything_runs() {
    let dir = place(
        &TYPE.replace("check: satisfied", "chek: satisfied"),
        &SCENARIOS.replace("[greet@a]", "[gret@a]"),
    );
    let (code, out, err) = run(&dir, &["greet.yaml"]);
    assert_eq!((code, out.as_str()), (2, ""));
    assert!(
        err.contains("did you mean `check`?") && err.contains("did you mean `greet@a`?"),
        "{err}"
    );
    for (words, hint) in [
        (&["motdd"][..], "did you mean motd?"),
        (&["motd", "--filter", "nothing"], "runbook test --list"),
        (&["motd", "--on", "a"], "--inventory"),
        (&["nowhere.test.yaml"], "cannot read the file nowhere"),
        (&["gret.yaml"], "cannot read the file gret.yaml"),
        (&["types/mod.yaml"], "cannot read the file types/mod.yaml"),
    ] {
        let (code, _, err) = run(&place(TYPE, SCENARIOS), words);
        assert_eq!(code, 2, "{words:?} {err}");
        assert!(err.contains(hint), "{words:?} {err}");
    }
}
